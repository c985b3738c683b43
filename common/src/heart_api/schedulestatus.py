"""The observed state of a RetrainSchedule: `status`. Losing it does not start a run twice."""

from typing import Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.driftstatus import DriftStatus
from heart_api.rules import list_map
from heart_api.status import ConditionStatus, JobRecord
from heart_api.statustypes import Time, Version

Cause = Literal["Schedule", "Drift", "Performance"]
Phase = Literal["Requested", "Training", "RollingOut", "Succeeded", "Failed", "Missed"]


class RunStatus(FrozenLenient):
    """A training run requested by this schedule."""

    id: str = Field(description="ID of the run; part of the training's trigger.")
    cause: Cause = Field(description="Cause of the run.")
    time: Time = Field(description="Scheduled time of the run, or time of the check that triggered it.")
    phase: Phase = Field(description="Phase of the run. Succeeded: its version is or was the serving version.")
    requested_at: Time = Field(description="Time at which the training was requested.")
    started_at: Time | None = Field(None, description="Time at which the training Job was created.")
    finished_at: Time | None = Field(None, description="Time at which the run finished.")
    job: str | None = Field(None, description="Name of the training Job.")
    version: Version | None = Field(None, description="Version registered by the run.")
    gate: str | None = Field(None, description="Result of the gates.")
    rollout: str | None = Field(None, description="Result of the rollout.")
    message: str = Field("", description="Human-readable description of the phase.")


class PerformanceStatus(FrozenLenient):
    """The latest performance check."""

    time: Time = Field(description="End of the window.")
    version: Version = Field(description="Version that served the predictions.")
    verdict: Literal["Acceptable", "Below", "Uncertain", "InsufficientSamples"] = Field(
        description="Verdict of the check. Below: the performance is below what is acceptable, and so is its whole"
        " confidence interval. Uncertain: only the estimate is."
    )
    metric: str = Field(description="Name of the metric.")
    source: Literal["Feedback", "Estimated"] = Field(description="Reported outcomes or an estimate.")
    value: float | None = Field(None, description="Estimate of the metric.")
    low: float | None = Field(None, description="Lower bound of the 95% confidence interval.")
    high: float | None = Field(None, description="Upper bound of the 95% confidence interval.")
    samples: int = Field(description="Number of predictions (Feedback: predictions with an outcome).")
    message: str = Field("", description="Human-readable result.")


class DataRun(FrozenLenient):
    """A run triggered by drift or performance; counts towards the cooldown and the weekly limit."""

    id: str = Field(description="ID of the run.")
    time: Time = Field(description="Time at which it was requested.")


class RetrainScheduleStatus(FrozenLenient):
    """Most recently observed status, written by the operator. Read-only."""

    observed_generation: int | None = Field(None, description="Generation of the spec last acted on.")
    conditions: tuple[ConditionStatus, ...] = Field(
        (), description="Conditions of the schedule.", json_schema_extra=list_map("type")
    )
    last_schedule_time: Time | None = Field(
        None, description="Last scheduled time of `schedule` for which a run was started."
    )
    next_schedule_time: Time | None = Field(None, description="Next scheduled time of `schedule`.")
    last_check_time: Time | None = Field(None, description="Scheduled time of the latest check.")
    next_check_time: Time | None = Field(None, description="Scheduled time of the next drift and performance check.")
    last_successful_time: Time | None = Field(None, description="Last time a run finished with its version serving.")
    overdue_since: Time | None = Field(None, description="Scheduled time that no training has followed yet.")
    active: tuple[str, ...] = Field((), description="Names of the training Jobs of active runs.")
    runs: tuple[RunStatus, ...] = Field((), description="Runs, latest first.", json_schema_extra=list_map("id"))
    data_runs: tuple[DataRun, ...] = Field(
        (),
        description="Runs triggered by drift or performance in the last seven days.",
        json_schema_extra=list_map("id"),
    )
    jobs: tuple[JobRecord, ...] | None = Field(
        None,
        description="Check Jobs that the operator created. Results of other Jobs are not believed.",
        json_schema_extra=list_map("name"),
    )
    last_drift: DriftStatus | None = None
    last_performance: PerformanceStatus | None = None
