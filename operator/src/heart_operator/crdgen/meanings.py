"""What each condition and each reason means to a reader; a test sees that none is forgotten."""

from heart_api.names import Condition, Reason

CONDITIONS = {
    Condition.READY: "The desired version serves with the desired number of replicas.",
    Condition.AVAILABLE: "A version is serving; stays True throughout a rollout.",
    Condition.PROGRESSING: "A training, gate evaluation or rollout is in progress.",
    Condition.TRAINED: "A version has been trained for the current dataset, contract and training settings.",
    Condition.GATE_PASSED: "The latest version passed every check of `spec.gates`.",
    Condition.ROLLOUT_SUCCEEDED: "The latest version that passed its gates was promoted.",
    Condition.MONITORING_CONFIGURED: "ServiceMonitor and PrometheusRule are in place.",
}

REASONS = {
    Reason.TRAINING_STARTED: "A training Job was created.",
    Reason.TRAINING_SUCCEEDED: "The Job registered a version.",
    Reason.TRAINING_PENDING: "The training Job has no running pod; the message says why and what to do.",
    Reason.TRAINING_FAILED: "The training Job failed; the message says why.",
    Reason.NEVER_TRAINED: "No training has finished yet.",
    Reason.GATE_PASSED: "Every check passed.",
    Reason.GATE_FAILED: "A check failed: the version is in `status.rejected`, and the stable version continues"
    " to serve.",
    Reason.INSUFFICIENT_EVIDENCE: "The data do not support a verdict, and `onInsufficientEvidence` is Hold.",
    Reason.EVALUATING: "An evaluation Job for a manually registered version is running.",
    Reason.EVALUATION_PENDING: "The evaluation Job has no running pod; the message says why and what to do.",
    Reason.EVALUATION_UNREADABLE: "The evaluation could not be read, or does not match the seal of the Job.",
    Reason.NOT_SERVABLE: "A manually registered version is not a HeartOps model of this contract; the message"
    " says why.",
    Reason.NO_CANDIDATE: "There is no version to evaluate.",
    Reason.ROLLING_OUT: "The rollout of the candidate is in progress.",
    Reason.CANARY_ANALYSIS_FAILED: "The candidate failed the canary analysis; the stable version receives all traffic.",
    Reason.CRASHING: "The candidate's pods crashed repeatedly; the stable version receives all traffic.",
    Reason.PROGRESS_DEADLINE_EXCEEDED: "The candidate's pods did not become ready within `rollout.progressDeadline`.",
    Reason.ABORTED: "A user aborted the rollout (`kubectl heart abort`).",
    Reason.AWAITING_APPROVAL: "`approval` is Manual: `kubectl heart promote` approves the candidate.",
    Reason.PAUSED: "The rollout is paused, for a duration or until a user resumes it.",
    Reason.COMMAND_EXECUTED: "Event: a user command was executed.",
    Reason.COMMAND_FAILED: "Event: a user command could not be executed; the message says why.",
    Reason.VERSION_NOT_FOUND: "The registry does not contain the version named in `spec.version`.",
    Reason.PROMOTED: "The candidate was promoted.",
    Reason.READY_DEADLINE_EXCEEDED: "The candidate was not ready within `rollout.readyDeadline`; it received no"
    " traffic.",
    Reason.ROLLED_BACK: "The previous version serves again.",
    Reason.SERVING: "The desired version serves.",
    Reason.NO_SERVING_VERSION: "No version serves.",
    Reason.REPLICAS_UNAVAILABLE: "Fewer pods are ready than desired.",
    Reason.PODS_PENDING: "Serving pods were not created or cannot start; the message says why and what to do.",
    Reason.ROUTE_NOT_ACCEPTED: "The Gateway did not accept the HTTPRoute; the message says why.",
    Reason.WAITING_FOR_TRAINING: "The first version is still being trained.",
    Reason.UP_TO_DATE: "Up to date.",
    Reason.ON_HOLD: "The rollout is on hold; the message says what it waits for.",
    Reason.SUSPENDED: "`spec.suspend` is true: reconciliation is suspended, pods continue to serve.",
    Reason.INVALID_SPEC: "The spec is invalid; the message names the field.",
    Reason.QUOTA_EXCEEDED: "A quota of the namespace is used up; the message says which one, and until when. Serving"
    " continues.",
    Reason.APPLY_FAILED: "The API server rejected a write of the operator; the message says why.",
    Reason.REGISTRY_UNAVAILABLE: "MLflow is unavailable: pods continue to serve, nothing is promoted.",
    Reason.REGISTRY_LOST: "MLflow does not contain the serving version: it continues to serve, nothing is trained.",
    Reason.REGISTRY_NAME_TAKEN: "The registered model belongs to another HeartModel.",
    Reason.MONITORING_APPLIED: "The monitoring objects are in place.",
    Reason.MONITORING_UNAVAILABLE: "The Prometheus Operator's CRDs are not installed.",
    Reason.MONITORING_DISABLED: "`monitoring.serviceMonitor` is false.",
}
