"""Groups of sensitive features as rules that any holder of rows can apply: evaluation.slices without the rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_trainer.evaluation.slices import FEWEST_LEVELS, ranges
from heart_trainer.sums.describe import NUMBERS, Description


@dataclass(frozen=True)
class Rule:
    """Rows whose value in `column` is at least `low` and below `high`; `missing`: rows without a value instead."""

    feature: str
    group: str
    column: int
    low: float = -np.inf
    high: float = np.inf
    missing: bool = False

    def applies(self, x: NDArray[np.float32]) -> NDArray[np.bool_]:
        values = x[:, self.column]
        return np.isnan(values) if self.missing else (values >= self.low) & (values < self.high)


def rules(description: Description, features: tuple[Feature, ...]) -> tuple[Rule, ...]:
    """The groups of every sensitive feature."""
    sensitive = ((index, feature) for index, feature in enumerate(features) if feature.sensitive)
    return tuple(rule for index, feature in sensitive for rule in _rules(description, index, feature))


def _rules(description: Description, column: int, feature: Feature) -> Iterator[Rule]:
    for name, low, high in _groups(description, column, feature):
        yield Rule(feature.name, name, column, low, high)
    if description.present(column) < description.rows():
        yield Rule(feature.name, "missing", column, missing=True)


def _groups(description: Description, column: int, feature: Feature) -> Iterator[tuple[str, float, float]]:
    """(name, from, below)"""
    counts, axis = description.histogram(column), description.request.axes[column]
    filled = np.flatnonzero(counts)
    if feature.type not in NUMBERS:
        names = feature.values or ("false", "true")
        yield from ((str(name), index - 0.5, index + 0.5) for index, name in enumerate(names))
    elif axis.exact and len(filled) < FEWEST_LEVELS:
        middles = axis.low + axis.width * (filled + 0.5)
        yield from ((f"{middle:g}", middle - axis.width / 2, middle + axis.width / 2) for middle in middles.tolist())
    elif len(filled):
        yield from ranges(axis.quantiles(counts, np.array([0.25, 0.5, 0.75])))
