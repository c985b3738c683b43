"""Alerts with severity info: a version was deployed, a model was retrained. They end by themselves after a while."""

from heart_api.heartmodel import HeartModel
from heart_operator.manifests.alerting import Rule, alert, quoted
from heart_operator.manifests.quality_alerts import of_schedules

FRESH = "15m"
FRESH_SECONDS = 900
AT_ONCE = "0s"


def info_alerts(model: HeartModel) -> list[Rule]:
    return [deployed(model), retrained(model)]


def deployed(model: HeartModel) -> Rule:
    """Two versions that were the stable one within the window, or the first one of the model.

    The first one only while the operator was scraped before: after an outage of it, every version would seem new.
    """
    labels = f"namespace={quoted(model.namespace)},model={quoted(model.name)},track={quoted('stable')}"
    series = f"heartops_model_track{{{labels}}}"
    now, earlier = f"max by (version) ({series})", f"group by (version) (last_over_time({series}[{FRESH}]))"
    return alert(
        model,
        "HeartModelVersionDeployed",
        f"{now} and on () (count({earlier}) > 1)"
        f" or {now} unless on (version) ({series} offset {FRESH})"
        f" and on () (max(heartops_is_leader offset {FRESH}) == 1)",
        "info",
        hold=AT_ONCE,
        summary="serves another version",
        description="Version {{ $labels.version }} has become the stable version. `kubectl heart history` shows who or"
        " what decided it.",
    )


def retrained(model: HeartModel) -> Rule:
    series = of_schedules(model, "heartops_retraining_last_success_timestamp_seconds")
    return alert(
        model,
        "HeartModelRetrained",
        f"time() - {series} < {FRESH_SECONDS}",
        "info",
        hold=AT_ONCE,
        summary="was retrained",
        description="A run of the RetrainSchedule {{ $labels.schedule }} ended with a version that serves."
        " `kubectl describe rts {{ $labels.schedule }}` has its figures.",
    )
