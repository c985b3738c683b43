"""The PrometheusRule of a model: error rate, latency, availability, no ready pod; callers (caller_alerts.py), quality
(quality_alerts.py), the prediction log (log_alerts.py), and what is good to know (info_alerts.py).

Burn rates are those of the SRE workbook (chapter 5, multiwindow, multi-burn-rate alerts): the long window shows that
the problem is significant, the short one that it persists.
"""

from dataclasses import dataclass

from heart_api.durations import seconds
from heart_api.heartmodel import Alerts, HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import pods_service_name
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.alerting import Rule, alert, matchers, monitoring_metadata, quoted, with_runbook
from heart_operator.manifests.caller_alerts import caller_alerts
from heart_operator.manifests.info_alerts import info_alerts
from heart_operator.manifests.log_alerts import log_alerts
from heart_operator.manifests.quality_alerts import quality_alerts

ERROR_RATIO = "heartops:http_errors:ratio_rate"
BY = "by (namespace, model_name)"


@dataclass(frozen=True, slots=True)
class BurnRate:
    """`factor` times the rate that would use up the objective's error budget in exactly 30 days."""

    factor: float
    long: str
    short: str
    severity: str
    budget_gone: str


BURN_RATES = (
    BurnRate(14.4, "1h", "5m", "critical", "2 days"),
    BurnRate(6, "6h", "30m", "critical", "5 days"),
    BurnRate(1, "3d", "6h", "warning", "30 days"),
)
WINDOWS = ("5m", "30m", "1h", "6h", "3d")


def build_prometheus_rule(model: HeartModel, profile: RuntimeProfile) -> Manifest:
    """One group, evaluated in order: an alert sees the ratios of the same moment."""
    rules = [*(error_ratio(model, window) for window in WINDOWS), *alerts(model)]
    group = {
        "name": f"heartops.{model.namespace}.{model.name}",
        "rules": [with_runbook(rule, profile.runbook_url) for rule in rules],
    }
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": monitoring_metadata(model, profile),
        "spec": {"groups": [group]},
    }


def alerts(model: HeartModel) -> list[Rule]:
    """Every alert, the most urgent first within each kind; a model that is scaled to nothing on purpose is not down."""
    limits = model.spec.monitoring.alerts
    down = [] if model.spec.serving.replicas == 0 else [model_down(model)]
    # A low objective leaves so much budget that not even errors alone would burn it at the highest rates.
    rates = [rate for rate in BURN_RATES if burning(limits, rate) < 1]
    budgets = [error_budget(model, limits, rate) for rate in rates]
    served = [*down, *error_rates(model, limits), *latencies(model, limits), *budgets]
    return [*served, *caller_alerts(model), *quality_alerts(model), *log_alerts(model), *info_alerts(model)]


def error_ratio(model: HeartModel, window: str) -> Rule:
    """Share of 5xx responses, over all versions."""
    server_errors = matchers(model, 'code=~"5.."')
    failed = f"sum {BY} (rate(http_requests_total{server_errors}[{window}]))"
    all_of_them = f"sum {BY} (rate(http_requests_total{matchers(model)}[{window}]))"
    return {"record": f"{ERROR_RATIO}{window}", "expr": f"{failed} / {all_of_them}"}


def error_rates(model: HeartModel, limits: Alerts) -> list[Rule]:
    series = f"{ERROR_RATIO}5m{matchers(model)}"
    return [
        alert(
            model,
            "HeartModelErrorRate",
            f"{series} > {limit!r}",
            severity,
            summary="has a high error rate",
            description=f"{{{{ $value | humanizePercentage }}}} of the responses of the last 5 minutes were 5xx; the"
            f" threshold is {limit:.2%}. Check the pods' logs, then the latest change: `kubectl describe heartmodel`.",
        )
        for severity, limit in (("critical", limits.error_rate.critical), ("warning", limits.error_rate.warning))
    ]


def latencies(model: HeartModel, limits: Alerts) -> list[Rule]:
    buckets = f"prediction_latency_seconds_bucket{matchers(model)}"
    series = f"histogram_quantile(0.95, sum by (namespace, model_name, le) (rate({buckets}[5m])))"
    return [
        alert(
            model,
            "HeartModelLatency",
            f"{series} > {seconds(limit)!r}",
            severity,
            summary="has a high latency",
            description=f"The 95th percentile of the prediction latency is {{{{ $value | humanizeDuration }}}}; the"
            f" threshold is {limit}. Check the pods' CPU usage; if the autoscaler is at its maximum, raise"
            " spec.serving.autoscaling.maxReplicas.",
        )
        for severity, limit in (("critical", limits.latency_p95.critical), ("warning", limits.latency_p95.warning))
    ]


def burning(limits: Alerts, rate: BurnRate) -> float:
    """Share of errors at which the budget burns `factor` times too fast."""
    return round(rate.factor * (1 - limits.availability_objective), 10)


def error_budget(model: HeartModel, limits: Alerts, rate: BurnRate) -> Rule:
    limit = burning(limits, rate)
    windows = [f"{ERROR_RATIO}{window}{matchers(model)} > {limit!r}" for window in (rate.long, rate.short)]
    return alert(
        model,
        "HeartModelErrorBudgetBurn",
        " and ".join(windows),
        rate.severity,
        hold="2m" if rate.severity == "critical" else "15m",
        summary="is burning its error budget",
        description=f"At the error rate of the last {rate.long} the 30-day error budget of the objective"
        f" {limits.availability_objective:g} is exhausted in {rate.budget_gone}."
        " Check the latest change: `kubectl describe heartmodel`.",
        window=rate.long,
    )


def model_down(model: HeartModel) -> Rule:
    """Error ratios have no samples while no pod is ready."""
    service = quoted(pods_service_name(model.name))
    return alert(
        model,
        "HeartModelDown",
        f"absent(up{{namespace={quoted(model.namespace)},service={service}}} == 1)",
        "critical",
        summary="has no ready pod",
        description="Prometheus has not reached a ready pod for 5 minutes. Check the pods' events:"
        " `kubectl describe heartmodel` and `kubectl get pods -l heartops.dev/model`.",
    )
