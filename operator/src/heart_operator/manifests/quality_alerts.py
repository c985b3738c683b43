"""Model quality alerts: live accuracy, drift, and failed or overdue retrainings."""

from heart_api.heartmodel import HeartModel
from heart_api.metrics import ACCURACY
from heart_operator.manifests.alerting import Rule, alert, matchers, quoted

OVERDUE = (("info", 3600), ("warning", 24 * 3600))
"""Seconds past its time; a training that waits for another one is often later than its scheduled time."""


def quality_alerts(model: HeartModel) -> list[Rule]:
    """Where nothing of the kind is measured (no feedback, no RetrainSchedule), none of them fires."""
    return [*accuracies(model), *errors(model), drift(model), failed(model), *overdue(model)]


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


def errors(model: HeartModel) -> list[Rule]:
    """Of a regression, where `alerts.mae` or `alerts.rmse` is set: the lower bound of the interval is compared."""
    if model.spec.training.task != "regression":
        return []
    limits = model.spec.monitoring.alerts
    return [
        regression_error(model, metric, severity, limit)
        for metric, found in (("mae", limits.mae), ("rmse", limits.rmse))
        if found
        for severity, limit in (("critical", found.critical), ("warning", found.warning))
    ]


def regression_error(model: HeartModel, metric: str, severity: str, limit: float) -> Rule:
    series = f"model_{metric}_low{matchers(model, 'source=' + quoted('feedback'))}"
    unit = f" {model.spec.target.unit}" if model.spec.target.unit else ""
    return alert(
        model,
        "HeartModelRegressionError",
        f"max by (namespace, model_name, model_version) ({series}) > {limit!r}",
        severity,
        summary=f"has a {metric} above the threshold",
        description=f"According to the outcomes sent to /feedback, the {metric} of version"
        f" {{{{ $labels.model_version }}}} is at least {{{{ $value | humanize }}}}{unit}; the threshold is"
        f" {limit:g}{unit}. Check the drift report (`kubectl describe rts`), and retrain on newer data:"
        " `kubectl heart retrain`.",
        metric=metric,
    )


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


def overdue(model: HeartModel) -> list[Rule]:
    return [
        alert(
            model,
            "HeartModelRetrainingOverdue",
            f"time() - {of_schedules(model, 'heartops_retraining_due_timestamp_seconds')} > {seconds}",
            severity,
            summary="has an overdue retraining",
            description="A run of the RetrainSchedule {{ $labels.schedule }} was due {{ $value | humanizeDuration"
            " }} ago and no training has started since. `kubectl describe rts {{ $labels.schedule }}` shows what it is"
            " waiting for.",
        )
        for severity, seconds in OVERDUE
    ]
