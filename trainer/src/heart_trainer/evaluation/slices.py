"""Groups of sensitive features: who the model serves less well."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature

FEWEST_ROWS = 10
"""A smaller group is left out: no figure of it would mean anything, and each of its people could be recognised."""
FEWEST_LEVELS = 5
"""A number with fewer distinct values is grouped by value."""


@dataclass(frozen=True)
class Group:
    feature: str
    name: str
    rows: NDArray[np.bool_]


def groups(features: tuple[Feature, ...], x: NDArray[np.float32]) -> tuple[Group, ...]:
    """The groups of every sensitive feature; `x` [rows, features] as `Feature` encodes it."""
    found = (
        Group(feature.name, name, np.asarray(rows))
        for index, feature in enumerate(features)
        if feature.sensitive
        for name, rows in _split(feature, x[:, index])
    )
    return tuple(group for group in found if group.rows.sum() >= FEWEST_ROWS)


def _split(feature: Feature, column: NDArray[np.float32]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    missing = np.isnan(column)
    known = column[~missing]
    if feature.type == "category":
        yield from ((str(value), column == index) for index, value in enumerate(feature.values or ()))
    elif feature.type == "boolean":
        yield from (("false", column == 0), ("true", column == 1))
    elif len(np.unique(known)) < FEWEST_LEVELS:
        yield from ((f"{value:g}", column == value) for value in np.unique(known))
    else:
        yield from _ranges(column, known)
    if missing.any():
        yield "missing", missing


def _ranges(column: NDArray[np.float32], known: NDArray[np.float32]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Quarters of the data, cut at numbers of two digits that people can read."""
    for name, low, high in ranges(np.quantile(known.astype(np.float64), (0.25, 0.5, 0.75))):
        yield name, (column >= low) & (column < high)


def ranges(quartiles: NDArray[np.float64]) -> Iterator[tuple[str, float, float]]:
    """(name, from, below) of each group of a number, cut at its quartiles to two digits."""
    cuts = sorted({float(f"{cut:.2g}") for cut in quartiles})
    for low, high in pairwise([-np.inf, *cuts, np.inf]):
        yield _range_name(low, high), low, high


def _range_name(low: float, high: float) -> str:
    if np.isinf(low):
        return f"under {high:g}"
    return f"{low:g} and over" if np.isinf(high) else f"[{low:g}, {high:g})"
