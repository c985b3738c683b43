"""How models answer rows that they did not learn from, counted in cells instead of row by row.

A cell of a classifier is a true class and a bin of the probability, with its rows and the sum of their probabilities:
as good as that many rows at the cell's mean. A cell of a regression is a bin of the target and a bin of the error, with
the sums that rmse, mae and r2 are made of.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heart_api.evaluation import Task
from heart_trainer.sums.additive import Field, Schema, StatisticRejected, Sums
from heart_trainer.sums.bins import SCORES, score_bin
from heart_trainer.sums.linear import Floats, LinearModel
from heart_trainer.sums.rows import Rows, shares
from heart_trainer.sums.split import Parts, Split
from heart_trainer.sums.union import ForestModel

Integers = NDArray[np.int64]
TARGETS, ERRORS = 40, 200
"""Bins of a regression's target and of its error."""
ERROR_SUMS = ("absolute", "squared", "target", "target_squared")


@dataclass(frozen=True)
class Judged:
    """A model, and the rows that it is judged on: those of the parts whose `shares` are below `bound`."""

    model: LinearModel | ForestModel
    parts: Parts
    bound: float = 1.0

    def rows_of(self, rows: Rows, part: Integers) -> NDArray[np.bool_]:
        inside = np.isin(part, self.parts)
        return inside & (shares(rows.draw) < self.bound) if self.bound < 1 else inside


@dataclass(frozen=True)
class Scale:
    """Bins of a regression's target and error: both in standard deviations of the target about its mean."""

    mean: float
    deviation: float

    def cells(self, y: Floats, output: Floats) -> Integers:
        target = self._bin((y - self.mean) / self.deviation, TARGETS, 3)
        error = self._bin((output - y) / self.deviation, ERRORS, 2)
        return target * ERRORS + error

    @staticmethod
    def _bin(values: Floats, bins: int, reach: float) -> Integers:
        return np.clip((values + reach) * bins / (2 * reach), 0, bins - 1).astype(np.int64)


@dataclass(frozen=True)
class ScoreRequest:
    """Tables of several models, each on rows of its own."""

    split: Split
    judged: tuple[Judged, ...]
    scale: Scale | None = None
    """Of a regression; None for a classifier."""

    def schema(self) -> Schema:
        return table_schema(len(self.judged), self.scale is not None)

    def collect(self, rows: Rows) -> Sums:
        rows = rows.below(max(judged.bound for judged in self.judged))  # few of many in a search
        part = self.split.part_of(rows.draw)
        places = {(judged.parts, judged.bound): judged for judged in self.judged}
        owned = {place: rows.take(judged.rows_of(rows, part)) for place, judged in places.items()}
        tables = []
        for judged in self.judged:
            own = owned[judged.parts, judged.bound]
            tables.append(count_cells(own.y, judged.model.answers(own.x), self.scale))
        return stack(tables, self.scale is not None)


def table_schema(tables: int, regression: bool) -> Schema:
    if not regression:
        shape = (tables, 2, SCORES)
        return Field("rows", "count", shape), Field("probability", "square", shape)
    cells = (tables, TARGETS * ERRORS)
    kinds = {"target": "sum"}
    return Field("rows", "count", cells), *(Field(name, kinds.get(name, "square"), cells) for name in ERROR_SUMS)  # type: ignore[arg-type]


Table = dict[str, NDArray[np.generic]]


def count_cells(y: Floats, output: Floats, scale: Scale | None) -> Table:
    """One table of rows with these outcomes and answers."""
    if scale is None:
        cell = y.astype(np.int64) * SCORES + score_bin(output)
        rows, sums = _sums(cell, 2 * SCORES, {"probability": output})
        return {"rows": rows.reshape(2, SCORES), "probability": sums["probability"].reshape(2, SCORES)}
    error, away = np.abs(output - y), y - scale.mean
    weights = {"absolute": error, "squared": error**2, "target": away, "target_squared": away**2}
    rows, sums = _sums(scale.cells(y, output), TARGETS * ERRORS, weights)
    return {"rows": rows, **sums}


def _sums(cell: Integers, cells: int, weights: dict[str, Floats]) -> tuple[Integers, dict[str, Floats]]:
    return np.bincount(cell, minlength=cells), {
        name: np.bincount(cell, w, cells).astype(np.float64)
        for name, w in weights.items()  # int if there is no row
    }


def stack(tables: list[Table], regression: bool) -> Sums:
    values = {name: np.array([table[name] for table in tables]) for name in tables[0]}
    return Sums(table_schema(len(tables), regression), values)


@dataclass(frozen=True)
class Cells:
    """Filled cells of a classifier as weighted rows: `y` [cells] 0/1, `output` [cells, 2], `weight` rows of each."""

    y: Integers
    output: Floats
    weight: Integers

    @property
    def task(self) -> Task:
        return "binary"

    @cached_property
    def n(self) -> int:
        return int(self.weight.sum())

    @property
    def events(self) -> int | None:
        """Rows of the rarer class."""
        return int(np.bincount(self.y, self.weight, 2).min())

    def take(self, mask: NDArray[np.bool_]) -> "Cells":
        return Cells(self.y[mask], self.output[mask], self.weight[mask])


@dataclass(frozen=True)
class ErrorCells:
    """Filled cells of a regression: `means` of ERROR_SUMS by cell, of the target about its overall mean."""

    means: dict[str, Floats]
    weight: Integers

    @property
    def y(self) -> Integers:
        return np.zeros(len(self.weight), np.int64)

    @property
    def output(self) -> Floats:
        return np.zeros((len(self.weight), 1))

    def take(self, mask: NDArray[np.bool_]) -> "ErrorCells":
        return ErrorCells({name: values[mask] for name, values in self.means.items()}, self.weight[mask])

    @property
    def task(self) -> Task:
        return "regression"

    @cached_property
    def n(self) -> int:
        return int(self.weight.sum())

    @property
    def events(self) -> int | None:
        return None


def cells_of(summed: Sums, table: int) -> Cells:
    """Raises StatisticRejected where a cell's probabilities cannot be those of its bin."""
    return _cells(summed["rows"][table], summed["probability"][table])


def _cells(rows: Integers, probability: Floats) -> Cells:
    y, place = np.nonzero(rows)
    weight = rows[y, place]
    mean = probability[y, place] / weight
    # Rounding may carry the mean of equal numbers over the end of their bin, not farther.
    if (np.abs(score_bin(np.clip(mean, 0, 1)) - place) > 1).any() or (mean > 1 + 1e-9).any():
        raise StatisticRejected("probability: does not fit the bins that the rows were counted in")
    mean = np.clip(mean, 0, 1)
    return Cells(y, np.column_stack([1 - mean, mean]), weight)


def error_cells_of(summed: Sums, table: int) -> ErrorCells:
    rows = summed["rows"][table]
    filled = np.flatnonzero(rows)
    return ErrorCells({name: summed[name][table][filled] / rows[filled] for name in ERROR_SUMS}, rows[filled])


def joined(summed: Sums, tables: list[int]) -> Sums:
    """Several tables as one."""
    regression = "absolute" in summed.values
    values = {name: value[tables].sum(axis=0, keepdims=True) for name, value in summed.values.items()}
    return Sums(table_schema(1, regression), values)
