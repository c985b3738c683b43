"""The distributions of a version's features and predictions in training, for comparison with live data."""

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.contract import FeatureType

PROFILE_PATH = "evaluation/reference_profile.json"
"""Run artifact with the ReferenceProfile; digest inside the Evaluation."""


class FeatureProfile(FrozenLenient):
    """The distribution of one column in training."""

    name: str
    type: FeatureType
    missing: float = Field(description="Share of rows without a value.")
    quantiles: tuple[float, ...] = Field((), description="Numbers: least, 1st to 99th percentile, greatest.")
    counts: dict[str, int] = Field({}, description="Categories and booleans: rows of each value of the contract.")


class ReferenceProfile(FrozenLenient):
    """`reference_profile.json`: what the live data and predictions are compared with to notice drift."""

    schema_version: int = 1
    rows: int
    features: tuple[FeatureProfile, ...]
    outputs: dict[str, tuple[float, ...]] = Field(
        description="Class (regression: `value`) → percentiles 0 to 100 of the out-of-fold predictions."
    )
