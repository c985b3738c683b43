"""A typical record, for documents: the median or the most frequent value of each column, so nobody's record."""

from collections.abc import Iterable

from heart_api.contract import CategoryValue, Feature
from heart_api.package import ExampleValue
from heart_api.referenceprofile import FeatureProfile

DIGITS = 6
"""Significant digits of a number: what float32 surely holds."""


def typical_record(features: Iterable[Feature], profiles: Iterable[FeatureProfile]) -> dict[str, ExampleValue]:
    """By feature name, valid by the contract. A feature without any known value is left out, unless it is required."""
    record = {}
    for feature, profile in zip(features, profiles, strict=True):
        value = typical_value(feature, profile)
        if value is not None:
            record[feature.name] = value
    return record


def typical_value(feature: Feature, profile: FeatureProfile) -> ExampleValue | None:
    if feature.type == "boolean":
        return profile.counts["true"] > profile.counts["false"]
    if feature.type == "category":
        return most_frequent(feature.values or (), profile)
    if not profile.quantiles:
        return (feature.minimum or 0.0) if feature.required else None
    return within(feature, float(f"{profile.quantiles[len(profile.quantiles) // 2]:.{DIGITS}g}"))


def most_frequent(values: tuple[CategoryValue, ...], profile: FeatureProfile) -> CategoryValue:
    return max(values, key=lambda value: profile.counts[str(value)])


def within(feature: Feature, value: float) -> float | int:
    """The value moved into the feature's bounds after rounding; an int for an integer feature."""
    if feature.minimum is not None:
        value = max(value, feature.minimum)
    if feature.maximum is not None:
        value = min(value, feature.maximum)
    return round(value) if feature.type == "integer" else value
