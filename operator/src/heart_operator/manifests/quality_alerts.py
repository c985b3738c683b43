"""Alerts about what a model says, not whether it answers: live accuracy, drift, and retrainings that do not come."""

from heart_api.heartmodel import HeartModel
from heart_api.metrics import ACCURACY
from heart_operator.manifests.alerting import Rule, alert, matchers, quoted

OVERDUE_SECONDS = 3600
"""Past its time; a training that waits for another one is often later than its tick."""


def quality_alerts(model: HeartModel) -> list[Rule]:
    """Where nothing of the kind is measured (no feedback, no RetrainSchedule), none of them fires."""
    return [*accuracies(model), drift(model), failed(model), overdue(model)]


def accuracies(model: HeartModel) -> list[Rule]:
    """By the upper end of the 95 % interval: a handful of unlucky outcomes calls nobody."""
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
            summary="is right too seldom",
            description="By the outcomes sent to /feedback the accuracy of version {{ $labels.model_version }} is at"
            f" most {{{{ $value | humanizePercentage }}}}; the limit is {limit:.0%}. Look at the drift report"
            " (`kubectl describe rts`), and train on newer data: `kubectl heart retrain`.",
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
        summary="is asked about data unlike its training's",
        description="Two windows of live data that do not overlap have moved away from the training. The features and a"
        " report are in `kubectl describe rts {{ $labels.schedule }}`; unless cooldown or budget forbid it, the"
        " schedule trains again by itself.",
    )


def failed(model: HeartModel) -> Rule:
    return alert(
        model,
        "HeartModelRetrainingFailed",
        f"{of_schedules(model, 'heartops_retraining_failed')} == 1",
        "warning",
        summary="was not renewed by its last retraining",
        description="The newest run of the schedule {{ $labels.schedule }} has ended without a version that serves."
        " `kubectl describe rts {{ $labels.schedule }}` says why; what served goes on serving.",
    )


def overdue(model: HeartModel) -> Rule:
    return alert(
        model,
        "HeartModelRetrainingOverdue",
        f"time() - {of_schedules(model, 'heartops_retraining_due_timestamp_seconds')} > {OVERDUE_SECONDS}",
        "warning",
        summary="has not been trained again though it is due",
        description="A tick of the schedule {{ $labels.schedule }} passed {{ $value | humanizeDuration }} ago and no"
        " training has begun since. `kubectl describe rts {{ $labels.schedule }}` says what it waits for.",
    )
