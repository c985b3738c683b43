"""What each condition and each reason means to a reader; a test sees that none is forgotten."""

from heart_operator.api.names import Condition, Reason

CONDITIONS = {
    Condition.READY: "The wanted version serves with the wanted replicas.",
    Condition.AVAILABLE: "Something serves; stays True through every rollout.",
    Condition.PROGRESSING: "Something is under way: a training, a gate, a rollout.",
    Condition.TRAINED: "The present data, contract and training settings have a version.",
    Condition.GATE_PASSED: "The newest version fulfils every check of `spec.gates`.",
    Condition.ROLLOUT_SUCCEEDED: "The newest version that passed its gates has taken over.",
    Condition.MONITORING_CONFIGURED: "ServiceMonitor and PrometheusRule are in place.",
}

REASONS = {
    Reason.TRAINING_STARTED: "A training Job was created.",
    Reason.TRAINING_SUCCEEDED: "The Job registered a version.",
    Reason.TRAINING_FAILED: "The Job ended without a version; the message says why.",
    Reason.NEVER_TRAINED: "No training has ended yet.",
    Reason.GATE_PASSED: "Every check passed.",
    Reason.GATE_FAILED: "A check failed: the version is in `status.rejected`, and what served goes on serving.",
    Reason.INSUFFICIENT_EVIDENCE: "The data cannot support a verdict, and `onInsufficientEvidence` is Hold.",
    Reason.EVALUATION_UNREADABLE: "The evaluation could not be read, or is not the one that the Job sealed.",
    Reason.NOT_SERVABLE: "A version registered by hand is no HeartOps model of this contract; the message says why.",
    Reason.NO_CANDIDATE: "There is no version to judge.",
    Reason.ROLLING_OUT: "The candidate's pods are starting.",
    Reason.PROMOTED: "The candidate serves now.",
    Reason.NEVER_READY: "The candidate was not ready within `rollout.readyDeadline`; traffic never saw it.",
    Reason.ROLLED_BACK: "The previous version serves again.",
    Reason.SERVING: "The wanted version serves.",
    Reason.NOTHING_SERVES: "No version serves.",
    Reason.REPLICAS_UNAVAILABLE: "Fewer pods are ready than wanted.",
    Reason.WAITING_FOR_TRAINING: "The first version is still being trained.",
    Reason.UP_TO_DATE: "Nothing is left to do.",
    Reason.ON_HOLD: "A version that passed its gates waits to be rolled out; the message says for what.",
    Reason.SUSPENDED: "`spec.suspend` is true: the operator does nothing, pods go on serving.",
    Reason.INVALID_SPEC: "The spec cannot be fulfilled; the message names the field.",
    Reason.ACTION_REFUSED: "The cluster refused what the operator wanted to write; the message says what and why.",
    Reason.REGISTRY_UNAVAILABLE: "MLflow does not answer: pods go on serving, nothing is promoted.",
    Reason.REGISTRY_LOST: "MLflow does not have the version that serves: it goes on serving, nothing is trained.",
    Reason.REGISTRY_NAME_TAKEN: "The registered model belongs to another HeartModel.",
    Reason.MONITORING_APPLIED: "The monitoring objects are in place.",
    Reason.MONITORING_UNAVAILABLE: "The cluster does not have the kinds of the Prometheus Operator.",
    Reason.MONITORING_DISABLED: "`monitoring.serviceMonitor` is false.",
}
