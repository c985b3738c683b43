"""The same study twice: from the sums of several holders of rows, and row by row with scikit-learn on all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_api.evaluation import Estimate
from heart_trainer.data.sources.cohort import COLUMNS, heart_cohort
from heart_trainer.evaluation.bootstrap import Sample
from heart_trainer.evaluation.evaluate import estimates
from heart_trainer.fit import calibrate, families
from heart_trainer.fit.calibrate import CalibratedModel
from heart_trainer.fit.families import Setting
from heart_trainer.fit.predict import predict
from heart_trainer.fit.scoring import scorer
from heart_trainer.fit.search import CONFIDENT
from heart_trainer.sums.additive import Schema, Sums, total
from heart_trainer.sums.driver import Request, Trained, start, step
from heart_trainer.sums.pipeline import named
from heart_trainer.sums.rows import Rows, draws
from heart_trainer.sums.split import Owner, cross_validation
from heart_trainer.sums.study import Study

CATEGORIES = {"sex": (0, 1), "cp": (1, 2, 3, 4), "restecg": (0, 1, 2), "slope": (1, 2, 3), "thal": (3, 6, 7)}
FEATURES = tuple(
    Feature(name=name, type="category", values=CATEGORIES[name], sensitive=name == "sex", required=False)
    if name in CATEGORIES
    else Feature(name=name, type="number", sensitive=name == "age", required=False)
    for name in COLUMNS
)


def cohort(rows: int, seed: int, secret: bytes = b"key", missing: float = 0.05) -> Rows:
    """Made-up patients as models get them; `y`: disease."""
    frame = heart_cohort(rows, seed)
    x = frame[list(COLUMNS)].to_numpy(np.float32)
    for index, feature in enumerate(FEATURES):
        if feature.type == "category":
            x[:, index] = np.searchsorted(feature.values or (), x[:, index])
    x[np.random.default_rng(seed).random(x.shape) < missing] = np.nan
    return Rows(x, (frame["num"] > 0).to_numpy(np.float64), draws(x, secret))


def numbers(rows: int, seed: int) -> Rows:
    """Made-up patients with a value to predict."""
    patients = cohort(rows, seed)
    x = patients.x
    noise = np.random.default_rng(seed).normal(0, 5, rows)
    y = 200 + 0.8 * np.nan_to_num(x[:, 0], nan=54) + 4 * np.nan_to_num(x[:, 9], nan=1) + noise
    return Rows(x, y.astype(np.float64), patients.draw)


def study(folds: int = 5, penalties: tuple[float, ...] = (10.0, 100.0, 1.0, 0.1), **more: object) -> Study:
    settings = {"methods": ("none",), "scoring": "roc_auc", "regression": False, "seed": 42, **more}
    return Study(FEATURES, split=cross_validation(folds), penalties=penalties, **settings)  # type: ignore[arg-type]


def holders(rows: Rows, count: int, seed: int = 0) -> list[Rows]:
    """The rows at random among so many sites."""
    site = np.random.default_rng(seed).integers(0, count, len(rows))
    return [rows.take(site == number) for number in range(count)]


def run(what: Study, sites: list[Rows], ask: Callable[[Request, list[Rows]], Sums] | None = None) -> Trained:
    """`ask`: how sites answer a request; by default with exact sums."""
    following: object = start(what)
    while not isinstance(following, Trained):
        state, request = following  # type: ignore[misc]
        following = step(state, (ask or exchange)(request, sites))
    return following


def exchange(request: Request, sites: list[Rows]) -> Sums:
    schema: Schema = request.schema()
    return total(schema, (request.collect(rows) for rows in sites))


@dataclass(frozen=True)
class Pooled:
    """Row by row: `output` [rows, classes] or [rows, 1] out of fold, and its figures."""

    output: NDArray[np.float64]
    figures: dict[str, Estimate]
    again: dict[str, Estimate]
    """The same with another seed of the bootstrap."""


def pooled(what: Study, rows: Rows) -> Pooled:
    """The procedure of the driver on rows: settings and calibration inside each fold's own rows."""
    part = what.split.part_of(rows.draw)
    output = np.full((len(rows), 1 if what.regression else 2), np.nan)
    for owner in what.split.owners:
        if owner.judged:
            judged = np.isin(part, owner.judged)
            output[judged] = predict(_fitted(what, rows, part, owner), rows.x[judged].astype(np.float64))
    y = rows.y if what.regression else rows.y.astype(np.int64)
    known = np.isfinite(output[:, 0])
    task = "regression" if what.regression else "binary"
    sample = Sample(task, y, output, np.arange(len(y))).take(known)
    return Pooled(output, estimates(sample, what.seed), estimates(sample, what.seed + 1000))


def _fitted(what: Study, rows: Rows, part: NDArray[np.int64], owner: Owner) -> object:
    penalty, method, calibrator = what.penalties[0], "none", None
    if what.searches:
        outputs = [_inner(what, rows, part, owner, penalty) for penalty in what.penalties]
        fold = _inner_fold(part, owner)
        position = _choice(what, rows, outputs, fold)
        penalty, inside = what.penalties[position], fold >= 0
        if what.methods != ("none",):
            y = rows.y[inside].astype(np.int64)
            method = calibrate.choose(what.methods, outputs[position][inside], y, fold[inside])
            calibrator = calibrate.learn(method, outputs[position][inside], y)
    model = fit_all(what, rows.take(np.isin(part, what.split.sets[owner.learns])), penalty)
    return CalibratedModel(model, calibrator) if calibrator else model


def _inner_fold(part: NDArray[np.int64], owner: Owner) -> NDArray[np.int64]:
    fold = np.full(len(part), -1)
    for number, inner in enumerate(owner.inner):
        fold[np.isin(part, inner.judged)] = number
    return fold


def _inner(what: Study, rows: Rows, part: NDArray[np.int64], owner: Owner, penalty: float) -> NDArray[np.float64]:
    output = np.full((len(rows), 1 if what.regression else 2), np.nan)
    for inner in owner.inner:
        model = fit_all(what, rows.take(np.isin(part, what.split.sets[inner.learns])), penalty)
        judged = np.isin(part, inner.judged)
        output[judged] = predict(model, rows.x[judged].astype(np.float64))
    return output


def _choice(what: Study, rows: Rows, outputs: list[NDArray[np.float64]], fold: NDArray[np.int64]) -> int:
    score = scorer(what.scoring, "regression" if what.regression else "binary")[1]
    y = rows.y if what.regression else rows.y.astype(np.int64)
    folds = range(int(fold.max()) + 1)
    scores = np.array([[score(y[fold == k], output[fold == k]) for output in outputs] for k in folds])
    best = int(np.argmax(scores.mean(axis=0)))
    lead = scores[:, best] - scores[:, 0]
    return best if lead.mean() > CONFIDENT * lead.std(ddof=1) / np.sqrt(len(lead)) else 0


def fit_all(what: Study, rows: Rows, penalty: float) -> object:
    """scikit-learn's own fit, to the end."""
    name, params = named(what.regression, penalty)
    pipeline = families.build(name, params, Setting(what.features, what.regression, 0))  # type: ignore[arg-type]
    if not what.regression:
        pipeline.set_params(model__tol=1e-10, model__max_iter=10_000)
    return pipeline.fit(rows.x.astype(np.float64), rows.y if what.regression else rows.y.astype(np.int64))
