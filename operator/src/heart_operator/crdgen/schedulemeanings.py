"""What each condition and each reason of a RetrainSchedule means; a test sees that none is forgotten."""

from heart_api.names import ScheduleCondition, ScheduleReason

CONDITIONS = {
    ScheduleCondition.READY: "The schedule is active, or suspended as requested.",
    ScheduleCondition.CHECKED: "The latest check of the prediction log succeeded (with `drift` or `performance`).",
    ScheduleCondition.INPUTS_STABLE: "The latest drift check found no drift in the inputs (with `drift`).",
    ScheduleCondition.PERFORMANCE_ACCEPTABLE: "The metric is at or above its threshold (with `performance`).",
    ScheduleCondition.RUN_SUCCEEDED: "The latest run produced a serving version.",
}

REASONS = {
    ScheduleReason.SCHEDULED: "The next run is scheduled.",
    ScheduleReason.WAITING: "A run is due but waits for a training, a rollout, the cooldown or the weekly limit.",
    ScheduleReason.RUN_MISSED: "A run missed its scheduled time by more than `startingDeadlineSeconds`.",
    ScheduleReason.SUSPENDED: "`spec.suspend` is true.",
    ScheduleReason.INVALID_SPEC: "The spec is invalid; the message names the field.",
    ScheduleReason.QUOTA_EXCEEDED: "The namespace has more RetrainSchedules than its quota, and this is not among the"
    " oldest.",
    ScheduleReason.APPLY_FAILED: "The API server rejected a write of the operator; the message says why.",
    ScheduleReason.MODEL_NOT_FOUND: "The HeartModel named in `spec.modelName` does not exist.",
    ScheduleReason.CHECKED: "The latest check completed.",
    ScheduleReason.CHECKING: "A check Job is running.",
    ScheduleReason.CHECK_FAILED: "The latest check failed; the message says why. The next one runs as scheduled.",
    ScheduleReason.CHECK_PENDING: "The check Job has no running pod; the message says why and what to do.",
    ScheduleReason.NEVER_CHECKED: "No check has completed yet.",
    ScheduleReason.CHECK_PENDING: "The Job of a check has no running pod; the message says why.",
    ScheduleReason.CHECKS_UNAVAILABLE: "The HeartModel has no prediction log in PostgreSQL, or does not support"
    " the metric.",
    ScheduleReason.NO_DRIFT: "The share of drifted features is below the threshold.",
    ScheduleReason.DRIFT_DETECTED: "The share of drifted features reached the threshold in two consecutive windows.",
    ScheduleReason.DRIFT_UNCONFIRMED: "The share of drifted features reached the threshold, but only in the"
    " latest window.",
    ScheduleReason.PERFORMANCE_ACCEPTABLE: "The metric is not below its threshold.",
    ScheduleReason.PERFORMANCE_BELOW_THRESHOLD: "The whole confidence interval of the metric is below the threshold.",
    ScheduleReason.PERFORMANCE_UNCERTAIN: "The metric is below the threshold, but its confidence interval includes it.",
    ScheduleReason.INSUFFICIENT_SAMPLES: "Too few predictions (or outcomes) for a verdict.",
    ScheduleReason.NEVER_RUN: "No run has been requested yet.",
    ScheduleReason.RETRAIN_REQUESTED: "A training has been requested.",
    ScheduleReason.RETRAINING: "The run's training, gates or rollout is in progress.",
    ScheduleReason.RETRAINING_COMPLETED: "The run's version was promoted.",
    ScheduleReason.RETRAINING_FAILED: "The run did not produce a serving version; the message says why.",
}
