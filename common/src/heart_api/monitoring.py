"""How a model is watched: `spec.monitoring`."""

from pydantic import ConfigDict, Field

from heart_api.base import Frozen, ShortDuration
from heart_api.rules import rule, rules


class RateLimits(Frozen):
    """Shares of the replies."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.warning <= self.critical", "warning must not be greater than critical", ".warning")
        )
    )

    warning: float = Field(gt=0, le=1, description="Share above which to warn.")
    critical: float = Field(gt=0, le=1, description="Share above which to call somebody.")


class LatencyLimits(Frozen):
    """Lengths of time that a prediction may take."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "duration(self.warning) <= duration(self.critical)",
                "warning must not be longer than critical",
                ".warning",
            ),
            rule(
                "duration(self.critical) < duration('10s')",
                "must be shorter than 10s: slower predictions are not told apart",
                ".critical",
            ),
        )
    )

    warning: ShortDuration = Field(description="Time above which to warn.")
    critical: ShortDuration = Field(description="Time above which to call somebody.")


class FloorLimits(Frozen):
    """Least values of a figure."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.warning >= self.critical", "warning must not be less than critical", ".warning")
        )
    )

    warning: float = Field(gt=0, le=1, description="Value below which to warn.")
    critical: float = Field(gt=0, le=1, description="Value below which to call somebody.")


class Alerts(Frozen):
    """When to alert."""

    error_rate: RateLimits = Field(
        default=RateLimits(warning=0.02, critical=0.05), description="Share of 5xx among the replies of 5 minutes."
    )
    latency_p95: LatencyLimits = Field(
        default=LatencyLimits(warning="500ms", critical="1s"),
        alias="latencyP95",
        description="95th percentile of the time that a prediction takes.",
    )
    accuracy: FloorLimits = Field(
        default=FloorLimits(warning=0.75, critical=0.70),
        description="Share of right predictions by the outcomes sent to `/feedback`, its 95 % interval included.",
    )
    availability_objective: float = Field(
        0.999, ge=0.5, lt=1, description="Share of good replies in 30 days; the burn-rate alerts guard it."
    )


class Monitoring(Frozen):
    """How the model is watched."""

    service_monitor: bool = Field(True, description="Create ServiceMonitor and PrometheusRule where they exist.")
    alerts: Alerts = Field(default=Alerts(), description="When to alert.")
