"""Records that a client can send as they are: the version's reference rows, read back by the data contract.

Reference rows are made up in training (each column is shuffled by itself), so an example is nobody's record.
"""

from collections.abc import Sequence
from statistics import median_low, mode
from typing import Any

from heart_api.contract import Feature
from heart_api.package import ServingPackage

Encoded = Sequence[float | None]


def example_record(package: ServingPackage) -> dict[str, Any]:
    """A typical record of the training data; of a version that does not say, the middle of its reference rows."""
    if package.example:
        return dict(package.example)
    columns = zip(*package.reference.inputs, strict=True)
    return {
        feature.name: typical(feature, [value for value in column if value is not None])
        for feature, column in zip(package.features, columns, strict=True)
    }


def typical(feature: Feature, known: Sequence[float]) -> Any:
    """The median of numbers, the most frequent of other values."""
    if not known:
        return decoded(feature, 0.0)
    is_number = feature.type in ("number", "integer")
    return decoded(feature, median_low(known) if is_number else mode(known))


def example_records(package: ServingPackage) -> list[dict[str, Any]]:
    """One record per reference row, each valid by the contract: a required value is never missing."""
    columns = [
        decoded_column(feature, column)
        for feature, column in zip(package.features, zip(*package.reference.inputs, strict=True), strict=True)
    ]
    names = [feature.name for feature in package.features]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def decoded_column(feature: Feature, column: Encoded) -> list[Any]:
    """The values of one feature. Missing ones of a required feature are taken in turn from those that are known."""
    known = [decoded(feature, value) for value in column if value is not None]
    if not feature.required:
        return [None if value is None else decoded(feature, value) for value in column]
    filling = known or [decoded(feature, 0.0)]
    return [
        filling[number % len(filling)] if value is None else decoded(feature, value)
        for number, value in enumerate(column)
    ]


def decoded(feature: Feature, value: float) -> Any:
    """The inverse of the encoding that `Feature` describes, within the feature's bounds (float32 rounds)."""
    if feature.type == "boolean":
        return value >= 0.5
    if feature.type == "category":
        values = feature.values or ()
        return values[min(max(round(value), 0), len(values) - 1)]
    if feature.minimum is not None:
        value = max(value, feature.minimum)
    if feature.maximum is not None:
        value = min(value, feature.maximum)
    return round(value) if feature.type == "integer" else value
