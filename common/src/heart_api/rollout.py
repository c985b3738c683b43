"""How a new version is rolled out: `spec.rollout`."""

from typing import Literal

from pydantic import ConfigDict, Field

from heart_api.base import POSITIVE, Duration, Frozen, ShortDuration
from heart_api.experiment import Experiment
from heart_api.rules import rule, rules


class Pause(Frozen):
    """A pause of the rollout; without a duration it lasts until a user promotes the candidate."""

    duration: Duration | None = Field(
        None,
        description="Duration of the pause; if unset, the rollout pauses until `kubectl heart promote`.",
        json_schema_extra=POSITIVE,
    )


class RolloutStep(Frozen):
    """A step of the canary rollout: exactly one of setWeight and pause."""

    model_config = ConfigDict(
        json_schema_extra=rules(rule("has(self.setWeight) != has(self.pause)", "set either setWeight or pause"))
    )

    set_weight: int | None = Field(None, ge=1, le=99, description="Traffic weight of the candidate, in percent.")
    pause: Pause | None = Field(None, description="Pause the rollout while the analysis runs.")


class Mirror(Frozen):
    """Traffic mirroring: pods of the stable version copy requests to the candidate and compare the responses."""

    percent: int = Field(
        0,
        ge=0,
        le=100,
        description="Percentage of the requests that is mirrored to the candidate; 0 disables mirroring.",
    )


class Analysis(Frozen):
    """Canary analysis, run once per interval."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "duration(self.maxLatencyP95) <= duration('10s')",
                "must not be longer than 10s, the largest latency bucket",
                ".maxLatencyP95",
            )
        )
    )

    interval: Duration = Field("30s", description="Duration of an analysis interval.", json_schema_extra=POSITIVE)
    min_requests: int = Field(
        100, ge=1, le=1_000_000, description="Requests that the candidate must serve before the analysis can pass."
    )
    failure_limit: int = Field(
        2, ge=0, le=100, description="Consecutive failed analysis intervals tolerated before the candidate is rejected."
    )
    max_error_rate: float = Field(
        0.02,
        gt=0,
        le=1,
        description="Maximum share of 5xx responses; the stable version's error rate applies where it is higher.",
    )
    max_latency_p95: ShortDuration = Field(
        "500ms", alias="maxLatencyP95", description="Maximum 95th percentile of the prediction latency."
    )
    max_prediction_shift: float = Field(
        0.25,
        gt=0,
        le=10,
        description="Maximum population stability index between the candidate's and the stable version's predictions.",
    )
    on_inconclusive: Literal["Hold", "Promote", "Rollback"] = Field(
        "Hold",
        description="Action at the end of a pause if the analysis is inconclusive, for example for lack of traffic.",
    )


DEFAULT_STEPS = (
    RolloutStep(set_weight=10),
    RolloutStep(pause=Pause(duration="5m")),
    RolloutStep(set_weight=50),
    RolloutStep(pause=Pause(duration="5m")),
)


class Rollout(Frozen):
    """Strategy for rolling out a new version."""

    steps: tuple[RolloutStep, ...] = Field(
        DEFAULT_STEPS,
        max_length=32,
        description="Steps of the canary rollout; with an empty list the candidate receives all traffic as soon"
        " as its pods are ready.",
    )
    experiment: Experiment | None = Field(
        None,
        description="A/B experiment, in place of `steps` and `mirror`; a model's first version has none. The analysis"
        " runs beside it and ends it when the candidate fails.",
    )
    mirror: Mirror = Field(default=Mirror(), description="Traffic mirroring to the candidate.")
    analysis: Analysis = Field(default=Analysis(), description="Canary analysis of the candidate.")
    ready_deadline: Duration = Field(
        "60s",
        description="Time within which the candidate's first pods must become ready; otherwise it is rejected.",
        json_schema_extra=POSITIVE,
    )
    progress_deadline: Duration = Field(
        "30m",
        description="Time within which pods must become ready at each later step; pauses, holds and approvals"
        " do not count.",
        json_schema_extra=POSITIVE,
    )
    rollback_window: Duration = Field("1h", description="How long the previous version is kept warm after a promotion.")
    history_limit: int = Field(
        10, ge=1, le=100, description="Number of entries kept in status.history and status.rejected."
    )
