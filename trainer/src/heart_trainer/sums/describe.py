"""What one exchange or two say about every column: ranges, moments, histograms; and how a model's input is prepared.

Medians come from bins: exact for values rounded to 1, 0.1 or 0.01 if fewer than 2,048 of them are possible between the
least and the greatest, else to a 2,048th of the range. Means and variances after imputation come from moments about the
middle of the range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_trainer.sums.additive import Field, Schema, StatisticRejected, Sums
from heart_trainer.sums.bins import COARSE, GRIDS, Axis, axis_of, coarse_code, on_grids, span
from heart_trainer.sums.rows import Rows
from heart_trainer.sums.split import Parts, Split

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
NUMBERS = ("number", "integer")


@dataclass(frozen=True)
class RangeRequest:
    """Coarse histograms of every column and, as the last one, of the target."""

    features: tuple[Feature, ...]

    def schema(self) -> Schema:
        columns = len(self.features) + 1
        return (Field("coarse", "count", (columns, COARSE)), Field("grids", "count", (columns, len(GRIDS))))

    def collect(self, rows: Rows) -> Sums:
        columns = [*rows.x.T, rows.y.astype(np.float32)]
        known = [column[~np.isnan(column)] for column in columns]
        coarse = np.array([np.bincount(coarse_code(values), minlength=COARSE) for values in known], "<i8")
        grids = np.array([on_grids(values) for values in known], "<i8")
        return Sums(self.schema(), {"coarse": coarse, "grids": grids})


def axes_of(request: RangeRequest, summed: Sums) -> tuple[Axis, ...]:
    """The fine bins of each feature and of the target."""
    coarse, grids = summed["coarse"], summed["grids"]
    found = [_feature_axis(feature, coarse[i], grids[i]) for i, feature in enumerate(request.features)]
    return (*found, axis_of(coarse[-1], grids[-1], None, None))


def _feature_axis(feature: Feature, coarse: Integers, grids: Integers) -> Axis:
    if feature.type in NUMBERS:
        return axis_of(coarse, grids, feature.minimum, feature.maximum)
    return span(0, (len(feature.values or ()) or 2) - 1, GRIDS[:1])


@dataclass(frozen=True)
class DescribeRequest:
    """Moments and histograms of every column by part; `axes` are the features' and, as the last one, the target's."""

    features: tuple[Feature, ...]
    axes: tuple[Axis, ...]
    split: Split

    @property
    def bins(self) -> int:
        return max(axis.bins for axis in self.axes)

    def schema(self) -> Schema:
        by_column = (self.split.parts, len(self.axes))
        return (
            Field("rows", "count", (self.split.parts,)),
            Field("present", "count", by_column),
            Field("sum", "sum", by_column),
            Field("square", "square", by_column),
            Field("histogram", "count", (*by_column, self.bins)),
        )

    def collect(self, rows: Rows) -> Sums:
        part = self.split.part_of(rows.draw)
        found = {field.name: np.zeros(field.shape, field.dtype) for field in self.schema()}
        found["rows"] += np.bincount(part, minlength=self.split.parts)
        for index, axis in enumerate(self.axes):
            column = rows.y if index == len(self.features) else rows.x[:, index]
            known = ~np.isnan(column)
            _add_column(found, index, axis, part[known], column[known].astype(np.float64))
        return Sums(self.schema(), found)


def _add_column(found: dict[str, NDArray[np.generic]], index: int, axis: Axis, part: Integers, values: Floats) -> None:
    parts, _, bins = found["histogram"].shape
    away = values - axis.centre
    found["present"][:, index] = np.bincount(part, minlength=parts)
    found["sum"][:, index] = np.bincount(part, away, parts)
    found["square"][:, index] = np.bincount(part, away**2, parts)
    counts = np.bincount(part * bins + axis.place(values), minlength=parts * bins)
    found["histogram"][:, index] = counts.reshape(parts, bins)


@dataclass(frozen=True)
class Description:
    """The answer to a DescribeRequest, by part. Raises StatisticRejected where its numbers contradict each other."""

    request: DescribeRequest
    summed: Sums

    def __post_init__(self) -> None:
        present, histogram = self.summed["present"], self.summed["histogram"]
        if (histogram.sum(axis=2) != present).any():
            raise StatisticRejected("histogram: does not add up to the values that are present")
        if (present > self.summed["rows"][:, None]).any():
            raise StatisticRejected("present: more values than rows")

    def rows(self, parts: Parts | None = None) -> int:
        return int(self.summed["rows"][self._parts(parts)].sum())

    def target(self, parts: Parts) -> tuple[float, float]:
        """(mean, variance) of the target."""
        mean, square = self._moments(-1, parts, None)
        return mean + self.request.axes[-1].centre, square

    def histogram(self, column: int, parts: Parts | None = None) -> Integers:
        """[bins of the column]"""
        counts = self.summed["histogram"][self._parts(parts), column].sum(axis=0)
        return np.asarray(counts[: self.request.axes[column].bins])

    def present(self, column: int, parts: Parts | None = None) -> int:
        return int(self.summed["present"][self._parts(parts), column].sum())

    def fill(self, column: int, parts: Parts) -> float:
        """Median of a number, most frequent value of a boolean or category; 0 for a column without values."""
        counts, axis = self.histogram(column, parts), self.request.axes[column]
        if not counts.any():
            return 0.0
        if self.request.features[column].type in NUMBERS:
            return float(axis.quantiles(counts, np.array([0.5]))[0])
        return float(np.argmax(counts))

    def scaling(self, column: int, parts: Parts) -> tuple[float, float]:
        """(mean, standard deviation) once missing values are filled; a constant column gets 1."""
        mean, variance = self._moments(column, parts, self.fill(column, parts))
        rows, centre = self.rows(parts), self.request.axes[column].centre
        noise = np.finfo(np.float64).eps * rows
        constant = variance <= noise * variance + (noise * (mean + centre)) ** 2
        return mean + centre, 1.0 if constant else float(np.sqrt(variance))

    def _moments(self, column: int, parts: Parts, fill: float | None) -> tuple[float, float]:
        """(mean, variance) about the axis's centre; `fill` stands for the missing values."""
        chosen = self._parts(parts)
        rows, present = self.rows(parts), self.present(column, parts)
        away = 0.0 if fill is None else fill - self.request.axes[column].centre
        weight = max(rows if fill is not None else present, 1)
        absent = rows - present if fill is not None else 0
        mean = (self.summed["sum"][chosen, column].sum() + absent * away) / weight
        square = (self.summed["square"][chosen, column].sum() + absent * away**2) / weight
        return float(mean), max(float(square - mean**2), 0.0)

    def _parts(self, parts: Parts | None) -> list[int]:
        return list(range(self.request.split.parts) if parts is None else parts)


@dataclass(frozen=True)
class Preparation:
    """Imputation, scaling and one-hot columns, as families.prepare orders them: numbers, booleans, categories."""

    kinds: tuple[str, ...]
    """Type of each feature."""
    sizes: tuple[int, ...]
    """Number of values of each category, 0 for other features."""
    fills: tuple[float, ...]
    mean: tuple[float, ...]
    """Of the numbers, in order; 0 for other features."""
    scale: tuple[float, ...]

    @cached_property
    def columns(self) -> int:
        return sum(size or 1 for size in self.sizes)

    def of_kind(self, *kinds: str) -> list[int]:
        return [index for index, kind in enumerate(self.kinds) if kind in kinds]

    def design(self, x: NDArray[np.float32]) -> Floats:
        """[rows, columns + 1]; the last column is 1, for the intercept."""
        filled = np.where(np.isnan(x), np.array(self.fills), x)
        numbers, booleans = self.of_kind(*NUMBERS), self.of_kind("boolean")
        scaled = (filled[:, numbers] - np.array(self.mean)[numbers]) / np.array(self.scale)[numbers]
        codes = [filled[:, [i]] == np.arange(self.sizes[i]) for i in self.of_kind("category")]
        return np.hstack([scaled, filled[:, booleans], *codes, np.ones((len(x), 1))])


def prepare(description: Description, features: Sequence[Feature], parts: Parts) -> Preparation:
    """What scikit-learn's imputers and scaler would learn from the rows of these parts."""
    numbers = [feature.type in NUMBERS for feature in features]
    scaling = [description.scaling(i, parts) if number else (0.0, 1.0) for i, number in enumerate(numbers)]
    return Preparation(
        tuple(feature.type for feature in features),
        tuple(len(feature.values or ()) for feature in features),
        tuple(description.fill(index, parts) for index in range(len(features))),
        tuple(mean for mean, _ in scaling),
        tuple(scale for _, scale in scaling),
    )
