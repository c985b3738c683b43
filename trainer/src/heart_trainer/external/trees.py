"""XGBoost on rows that stay on disk, judged on a hold-out by sums. Imported only where this family is trained.

Settings are searched on the sample; the trees are grown from all rows that are neither held out nor, in small part,
kept for calibration. With several workers each reads its own rows, and XGBoost adds up their histograms.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from heart_api.handover import TrainingRequest
from heart_trainer.data.rows import EqualRowsTogether
from heart_trainer.external.boosting import Batch, News, boost, turns_of
from heart_trainer.external.learned import Learned, Progress, ask
from heart_trainer.external.peers import Peers, of_the_first
from heart_trainer.external.prepared import BYTES_PER_CELL, BYTES_PER_ROW, Prepared, full_disk
from heart_trainer.fit import families
from heart_trainer.fit.boosted import Boosted, binary_objective, margin_of, regression_objective
from heart_trainer.fit.calibrate import CalibratedModel, Calibrator, Method
from heart_trainer.fit.families import Setting
from heart_trainer.fit.offset import ShiftedModel
from heart_trainer.fit.scoring import scorer
from heart_trainer.fit.search import INNER_FOLDS, Search, SearchRows, run
from heart_trainer.sums.calibration import CalibratedLinearModel, choose_calibrator
from heart_trainer.sums.describe import DescribeRequest, Description, Preparation, RangeRequest, axes_of, prepare
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.pipeline import fitted_preparation
from heart_trainer.sums.scores import Judged, ScoreRequest, cells_of
from heart_trainer.sums.slices import rules
from heart_trainer.sums.split import Owner, Split
from heart_trainer.sums.study import Study, check_enough, needs_double, outputs_of, scale_of
from heart_trainer.values import FoldChoice

HOLD_OUT = 0.2
"""Share of the rows that figures come from, unless spec.training.holdout says another."""
PARTS, CALIBRATION_PARTS = 60, 3
"""One row in 20 is kept for calibration; its parts are the folds between which the method is chosen."""
UNCALIBRATED_PARTS = 20
PAGE = 1 << 19
"""Rows that XGBoost takes at a time."""

T = TypeVar("T")


@dataclass(frozen=True)
class TreeModel:
    """`answers`: probabilities of class 1, or (with an offset) values."""

    preparation: Preparation
    estimator: Boosted
    offset: float | None = None

    def columns(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        return columns_of(self.preparation, x)

    def answers(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        if not len(x):
            return np.empty(0)
        if self.offset is None:
            return np.asarray(self.estimator.predict_proba(self.columns(x))[:, 1])
        return np.asarray(self.estimator.predict(self.columns(x)), np.float64) + self.offset


def train_trees(
    request: TrainingRequest, study: Study, prepared: Prepared, peers: Peers, progress: Progress
) -> Learned:
    """Raises DataInvalid. `study`: as for linear models; its split is replaced."""
    study = replace(study, split=split_of(request.training.holdout or HOLD_OUT, study.methods != ("none",)))
    description = describe(study, prepared, peers, progress)
    check_enough(study, description)
    params = of_the_first(peers, search(request, study, prepared, progress) if peers.rank == 0 else None)
    model = grow(study, description, prepared, params, peers.count, progress)
    method, calibrator = calibrate(study, model, prepared, peers, progress)
    # The requests are answered in this process: they need a model that answers, not one that can be sent.
    answering: Any = CalibratedLinearModel(cast(Any, model), calibrator) if calibrator else model
    evaluation = EvaluationRequest(
        study.split,
        (answering,),
        rules(description, study.features),
        scale_of(study, description),
        outputs_of(study, description),
    )
    tables = ask(evaluation, prepared, peers)
    progress("evaluated on the rows that were held out")
    choice = FoldChoice("xgboost", params, method)
    return Learned(
        study,
        description,
        evaluation,
        tables,
        (choice,),
        lambda setting: estimator_of(model, calibrator, setting, needs_double(study, description)),
    )


def split_of(holdout: float, calibrated: bool) -> Split:
    """Sets: what is learnt from, and (if calibrated) what calibration is learnt from."""
    parts = PARTS if calibrated else UNCALIBRATED_PARTS
    learned = tuple(range(parts - CALIBRATION_PARTS if calibrated else parts))
    kept = tuple(range(len(learned), parts))
    return Split(parts + 1, holdout, (learned, kept) if kept else (learned,), (Owner(0, (parts,), ()),))


def describe(study: Study, prepared: Prepared, peers: Peers, progress: Progress) -> Description:
    ranges = RangeRequest(study.features)
    axes = axes_of(ranges, ask(ranges, prepared, peers))
    request = DescribeRequest(study.features, axes, study.split)
    found = Description(request, ask(request, prepared, peers))
    progress("ranges, moments and histograms of all rows are known")
    return found


def search(request: TrainingRequest, study: Study, prepared: Prepared, progress: Progress) -> dict[str, Any]:
    """The settings to grow with: those of a training in memory on the rows of the sample that are learnt from."""
    training, params = request.training, families.defaults("xgboost")
    if not training.tuning.trials:
        return params
    sample = prepared.sample
    inside = np.isin(study.split.part_of(sample.draw), study.split.sets[0])
    x, y = sample.encoded[inside].astype(np.float32), sample.y[inside]
    y = y if study.regression else y.astype(np.int64)
    setting = Setting(study.features, study.regression, study.seed)
    folds = EqualRowsTogether(INNER_FOLDS, study.seed, stratify=not study.regression).folds(x, y)
    score = scorer(training.scoring, prepared.task)[1]
    wanted = Search(("xgboost",), training.tuning.trials, training.tuning.timeout_seconds, score, setting)
    progress(f"searching settings on {len(y)} rows of the sample")
    with threadpool_limits(1):
        return aside(lambda: dict(run(wanted, SearchRows(x, y, folds)).params))


def aside(work: Callable[[], T]) -> T:
    """The result of work in a thread of its own: it belongs to no group of workers, so its trees are nobody else's.

    A process that is told to stop does not wait for it.
    """
    found: Future[T] = Future()

    def run_it() -> None:
        try:
            found.set_result(work())
        except BaseException as error:
            found.set_exception(error)

    Thread(target=run_it, daemon=True).start()
    return found.result()


def grow(
    study: Study,
    description: Description,
    prepared: Prepared,
    params: dict[str, Any],
    workers: int,
    progress: Progress,
) -> TreeModel:
    """Trees from all rows that are learnt from. All workers return equal ones."""
    setting = Setting(study.features, study.regression, study.seed)
    learned = study.split.sets[0]
    estimator: Boosted = families.build("xgboost", params, setting)[-1]
    preparation = unscaled(prepare(description, study.features, learned))
    mean = description.target(learned)[0]
    offset = None if not study.regression else mean if needs_double(study, description) else float(np.float32(mean))
    objective = regression_objective() if study.regression else binary_objective(mean)

    def batches(parts: Sequence[int]) -> Iterator[Batch]:
        for rows in prepared.chunks(PAGE):
            own = rows.take(np.isin(study.split.part_of(rows.draw), parts))
            if len(own):
                yield columns_of(preparation, own.x), own.y - (offset or 0.0)

    turns = turns_of(learned, description.rows(learned), workers, params["n_estimators"])
    with TemporaryDirectory(dir=prepared.path.parent) as folder:
        check_room(prepared, preparation.columns, free_bytes(folder))
        news = News(params["n_estimators"], progress)
        booster = boost({**estimator.settings(), **objective}, turns, batches, Path(folder), news)
    estimator.fitted(booster, 0.0 if study.regression else margin_of(mean), 1)
    if not study.regression:
        estimator.classes_ = np.array([0, 1])
    return TreeModel(preparation, estimator, offset)


def check_room(prepared: Prepared, columns: int, free: int) -> None:
    """Raises TrainerError where the bins of this worker's rows do not fit: XGBoost would abort the process."""
    rows = prepared.path.stat().st_size // (BYTES_PER_CELL * prepared.features + BYTES_PER_ROW)
    needed = rows * (BYTES_PER_CELL * columns + BYTES_PER_ROW)
    if needed > free:
        raise full_disk(f"has {free >> 20} MiB left, and the bins of {rows} rows may take {needed >> 20} MiB")


def free_bytes(folder: str) -> int:
    return shutil.disk_usage(folder).free


def columns_of(preparation: Preparation, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the trees see: imputed numbers and booleans, one column for each value of a category."""
    return np.ascontiguousarray(preparation.design(x)[:, :-1], np.float32)


def unscaled(preparation: Preparation) -> Preparation:
    """Nothing is scaled before trees (fit.families)."""
    columns = len(preparation.kinds)
    return replace(preparation, mean=(0.0,) * columns, scale=(1.0,) * columns)


def calibrate(
    study: Study, model: TreeModel, prepared: Prepared, peers: Peers, progress: Progress
) -> tuple[Method, Calibrator | None]:
    """Chosen and learnt on the rows that were kept for it."""
    if len(study.split.sets) < 2:
        return "none", None
    parts = study.split.sets[1]
    request = ScoreRequest(study.split, tuple(Judged(cast(Any, model), (part,)) for part in parts), None)
    summed = ask(request, prepared, peers)
    method, calibrator = choose_calibrator(study.methods, [cells_of(summed, index) for index in range(len(parts))])
    progress(f"calibration: {method}")
    return method, calibrator


def estimator_of(model: TreeModel, calibrator: Calibrator | None, setting: Setting, double: bool) -> Any:
    """A fitted estimator like those of fit.search."""
    step = fitted_preparation(model.preparation, setting, scale=False)
    pipeline = Pipeline([("prepare", step), ("model", model.estimator)])
    if setting.regression:
        return ShiftedModel(pipeline, model.offset or 0.0, double)
    return CalibratedModel(pipeline, calibrator) if calibrator else pipeline
