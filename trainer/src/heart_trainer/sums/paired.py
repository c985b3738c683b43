"""Two models on the same rows: a histogram over both of their probabilities, by true class; of a regression over both
of their errors.

Differences are resampled in pairs. With a grid as coarse as this the two figures themselves are read off cells whose
means are known, so that they stay close to those of the full tables.
"""

from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from heart_api.contract import Feature
from heart_api.evaluation import Difference
from heart_trainer.sums.additive import Field, Schema, Sums
from heart_trainer.sums.bins import EDGES
from heart_trainer.sums.calibration import Model
from heart_trainer.sums.figures import point, replicate_by, resample
from heart_trainer.sums.linear import Floats
from heart_trainer.sums.rows import Rows
from heart_trainer.sums.scores import ERROR_SUMS, Cells, ErrorCells, Integers, Scale
from heart_trainer.sums.split import HELD, Split

GRID_EDGES = np.unique(np.concatenate([EDGES[::6], [0.5]]))
GRID = len(GRID_EDGES)
ERROR_GRID, ERROR_REACH = 60, 2.0
"""Bins of a regression's error, and how many standard deviations of the target they reach."""
WHO = ("candidate", "serving")


@dataclass(frozen=True)
class PairedRequest:
    """`candidates`: of the folds, as in an EvaluationRequest; `serving`: as many, or one that learnt from no row."""

    split: Split
    candidates: tuple[Model, ...]
    serving: tuple[Model, ...]
    scale: Scale | None = None
    """Of a regression; None for a classifier."""

    def schema(self) -> Schema:
        if self.scale is not None:
            cells = (ERROR_GRID, ERROR_GRID)
            squares = (*(f"{who}_{what}" for who in WHO for what in ("absolute", "squared")), "target_squared")
            fields = (Field(name, "square", cells) for name in squares)
            return Field("rows", "count", cells), Field("target", "sum", cells), *fields
        shape = (2, GRID, GRID)
        return Field("rows", "count", shape), Field("candidate", "square", shape), Field("serving", "square", shape)

    def collect(self, rows: Rows) -> Sums:
        fold = self.split.fold_of(self.split.part_of(rows.draw))
        rows, fold = rows.take(fold != HELD), fold[fold != HELD]
        folds = len(self.candidates)
        theirs = self.serving if len(self.serving) == folds else self.serving[:1] * folds
        candidate, serving = (_by_fold(models, rows, fold) for models in (self.candidates, theirs))
        if self.scale is not None:
            return count_error_pairs(self.schema(), rows.y, candidate, serving, self.scale)
        return count_pairs(self.schema(), rows.y.astype(np.int64), candidate, serving)


def _by_fold(models: tuple[Model, ...], rows: Rows, fold: Integers) -> Floats:
    """[rows]: the answer of the model of each row's fold."""
    found = np.zeros(len(rows))
    for number, model in enumerate(models):
        found[fold == number] = model.answers(rows.x[fold == number])
    return found


@dataclass(frozen=True)
class FoldModels:
    """What a later version needs to be compared with this one on rows that neither had learnt.

    `folds_key`: of the hash that deals rows to the parts of `split`.
    """

    split: Split
    folds_key: str
    features: tuple[Feature, ...]
    models: tuple[Model, ...]

    def dump(self) -> str:
        return TypeAdapter(FoldModels).dump_json(self).decode()

    @staticmethod
    def read(text: str) -> "FoldModels":
        """Raises ValueError."""
        found: FoldModels = TypeAdapter(FoldModels).validate_json(text)
        return found


def count_pairs(schema: Schema, y: Integers, candidate: Floats, serving: Floats) -> Sums:
    """`candidate`, `serving`: [rows] probabilities of class 1."""
    cell = (y * GRID + _place(candidate)) * GRID + _place(serving)
    size, shape = 2 * GRID * GRID, (2, GRID, GRID)
    sums = {name: np.bincount(cell, w, size) for name, w in (("candidate", candidate), ("serving", serving))}
    values = {name: value.astype(np.float64).reshape(shape) for name, value in sums.items()}  # int if there is no row
    return Sums(schema, {"rows": np.bincount(cell, minlength=size).reshape(shape), **values})


def count_error_pairs(schema: Schema, y: Floats, candidate: Floats, serving: Floats, scale: Scale) -> Sums:
    """`candidate`, `serving`: [rows] answers of two regressions."""
    errors = {"candidate": candidate - y, "serving": serving - y}
    place = [_error_place(errors[who] / scale.deviation) for who in WHO]
    cell, away = place[0] * ERROR_GRID + place[1], y - scale.mean
    weights = {"target": away, "target_squared": away**2}
    for who, error in errors.items():
        weights |= {f"{who}_absolute": np.abs(error), f"{who}_squared": error**2}
    shape, size = (ERROR_GRID, ERROR_GRID), ERROR_GRID**2
    sums = {name: np.bincount(cell, weight, size).astype(np.float64).reshape(shape) for name, weight in weights.items()}
    return Sums(schema, {"rows": np.bincount(cell, minlength=size).reshape(shape), **sums})


def _error_place(error: Floats) -> Integers:
    """Bins within two standard deviations of the target; what is beyond is in the outermost."""
    return np.clip((error + ERROR_REACH) * ERROR_GRID / (2 * ERROR_REACH), 0, ERROR_GRID - 1).astype(np.int64)


def _place(probability: Floats) -> Integers:
    return np.asarray(np.searchsorted(GRID_EDGES, probability, side="right") - 1)


def compare_tables(summed: Sums, seed: int) -> dict[str, Difference]:
    """Candidate minus serving version with paired 95% intervals, as evaluation.compare has them."""
    ours, theirs = _errors_of(summed) if "target" in summed.values else _probabilities_of(summed)
    weights = resample(ours, seed)
    one, other = (replicate_by(cells, weights) for cells in (ours, theirs))
    figures, reference = point(ours), point(theirs)
    return {
        name: difference
        for name in figures
        if name in reference
        and (difference := _difference(ours, figures[name], reference[name], one[name] - other[name]))
    }


def _probabilities_of(summed: Sums) -> tuple[Cells, Cells]:
    y, *place = np.nonzero(summed["rows"])
    weight = summed["rows"][y, place[0], place[1]]
    ours, theirs = (
        Cells(y, np.column_stack([1 - mean, mean]), weight)
        for mean in (summed[name][y, place[0], place[1]] / weight for name in WHO)
    )
    return ours, theirs


def _errors_of(summed: Sums) -> tuple[ErrorCells, ErrorCells]:
    filled = np.nonzero(summed["rows"])
    weight = summed["rows"][filled]
    mean = {name: summed[name][filled] / weight for name in summed.values if name != "rows"}
    ours, theirs = (
        ErrorCells({name: mean[name if name.startswith("target") else f"{who}_{name}"] for name in ERROR_SUMS}, weight)
        for who in WHO
    )
    return ours, theirs


def _difference(cells: Cells | ErrorCells, candidate: float, serving: float, replicates: Floats) -> Difference | None:
    defined = replicates[np.isfinite(replicates)]
    if not len(defined):
        return None
    low, high = (float(q) for q in np.quantile(defined, (0.025, 0.975)))
    apart = candidate - serving
    return Difference(
        n=cells.n,
        events=cells.events,
        candidate=candidate,
        serving=serving,
        difference=apart,
        low=min(low, apart),
        high=max(high, apart),
    )
