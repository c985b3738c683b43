"""Alerts on the prediction log of a model: records that are lost, and a database that does not accept them."""

from heart_api.heartmodel import HeartModel
from heart_operator.manifests.alerting import Rule, alert, matchers, quoted

BY = "by (namespace, model_name)"
HOLD = "10m"


def log_alerts(model: HeartModel) -> list[Rule]:
    """None without a log in PostgreSQL."""
    if model.spec.serving.prediction_log.sink != "PostgreSQL":
        return []
    return [dropped(model), not_written(model)]


def dropped(model: HeartModel) -> Rule:
    """Neither what a pod drops when it ends, nor the lack of a database that was never set up, is a reason to alert."""
    series = f"prediction_log_dropped_total{matchers(model, 'reason!~' + quoted('shutdown|no_database'))}"
    return alert(
        model,
        "HeartModelPredictionLogDropping",
        f"sum {BY} (rate({series}[5m])) > 0",
        "warning",
        hold=HOLD,
        summary="is losing records of its prediction log",
        description="{{ $value | humanize }} records per second are dropped. The metric prediction_log_dropped_total"
        " has the reason: queue_full points to the database, rejected to the namespace's limits."
        " Predictions are not affected.",
    )


def not_written(model: HeartModel) -> Rule:
    return alert(
        model,
        "HeartModelPredictionLogUnavailable",
        f"sum {BY} (rate(prediction_log_write_errors_total{matchers(model)}[5m])) > 0",
        "warning",
        hold=HOLD,
        summary="cannot write its prediction log",
        description="Writes to the prediction log's database have failed for 10 minutes; each pod queues 20,000 records"
        " and then drops them. Check the database: `kubectl heart doctor`. Predictions are not affected.",
    )
