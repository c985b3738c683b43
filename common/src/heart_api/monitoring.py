"""How a model is monitored: `spec.monitoring`."""

from pydantic import ConfigDict, Field

from heart_api.base import Frozen, ShortDuration
from heart_api.rules import rule, rules


class RateLimits(Frozen):
    """Thresholds for a share of the responses."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.warning <= self.critical", "warning must not be greater than critical", ".warning")
        )
    )

    warning: float = Field(gt=0, le=1, description="Threshold of the alert with severity warning.")
    critical: float = Field(gt=0, le=1, description="Threshold of the alert with severity critical.")


class LatencyLimits(Frozen):
    """Thresholds for a latency."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "duration(self.warning) <= duration(self.critical)",
                "warning must not be longer than critical",
                ".warning",
            ),
            rule(
                "duration(self.critical) < duration('10s')",
                "must be shorter than 10s, the largest latency bucket",
                ".critical",
            ),
        )
    )

    warning: ShortDuration = Field(description="Threshold of the alert with severity warning.")
    critical: ShortDuration = Field(description="Threshold of the alert with severity critical.")


class FloorLimits(Frozen):
    """Lower thresholds for a metric."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.warning >= self.critical", "warning must not be less than critical", ".warning")
        )
    )

    warning: float = Field(gt=0, le=1, description="Threshold of the alert with severity warning.")
    critical: float = Field(gt=0, le=1, description="Threshold of the alert with severity critical.")


class CeilingLimits(Frozen):
    """Upper thresholds for an error, in the unit of the target (mae, rmse)."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.warning <= self.critical", "warning must not be greater than critical", ".warning")
        )
    )

    warning: float = Field(gt=0, description="Threshold of the alert with severity warning.")
    critical: float = Field(gt=0, description="Threshold of the alert with severity critical.")


class Alerts(Frozen):
    """Thresholds of the alerts in the PrometheusRule."""

    error_rate: RateLimits = Field(
        default=RateLimits(warning=0.02, critical=0.05), description="Share of 5xx responses over 5 minutes."
    )
    latency_p95: LatencyLimits = Field(
        default=LatencyLimits(warning="500ms", critical="1s"),
        alias="latencyP95",
        description="95th percentile of the prediction latency over 5 minutes.",
    )
    accuracy: FloorLimits = Field(
        default=FloorLimits(warning=0.75, critical=0.70),
        description="Accuracy according to the outcomes sent to `/feedback`; compared by the upper bound of its"
        " 95% confidence interval.",
    )
    mae: CeilingLimits | None = Field(
        None,
        description="Mean absolute error of a regression according to the outcomes sent to `/feedback`; compared by the"
        " lower bound of its 95% confidence interval.",
    )
    rmse: CeilingLimits | None = Field(
        None, description="Root mean squared error of a regression; compared as `mae` is."
    )
    availability_objective: float = Field(
        0.999, ge=0.5, lt=1, description="Availability objective (SLO) over 30 days, used by the burn-rate alerts."
    )


class Monitoring(Frozen):
    """How the model is monitored: scraping, alerts and their thresholds."""

    service_monitor: bool = Field(
        True, description="Create a ServiceMonitor and a PrometheusRule if the cluster has these kinds."
    )
    alerts: Alerts = Field(default=Alerts(), description="Thresholds of the alerts in the model's PrometheusRule.")
