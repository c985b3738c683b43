"""How a new version takes over: `spec.rollout`."""

from typing import Literal

from pydantic import ConfigDict, Field

from heart_api.base import POSITIVE, Duration, Frozen, ShortDuration
from heart_api.rules import rule, rules


class Pause(Frozen):
    """A wait; without a duration, until a person goes on."""

    duration: Duration | None = Field(
        None, description="How long; without it until `kubectl heart promote`.", json_schema_extra=POSITIVE
    )


class RolloutStep(Frozen):
    """One step of a canary: exactly one of the two."""

    model_config = ConfigDict(
        json_schema_extra=rules(rule("has(self.setWeight) != has(self.pause)", "set either setWeight or pause"))
    )

    set_weight: int | None = Field(None, ge=1, le=99, description="Percentage of the traffic for the candidate.")
    pause: Pause | None = Field(None, description="Wait while the analysis looks.")


class Mirror(Frozen):
    """Shadow traffic: the stable version's pods copy requests to the candidate and compare the answers."""

    percent: int = Field(0, ge=0, le=100, description="Percentage of the requests that is copied; 0: none.")


class Analysis(Frozen):
    """What a candidate has to show on traffic, looked at every interval."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "duration(self.maxLatencyP95) <= duration('10s')",
                "must not be longer than 10s: slower predictions are not told apart",
                ".maxLatencyP95",
            )
        )
    )

    interval: Duration = Field("30s", description="Time between two looks at the metrics.", json_schema_extra=POSITIVE)
    min_requests: int = Field(100, ge=1, le=1_000_000, description="Requests before anything is called good.")
    failure_limit: int = Field(2, ge=0, le=100, description="Bad looks in a row that are tolerated.")
    max_error_rate: float = Field(
        0.02, gt=0, le=1, description="Share of 5xx that is tolerated; where the stable version has more, that."
    )
    max_latency_p95: ShortDuration = Field(
        "500ms", alias="maxLatencyP95", description="Time within which 95 % of the predictions must be answered."
    )
    max_prediction_shift: float = Field(
        0.25, gt=0, le=10, description="Population stability index against the stable version's predictions."
    )
    on_inconclusive: Literal["Hold", "Promote", "Rollback"] = Field(
        "Hold", description="What to do at the end of a pause when there was too little traffic for a verdict."
    )


DEFAULT_STEPS = (
    RolloutStep(set_weight=10),
    RolloutStep(pause=Pause(duration="5m")),
    RolloutStep(set_weight=50),
    RolloutStep(pause=Pause(duration="5m")),
)


class Rollout(Frozen):
    """How a new version takes over."""

    steps: tuple[RolloutStep, ...] = Field(
        DEFAULT_STEPS,
        max_length=32,
        description="Canary, step by step; an empty list: all traffic at once, as soon as its pods are ready.",
    )
    mirror: Mirror = Field(default=Mirror(), description="Shadow traffic while a candidate waits.")
    analysis: Analysis = Field(default=Analysis(), description="What a candidate has to show on traffic.")
    ready_deadline: Duration = Field(
        "60s", description="A candidate that is not ready by then is rejected.", json_schema_extra=POSITIVE
    )
    progress_deadline: Duration = Field(
        "30m",
        description="A rollout that takes longer is rejected; pauses, holds and approvals do not count.",
        json_schema_extra=POSITIVE,
    )
    rollback_window: Duration = Field("1h", description="How long the previous version stays warm.")
    history_limit: int = Field(10, ge=1, le=100, description="Entries kept in status.history and status.rejected.")
