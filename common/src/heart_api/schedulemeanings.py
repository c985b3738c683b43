"""What each condition and each reason of a RetrainSchedule means; a test sees that none is forgotten."""

from heart_api.explained import Explained
from heart_api.names import ScheduleCondition, ScheduleReason

CONDITIONS = {
    ScheduleCondition.READY: "The schedule is active, or suspended as requested.",
    ScheduleCondition.CHECKED: "The latest check of the prediction log succeeded (with `drift` or `performance`).",
    ScheduleCondition.INPUTS_STABLE: "The latest drift check found no drift in the inputs (with `drift`).",
    ScheduleCondition.PERFORMANCE_ACCEPTABLE: "The metric is at or above its threshold (with `performance`).",
    ScheduleCondition.RUN_SUCCEEDED: "The latest run produced a serving version.",
    ScheduleCondition.STALLED: "A person has to act: Ready is False for the same reason (kstatus; absent otherwise).",
}

REASONS = {
    ScheduleReason.SCHEDULED: Explained("The next run is scheduled."),
    ScheduleReason.WAITING: Explained(
        "A run is due but waits for a training, a rollout, the cooldown or the weekly limit.",
        "Nothing, or end what the message names (a rollout, a pause).",
    ),
    ScheduleReason.RUN_MISSED: Explained(
        "A run missed its scheduled time by more than `startingDeadlineSeconds`.",
        "Raise `startingDeadlineSeconds`, or keep the operator running at that time; `kubectl heart retrain NAME`"
        " catches up.",
    ),
    ScheduleReason.SUSPENDED: Explained("`spec.suspend` is true.", "Set `spec.suspend` to false to resume."),
    ScheduleReason.VERSION_PINNED: Explained(
        "`spec.version` of the HeartModel names a version by its number: no training is requested, checks go on.",
        "Set `spec.version` of the HeartModel to `latest` or an alias to resume; `kubectl heart retrain` trains at"
        " once.",
    ),
    ScheduleReason.INVALID_SPEC: Explained(
        "The spec is invalid; the message names the field.", "Correct the named field and apply the resource again."
    ),
    ScheduleReason.QUOTA_EXCEEDED: Explained(
        "The namespace has more RetrainSchedules than its quota, and this is not among the oldest.",
        "Delete a schedule that is not needed, or ask an administrator to raise the quota of the runtime profile.",
    ),
    ScheduleReason.APPLY_FAILED: Explained(
        "The API server rejected a write of the operator; the message says why.",
        "Remove what the message names: a conflicting object, a missing permission (operator/RBAC.md) or an"
        " admission policy. The operator retries.",
    ),
    ScheduleReason.MODEL_NOT_FOUND: Explained(
        "The HeartModel named in `spec.modelName` does not exist.",
        "Create the HeartModel, or correct `spec.modelName`.",
    ),
    ScheduleReason.CHECKED: Explained("The latest check completed."),
    ScheduleReason.CHECKING: Explained("A check Job is running."),
    ScheduleReason.CHECK_FAILED: Explained(
        "The latest check failed; the message says why. The next one runs as scheduled.",
        "Read the log of the check Job that the message names; check the prediction log's database.",
    ),
    ScheduleReason.CHECK_PENDING: Explained(
        "The check Job has no running pod; the message says why and what to do.",
        "Do what the message says; `kubectl heart doctor` checks images, storage and permissions.",
    ),
    ScheduleReason.NEVER_CHECKED: Explained(
        "No check has completed yet.", "Wait for the first check; `kubectl get rts` shows when."
    ),
    ScheduleReason.CHECKS_UNAVAILABLE: Explained(
        "The HeartModel has no prediction log in PostgreSQL, or does not support the metric.",
        "Set `serving.predictionLog.sink` of the HeartModel to PostgreSQL, and prepare the namespace with `kubectl"
        " heart init-namespace`.",
    ),
    ScheduleReason.NO_DRIFT: Explained("The share of drifted features is below the threshold."),
    ScheduleReason.DRIFT_DETECTED: Explained(
        "The share of drifted features reached the threshold in two consecutive windows.",
        "Read the report that `kubectl describe rts` links to; a retraining starts unless the cooldown or the"
        " weekly limit applies.",
    ),
    ScheduleReason.DRIFT_UNCONFIRMED: Explained(
        "The share of drifted features reached the threshold, but only in the latest window.",
        "Wait for the next window.",
    ),
    ScheduleReason.PERFORMANCE_ACCEPTABLE: Explained("The metric is not below its threshold."),
    ScheduleReason.PERFORMANCE_BELOW_THRESHOLD: Explained(
        "The whole confidence interval of the metric is below the threshold.",
        "A retraining starts unless the cooldown or the weekly limit applies; check the outcomes sent to `/feedback`.",
    ),
    ScheduleReason.PERFORMANCE_UNCERTAIN: Explained(
        "The metric is below the threshold, but its confidence interval includes it.",
        "Send more outcomes to `/feedback`.",
    ),
    ScheduleReason.INSUFFICIENT_SAMPLES: Explained(
        "Too few predictions (or outcomes) for a verdict.",
        "Wait for more predictions or outcomes, or lower `minSamples`.",
    ),
    ScheduleReason.NEVER_RUN: Explained("No run has been requested yet."),
    ScheduleReason.RETRAIN_REQUESTED: Explained("A training has been requested."),
    ScheduleReason.RETRAINING: Explained(
        "The run's training, gates or rollout is in progress.", "Follow it with `kubectl heart watch NAME`."
    ),
    ScheduleReason.RETRAINING_COMPLETED: Explained("The run's version was promoted."),
    ScheduleReason.RETRAINING_FAILED: Explained(
        "The run did not produce a serving version; the message says why.",
        "Do what the message says; `kubectl heart history NAME` lists the rejected version.",
    ),
    # How a check Job failed, in its own words.
    "LogUnavailable": Explained(
        "The prediction log's database could not be read.",
        "Check the database and the namespace's login: `kubectl heart doctor`; `kubectl heart init-namespace"
        " NAMESPACE` sets it up.",
    ),
    "ReferenceUnreadable": Explained(
        "The reference profile of the serving version could not be read from MLflow.",
        "Check MLflow's artifact store; a retrained version brings a new profile.",
    ),
    "RegistryUnavailable": Explained(
        "MLflow did not answer the check Job.",
        "Check MLflow: `kubectl heart doctor`. The next check runs as scheduled.",
    ),
    "CheckInterrupted": Explained(
        "The check Job was stopped, for example by an eviction.", "Nothing: the next check runs as scheduled."
    ),
}
