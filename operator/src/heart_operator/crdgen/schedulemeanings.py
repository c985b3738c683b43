"""What each condition and each reason of a RetrainSchedule means; a test sees that none is forgotten."""

from heart_api.names import ScheduleCondition, ScheduleReason

CONDITIONS = {
    ScheduleCondition.READY: "The schedule does what it says; a suspended one, too.",
    ScheduleCondition.CHECKED: "The latest check of the prediction log succeeded (with `drift` or `performance`).",
    ScheduleCondition.INPUTS_STABLE: "The latest drift check found no drift in the inputs (with `drift`).",
    ScheduleCondition.PERFORMANCE_ACCEPTABLE: "The metric is at or above its threshold (with `performance`).",
    ScheduleCondition.RUN_SUCCEEDED: "The newest run ended with a version that serves.",
}

REASONS = {
    ScheduleReason.SCHEDULED: "The next run waits for its time.",
    ScheduleReason.WAITING: "A run is due and waits: for a training or a rollout, cooldown or budget.",
    ScheduleReason.RUN_MISSED: "The time of a run has passed by more than `startingDeadlineSeconds`.",
    ScheduleReason.SUSPENDED: "`spec.suspend` is true.",
    ScheduleReason.INVALID_SPEC: "The spec cannot be fulfilled; the message names the field.",
    ScheduleReason.APPLY_FAILED: "The cluster refused what the operator would write; the message says why.",
    ScheduleReason.MODEL_NOT_FOUND: "There is no HeartModel of the name in `spec.modelName`.",
    ScheduleReason.CHECKED: "The newest look was done.",
    ScheduleReason.CHECKING: "A Job looks at the prediction log.",
    ScheduleReason.CHECK_FAILED: "The newest look failed; the message says why. The next one comes at its time.",
    ScheduleReason.NEVER_CHECKED: "No look has ended yet.",
    ScheduleReason.CHECKS_UNAVAILABLE: "The HeartModel keeps no prediction log, or has no such figure.",
    ScheduleReason.NO_DRIFT: "Too few features have moved to train again.",
    ScheduleReason.DRIFT_DETECTED: "Enough features have moved away from the training, in two windows.",
    ScheduleReason.DRIFT_UNCONFIRMED: "Enough features have moved, but only in the newest window.",
    ScheduleReason.PERFORMANCE_ACCEPTABLE: "The figure is not below its bound.",
    ScheduleReason.PERFORMANCE_BELOW_THRESHOLD: "The figure and its whole interval are below the bound.",
    ScheduleReason.PERFORMANCE_UNCERTAIN: "The figure is below the bound, its interval reaches over it.",
    ScheduleReason.INSUFFICIENT_SAMPLES: "Too few predictions (or outcomes) to say anything.",
    ScheduleReason.NEVER_RUN: "Nothing has asked for a run yet.",
    ScheduleReason.RETRAIN_REQUESTED: "The HeartModel is asked to train.",
    ScheduleReason.RETRAINING: "The run's training, gate or rollout is under way.",
    ScheduleReason.RETRAINING_COMPLETED: "The run's version has taken over.",
    ScheduleReason.RETRAINING_FAILED: "The run ended without a version that serves; the message says why.",
}
