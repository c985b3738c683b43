"""What the operator reports in a RetrainSchedule's `status`. When all of it is lost, no run is started twice."""

from typing import Literal

from pydantic import Field

from heart_api.base import FrozenLenient
from heart_api.rules import list_map
from heart_api.status import ConditionStatus, DriftVerdict, Time, Version

Cause = Literal["Schedule", "Drift", "Performance"]
Phase = Literal["Requested", "Training", "RollingOut", "Succeeded", "Failed", "Missed"]


class RunStatus(FrozenLenient):
    """One training that this schedule asked for."""

    id: str = Field(description="Its identity; part of the training's trigger.")
    cause: Cause = Field(description="What asked for it.")
    time: Time = Field(description="The tick, or the look that found drift or a poor figure.")
    phase: Phase = Field(description="How far it is; Succeeded: its version serves, or has served.")
    requested_at: Time = Field(description="When the HeartModel was asked to train.")
    started_at: Time | None = Field(None, description="When its Job was created.")
    finished_at: Time | None = Field(None, description="When it ended.")
    job: str | None = Field(None, description="Name of the training Job.")
    version: Version | None = Field(None, description="The version that it registered.")
    gate: str | None = Field(None, description="What the gate said of it.")
    rollout: str | None = Field(None, description="What became of it then.")
    message: str = Field("", description="What it waits for, or why it ended so.")


class FeatureFinding(FrozenLenient):
    """One input column, live against training."""

    name: str = Field(description="The feature.")
    statistic: Literal["ks", "chi2", "missing"] = Field(
        description="The distance that is largest: ks (numbers), chi2 (categories), missing (share without a value)."
    )
    value: float = Field(description="That distance, 0 to 1: the largest difference of a share.")
    p_value: float = Field(description="How often chance alone gives as much, all tests of the feature together.")
    drifted: bool = Field(description="More than chance, and large enough to matter.")
    confirmed: bool = Field(False, description="The window before shows the same.")


class DriftStatus(FrozenLenient):
    """The newest look at the inputs."""

    time: Time = Field(description="End of the window.")
    version: Version = Field(description="The version whose training the predictions were compared with.")
    verdict: DriftVerdict = Field(description="What follows; Unconfirmed: only the newer of the two windows shows it.")
    share: float | None = Field(None, description="Share of drifted features.")
    samples: int = Field(description="Predictions in the window.")
    samples_before: int = Field(0, description="Predictions in the window before.")
    features: tuple[FeatureFinding, ...] = Field((), description="The drifted ones first.")
    omitted: int = Field(0, description="Features that are not listed here; the report has all.")
    report: str | None = Field(None, description="Where the report is.")
    message: str = Field("", description="The finding in words.")


class PerformanceStatus(FrozenLenient):
    """The newest look at a figure of quality."""

    time: Time = Field(description="End of the window.")
    version: Version = Field(description="The version that answered.")
    verdict: Literal["Acceptable", "Below", "Uncertain", "InsufficientSamples"] = Field(
        description="Below: the whole interval is below the bound; Uncertain: only the figure is."
    )
    metric: str = Field(description="The figure.")
    source: Literal["Feedback", "Estimated"] = Field(description="True outcomes, or an estimate.")
    value: float | None = Field(None, description="Its value.")
    low: float | None = Field(None, description="Lower end of its 95 % interval.")
    high: float | None = Field(None, description="Upper end.")
    samples: int = Field(description="Predictions (Feedback: those with an outcome).")
    message: str = Field("", description="The finding in words.")


class DataRun(FrozenLenient):
    """A run that drift or performance asked for: cooldown and weekly budget count it."""

    id: str = Field(description="Identity of the run.")
    time: Time = Field(description="When it was asked for.")


class RetrainScheduleStatus(FrozenLenient):
    """What the operator saw and did."""

    observed_generation: int | None = Field(None, description="The spec's generation that was acted on.")
    conditions: tuple[ConditionStatus, ...] = Field(
        (), description="The answers to what one asks of a schedule.", json_schema_extra=list_map("type")
    )
    last_schedule_time: Time | None = Field(None, description="The newest tick of `schedule` for which a run began.")
    next_schedule_time: Time | None = Field(None, description="The next tick of `schedule`.")
    last_check_time: Time | None = Field(None, description="The newest look.")
    next_check_time: Time | None = Field(None, description="The next look at drift and performance.")
    last_successful_time: Time | None = Field(None, description="When a run last ended with a version that serves.")
    overdue_since: Time | None = Field(None, description="A tick that no training has followed.")
    active: tuple[str, ...] = Field((), description="Jobs of the runs that have not ended.")
    runs: tuple[RunStatus, ...] = Field(
        (), description="What became of each run, newest first.", json_schema_extra=list_map("id")
    )
    data_runs: tuple[DataRun, ...] = Field(
        (), description="Runs that data asked for in the last seven days.", json_schema_extra=list_map("id")
    )
    last_drift: DriftStatus | None = None
    last_performance: PerformanceStatus | None = None
