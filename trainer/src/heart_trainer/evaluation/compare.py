"""Serving version and candidate, paired on all the candidate's rows; neither is judged on a row that it has learnt."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_api.evaluation import Comparison, Difference, OutOfFold, ServingReference
from heart_api.package import ServingPackage
from heart_trainer.evaluation.bootstrap import Sample, draw
from heart_trainer.evaluation.metrics import Array, point
from heart_trainer.evaluation.weighted import weighted
from heart_trainer.values import Floats, OutOfFoldResult, Table

Run = Callable[[bytes, NDArray[np.float32]], Floats]
"""`run_onnx`: model bytes and [rows, features] → [rows, classes] or [rows, 1]."""


class NotComparable(Exception):
    """Why the two cannot be held against each other, for a person."""


@dataclass(frozen=True)
class ServingModel:
    """The version that serves: its file, the package inside, its out-of-fold predictions; all digests were checked."""

    reference: ServingReference
    onnx: bytes
    package: ServingPackage
    oof: OutOfFold


def out_of_fold(table: Table, oof: OutOfFoldResult) -> OutOfFold:
    """What the next candidate's training will need of this one.

    A row that was learnt but never judged (holdout) has an empty prediction: nothing honest can be said of it.
    """
    predictions = {key: tuple(map(float, row)) for key, row in zip(table.keys, oof.output, strict=True)}
    predictions |= {key: () for key, judged in zip(table.keys, oof.judged, strict=True) if not judged}
    return OutOfFold(task=table.task, predictions=predictions)


def compare(
    table: Table,
    features: tuple[Feature, ...],
    oof: OutOfFoldResult,
    serving: ServingModel,
    run: Run,
    seed: int,
) -> Comparison:
    """Candidate minus serving version with paired 95% intervals. Raises NotComparable."""
    _same_question(table, serving)
    known = [serving.oof.predictions.get(key) for key in table.keys]
    unseen = np.array([prediction is None and serving.oof.complete for prediction in known])
    output = np.full(oof.output.shape, np.nan)
    for row, prediction in enumerate(known):
        if prediction:
            output[row] = prediction
    if unseen.any():
        output[unseen] = run(serving.onnx, table.x[unseen][:, _columns(features, serving.package.features)])
    both = oof.judged & np.isfinite(output).all(axis=1)
    if both.sum() < 2:
        raise NotComparable("no row has an honest prediction of both versions")
    metrics = _paired(_sample(table, oof.output, both), _sample(table, output, both), seed)
    return Comparison(against=serving.reference, metrics=metrics, rows_unseen_by_serving=int((unseen & both).sum()))


def _same_question(table: Table, serving: ServingModel) -> None:
    package = serving.package
    if package.task != table.task or package.classes != table.classes:
        raise NotComparable("it answers another question (task or classes differ)")


def _columns(features: tuple[Feature, ...], wanted: tuple[Feature, ...]) -> list[int]:
    """Where the serving version's inputs are among the candidate's columns."""
    places = {_encoding(feature): index for index, feature in enumerate(features)}
    absent = [feature.name for feature in wanted if _encoding(feature) not in places]
    if absent:
        raise NotComparable(f"it needs {', '.join(absent)} as in its own data contract, which has changed since")
    return [places[_encoding(feature)] for feature in wanted]


def _encoding(feature: Feature) -> tuple[object, ...]:
    return feature.name, feature.type, feature.values


def _sample(table: Table, output: Array, rows: NDArray[np.bool_]) -> Sample:
    return Sample(table.task, table.y, output, table.groups).take(rows)


def _paired(candidate: Sample, stable: Sample, seed: int) -> dict[str, Difference]:
    ours = point(candidate.task, candidate.y, candidate.output)
    theirs = point(stable.task, stable.y, stable.output)
    batches = [
        [weighted(sample.task, sample.y, sample.output, weights) for sample in (candidate, stable)]
        for weights in draw(candidate, seed)
    ]
    found = {}
    for name in (name for name in ours if name in theirs):
        apart = np.concatenate([a[name] - b[name] for a, b in batches])
        apart = apart[np.isfinite(apart)]
        if len(apart):
            found[name] = _difference(candidate, ours[name], theirs[name], apart)
    return found


def _difference(sample: Sample, ours: float, theirs: float, replicates: Array) -> Difference:
    low, high = (float(q) for q in np.quantile(replicates, (0.025, 0.975)))
    return Difference(
        n=sample.n,
        events=sample.events,
        candidate=ours,
        serving=theirs,
        difference=ours - theirs,
        low=min(low, ours - theirs),
        high=max(high, ours - theirs),
    )
