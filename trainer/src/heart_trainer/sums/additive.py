"""Arrays that add up: the only thing that leaves whoever holds the rows.

Addition is commutative and has an identity (`zero`). For counts it is associative exactly, for sums up to the rounding
of float64. A holder of rows may be wrong or lie, so every array is checked when it is made and after each addition:
shape, type, finite, counts and squares not negative, counts below 2**53.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["count", "sum", "square"]
GREATEST_COUNT = 2**53
"""Counts from here on would lose their last digit where they meet float64."""
DTYPES: dict[Kind, str] = {"count": "<i8", "sum": "<f8", "square": "<f8"}


class StatisticRejected(Exception):
    """A statistic that cannot be what was requested; the message names it and what is wrong."""


@dataclass(frozen=True)
class Field:
    """One array of a statistic. `count`: int64, not negative; `sum`: float64; `square`: float64, not negative."""

    name: str
    kind: Kind
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(DTYPES[self.kind])

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


Schema = tuple[Field, ...]


@dataclass(frozen=True)
class Sums:
    """The arrays of a schema. Raises StatisticRejected when made from anything else."""

    schema: Schema
    values: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        names = [field.name for field in self.schema]
        if sorted(names) != sorted(self.values):
            raise StatisticRejected(f"expected {', '.join(names)}, got {', '.join(sorted(self.values)) or 'nothing'}")
        for field in self.schema:
            _check(field, self.values[field.name])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.values[name]

    def __add__(self, other: "Sums") -> "Sums":
        if self.schema != other.schema:
            raise StatisticRejected("statistics of two different requests cannot be added")
        with np.errstate(over="ignore", invalid="ignore"):
            added = {name: value + other.values[name] for name, value in self.values.items()}
        return Sums(self.schema, added)


def zero(schema: Schema) -> Sums:
    """The statistic of no rows."""
    return Sums(schema, {field.name: np.zeros(field.shape, field.dtype) for field in schema})


def total(schema: Schema, parts: Iterable[Sums]) -> Sums:
    """All parts added in their order, which fixes the rounding."""
    return reduce(Sums.__add__, parts, zero(schema))


def _check(field: Field, value: object) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != field.dtype:
        found = value.dtype.str if isinstance(value, np.ndarray) else type(value).__name__
        raise StatisticRejected(f"{field.name}: expected {field.dtype.str}, got {found}")
    if value.shape != field.shape:
        raise StatisticRejected(f"{field.name}: expected shape {field.shape}, got {value.shape}")
    if field.kind != "count" and not np.isfinite(value).all():
        raise StatisticRejected(f"{field.name}: holds NaN or infinity")
    if field.kind != "sum" and (value < 0).any():
        raise StatisticRejected(f"{field.name}: holds a negative {field.kind}")
    if field.kind == "count" and (value >= GREATEST_COUNT).any():
        raise StatisticRejected(f"{field.name}: holds a count of 2**53 or more")
