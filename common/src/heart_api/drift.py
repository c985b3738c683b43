"""What the operator and a check Job hand to each other.

operator ──CheckRequest──► Job (reads prediction log and registry) ──CheckOutcome (termination message)──► operator
                            └─► MLflow: drift_report.html
"""

from typing import Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.contract import Feature
from heart_api.driftstatus import DriftStatus
from heart_api.evaluation import ServingReference
from heart_api.retrainschedule import DriftCheck, PerformanceCheck
from heart_api.schedulestatus import PerformanceStatus
from heart_api.statustypes import Time

CHECK_REQUEST = "HEARTOPS_CHECK_REQUEST"
"""Environment variable with the CheckRequest as JSON."""
REPORT_PATH = "drift_report.html"
"""Run artifact."""

CheckFailureReason = Literal[
    "LogUnavailable", "ReferenceUnreadable", "RegistryUnavailable", "CheckFailed", "CheckInterrupted"
]


class CheckRequest(FrozenLenient):
    """Input of a check Job; at least one of `drift` and `performance` is set."""

    namespace: str
    name: str = Field(description="The HeartModel.")
    schedule: str = Field("", description="The RetrainSchedule that requested the check; empty: a person did.")
    registry_name: str
    serving: ServingReference
    features: tuple[Feature, ...] = Field(
        description="The data contract: units, bounds and descriptions for the report."
    )
    until: Time = Field(description="End of the window: the scheduled time of the check.")
    where: dict[str, str] | None = Field(None, description="Labels of the logged predictions that are checked.")
    job: str = ""
    drift: DriftCheck | None = None
    performance: PerformanceCheck | None = None


class CheckResult(FrozenLenient):
    """Result of a check, as written to the status."""

    drift: DriftStatus | None = None
    performance: PerformanceStatus | None = None


class CheckFailure(FrozenLenient):
    """A failed check; `message` says what happened and what to do next."""

    reason: CheckFailureReason
    message: str = Field(max_length=3000)


class CheckOutcome(FrozenLenient):
    """The termination message (JSON, at most 4096 bytes): exactly one of `result` and `failure`."""

    result: CheckResult | None = None
    failure: CheckFailure | None = None
