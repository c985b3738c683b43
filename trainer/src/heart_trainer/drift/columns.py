"""The columns of a window of logged predictions, in the terms of the reference profile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from heart_api.contract import FeatureType
from heart_api.referenceprofile import FeatureProfile
from heart_trainer.evaluation.metrics import Array

BOOLEANS = {"0": "false", "1": "true"}


class Logged(Protocol):
    """What a check reads of a logged prediction: feature values, and names of features that were redacted."""

    @property
    def features(self) -> Mapping[str, Any]: ...

    @property
    def redacted(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class Column:
    """One feature's live values; `numbers` or `counts`, as its type says."""

    rows: int
    """Rows in which it was not redacted."""
    missing: int
    numbers: Array
    counts: dict[str, int]

    @property
    def missing_share(self) -> float:
        return self.missing / self.rows if self.rows else 0.0


def read_column(rows: Sequence[Logged], profile: FeatureProfile) -> Column:
    values = [row.features.get(profile.name) for row in rows if profile.name not in row.redacted]
    known = [value for value in values if value is not None]
    numeric = profile.type in ("number", "integer")
    return Column(
        rows=len(values),
        missing=len(values) - len(known),
        numbers=as_numbers(known) if numeric else np.empty(0),
        counts={} if numeric else as_counts(known, profile.type),
    )


def as_numbers(values: Sequence[Any]) -> Array:
    """As exact as the model gets them; serving has let nothing but numbers through."""
    column = np.asarray([value for value in values if isinstance(value, int | float)], dtype=np.float32)
    return column.astype(np.float64)


def as_counts(values: Sequence[Any], type_: FeatureType) -> dict[str, int]:
    """Rows of each value, by the names that the profile uses."""
    named = [category(value) for value in values]
    names = [BOOLEANS.get(name, name) for name in named] if type_ == "boolean" else named
    return {str(name): int(count) for name, count in zip(*np.unique(names, return_counts=True), strict=True)}


def category(value: Any) -> str:
    """`true`, `3` and `low`; a whole number sent as 3.0 is the category 3."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
