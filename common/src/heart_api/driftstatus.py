"""What a drift check found, in the status of whoever requested it."""

from typing import Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.statustypes import DriftVerdict, Time, Version


class FeatureFinding(FrozenLenient):
    """Drift of one feature: live data compared with training data."""

    name: str = Field(description="Name of the feature.")
    statistic: Literal["ks", "chi2", "missing"] = Field(
        description="Statistic with the largest distance: ks (numbers), chi2 (categories) or missing (share of"
        " missing values)."
    )
    value: float = Field(description="Distance between the distributions, from 0 to 1.")
    p_value: float = Field(description="p-value, adjusted for all tests of the feature.")
    drifted: bool = Field(description="True if the distance is significant and exceeds the minimum effect size.")
    confirmed: bool = Field(False, description="True if the preceding window drifted as well.")


class DriftStatus(FrozenLenient):
    """The latest drift check."""

    time: Time = Field(description="End of the window.")
    version: Version = Field(description="Version whose reference profile the live data were compared with.")
    verdict: DriftVerdict = Field(
        description="Verdict of the check. Unconfirmed: only the newer of the two windows drifted."
    )
    share: float | None = Field(None, description="Share of drifted features.")
    samples: int = Field(description="Number of predictions in the window.")
    samples_before: int = Field(0, description="Number of predictions in the preceding window.")
    features: tuple[FeatureFinding, ...] = Field((), description="Features, drifted ones first.")
    omitted: int = Field(0, description="Number of features omitted here; the report lists all of them.")
    report: str | None = Field(None, description="Location of the drift report.")
    message: str = Field("", description="Human-readable result.")
