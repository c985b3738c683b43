"""Model quality alerts: live accuracy, drift, and failed or overdue retrainings."""

from heart_api.heartmodel import HeartModel
from heart_api.metrics import ACCURACY
from heart_operator.manifests.alerting import Rule, alert, matchers, quoted

OVERDUE_SECONDS = 3600
"""Past its time; a training that waits for another one is often later than its scheduled time."""


def quality_alerts(model: HeartModel) -> list[Rule]:
    """Where nothing of the kind is measured (no feedback, no RetrainSchedule), none of them fires."""
    return [*accuracies(model), drift(model), failed(model), overdue(model)]


def accuracies(model: HeartModel) -> list[Rule]:
    """Compares the upper bound of the 95% confidence interval, so that a few wrong predictions do not alert."""
    if model.spec.training.task != "classification":
        return []
    limits = model.spec.monitoring.alerts.accuracy
    series = f"{ACCURACY}_high{matchers(model, 'source=' + quoted('feedback'))}"
    return [
        alert(
            model,
            "HeartModelAccuracy",
            f"min by (namespace, model_name, model_version) ({series}) < {limit!r}",
            severity,
            summary="has an accuracy below the threshold",
            description="According to the outcomes sent to /feedback, the accuracy of version {{"
            " $labels.model_version }} is at"
            f" most {{{{ $value | humanizePercentage }}}}; the threshold is {limit:.0%}. Check the drift report"
            " (`kubectl describe rts`), and retrain on newer data: `kubectl heart retrain`.",
        )
        for severity, limit in (("critical", limits.critical), ("warning", limits.warning))
    ]


def of_schedules(model: HeartModel, metric: str) -> str:
    """A metric of the model's RetrainSchedules, as the operator exports it."""
    return f"{metric}{{namespace={quoted(model.namespace)},model={quoted(model.name)}}}"


def drift(model: HeartModel) -> Rule:
    return alert(
        model,
        "HeartModelDrift",
        f"{of_schedules(model, 'heartops_drift_detected')} == 1",
        "warning",
        summary="receives drifted input data",
        description="Two consecutive windows of live data differ from the training data. `kubectl describe rts"
        " {{ $labels.schedule }}` lists the drifted features and the report; the schedule retrains the model"
        " unless the cooldown or the weekly limit applies.",
    )


def failed(model: HeartModel) -> Rule:
    return alert(
        model,
        "HeartModelRetrainingFailed",
        f"{of_schedules(model, 'heartops_retraining_failed')} == 1",
        "warning",
        summary="has a failed retraining",
        description="The latest run of the RetrainSchedule {{ $labels.schedule }} did not produce a serving version."
        " `kubectl describe rts {{ $labels.schedule }}` shows why; the stable version continues to serve.",
    )


def overdue(model: HeartModel) -> Rule:
    return alert(
        model,
        "HeartModelRetrainingOverdue",
        f"time() - {of_schedules(model, 'heartops_retraining_due_timestamp_seconds')} > {OVERDUE_SECONDS}",
        "warning",
        summary="has an overdue retraining",
        description="A run of the RetrainSchedule {{ $labels.schedule }} was due {{ $value | humanizeDuration"
        " }} ago and no"
        " training has started since. `kubectl describe rts {{ $labels.schedule }}` shows what it is waiting for.",
    )
