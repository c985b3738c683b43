"""Every label, annotation, condition and reason, and how children are named. Strings live here alone."""

import hashlib
import re

GROUP = "heartops.dev"
API_VERSION = "v1alpha1"
FIELD_MANAGER = "heartops"
PART_OF = "heartops"
APPLICATION = "heartmodel"
RUNTIME_SECRET = "heartops-runtime"  # noqa: S105  the Secret's fixed name, not a secret
VERSION_HEADER = "x-model-version"
"""Of every response of a serving pod: the version that answered, also where the answer is an error."""
PLAIN_PORT, SECURE_PORT = "http", "https"
"""Names of the port for predictions, of pods and Services: the one of the two that the pods speak."""
EVALUATE = re.compile(r"evaluate-([1-9][0-9]*)-[0-9a-f]+(-v[0-9]+)?(-[0-9a-f]+)?")
"""The trigger of an evaluation Job; every other trigger is a training's."""


class Label:
    NAME = "app.kubernetes.io/name"
    INSTANCE = "app.kubernetes.io/instance"
    VERSION = "app.kubernetes.io/version"
    COMPONENT = "app.kubernetes.io/component"
    PART_OF = "app.kubernetes.io/part-of"
    MANAGED_BY = "app.kubernetes.io/managed-by"
    MODEL = "heartops.dev/model"
    MODEL_VERSION = "heartops.dev/model-version"
    SCHEDULE = "heartops.dev/schedule"
    SITE = "heartops.dev/site"
    POD_INDEX = "batch.kubernetes.io/job-completion-index"  # set by the Job controller on pods of an Indexed Job
    QUEUE = "kueue.x-k8s.io/queue-name"


class Component:
    """Values of the component label."""

    SERVING = "serving"
    TRAINING = "training"
    CHECK = "check"
    SITE = "site"
    PODS = "serving-pods"  # the headless Service: scraped, and source of model files


class Annotation:
    RETRAIN = "heartops.dev/retrain"  # on a HeartModel: any new value starts a training
    DIGEST = "heartops.dev/digest"
    TRIGGER = "heartops.dev/trigger"
    ATTEMPT = "heartops.dev/attempt"  # on the Job of a training on several pods: how many were lost before
    RUN_ID = "heartops.dev/run-id"
    TRAINED_MODEL = "heartops.dev/trained-model"  # on a site's Job: namespace/name of the model
    CHECK = "heartops.dev/check"  # on a HeartModel and on a check Job: an api.checks.CheckOrder as JSON
    CHECK_BY = "heartops.dev/check-by"  # on a HeartModel: the user who requested it
    SCHEDULED_TIME = "heartops.dev/scheduled-time"  # on a check Job: end of its window
    EVALUATION = "heartops.dev/evaluation-sha256"
    STABLE_VERSION = (
        "heartops.dev/stable-version"  # on the Service: the stable version, even while the selector spans two
    )
    COMMAND = "heartops.dev/command"  # on a HeartModel: the latest user command
    COMMAND_BY = "heartops.dev/command-by"
    COMMAND_REASON = "heartops.dev/command-reason"
    ERASED = "heartops.dev/erased"  # on a HeartModel: the latest erasure from its log, an api.outbox.Erasure as JSON
    ERASED_BY = "heartops.dev/erased-by"  # on a HeartModel: the user who erased
    APPLIED = "heartops.dev/applied"  # hash of the last applied manifest: detects removed fields


class Condition:
    READY = "Ready"
    AVAILABLE = "Available"
    PROGRESSING = "Progressing"
    TRAINED = "Trained"
    GATE_PASSED = "GatePassed"
    ROLLOUT_SUCCEEDED = "RolloutSucceeded"
    MONITORING_CONFIGURED = "MonitoringConfigured"
    REGISTRY_SECURED = "RegistrySecured"  # only where it is not
    # Of kstatus: present only while they are True.
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class Reason:
    """Shared by conditions and events."""

    # Trained
    TRAINING_STARTED = "TrainingStarted"
    TRAINING_SUCCEEDED = "TrainingSucceeded"
    TRAINING_FAILED = "TrainingFailed"
    TRAINING_PENDING = "TrainingPending"  # the Job has no running pod, and the message says why
    NEVER_TRAINED = "NeverTrained"
    VERSION_PINNED = "VersionPinned"  # by its number: the spec is not trained for
    WAITING_FOR_SITES = "WaitingForSites"  # their data are being checked
    SITE_MISSING = "SiteMissing"
    SITE_REFUSED = "SiteRefused"
    TOO_FEW_SITES = "TooFewSites"
    CONTRACT_MISMATCH = "ContractMismatch"
    # GatePassed
    GATE_PASSED = "GatePassed"
    GATE_FAILED = "GateFailed"
    INSUFFICIENT_EVIDENCE = "InsufficientEvidence"
    EVALUATING = "Evaluating"
    EVALUATION_PENDING = "EvaluationPending"  # the Job has no running pod, and the message says why
    EVALUATION_UNREADABLE = "EvaluationUnreadable"
    NOT_SERVABLE = "NotServable"
    NO_CANDIDATE = "NoCandidate"
    # rollout
    ROLLING_OUT = "RollingOut"
    PROMOTED = "Promoted"
    READY_DEADLINE_EXCEEDED = "ReadyDeadlineExceeded"
    ROLLED_BACK = "RolledBack"
    CANARY_ANALYSIS_FAILED = "CanaryAnalysisFailed"
    EXPERIMENT_FAILED = "ExperimentFailed"
    CRASHING = "Crashing"
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    ABORTED = "Aborted"
    AWAITING_APPROVAL = "AwaitingApproval"
    PAUSED = "Paused"
    EXPERIMENTING = "Experimenting"
    FOREIGN_JOB = "ForeignJob"  # event: a Job that only claims to be ours is removed
    COMMAND_EXECUTED = "CommandExecuted"  # event: a user command was executed
    COMMAND_FAILED = "CommandFailed"  # event: a user command could not be executed
    # Ready, Available
    SERVING = "Serving"
    NO_SERVING_VERSION = "NoServingVersion"
    REPLICAS_UNAVAILABLE = "ReplicasUnavailable"
    PODS_PENDING = "PodsPending"  # serving pods were not made or cannot start, and the message says why
    WAITING_FOR_TRAINING = "WaitingForTraining"
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted"
    # everything
    UP_TO_DATE = "UpToDate"
    ON_HOLD = "OnHold"
    VERSION_NOT_FOUND = "VersionNotFound"
    SUSPENDED = "Suspended"
    INVALID_SPEC = "InvalidSpec"
    QUOTA_EXCEEDED = "QuotaExceeded"  # of the namespace, and the message says until when
    APPLY_FAILED = "ApplyFailed"  # rejected by the API server, or a conflicting object exists
    REGISTRY_UNAVAILABLE = "RegistryUnavailable"
    REGISTRY_LOST = "RegistryLost"
    REGISTRY_NAME_TAKEN = "RegistryNameTaken"
    REGISTRY_EXPOSED = "RegistryExposed"
    MONITORING_APPLIED = "MonitoringApplied"
    MONITORING_UNAVAILABLE = "MonitoringUnavailable"
    MONITORING_DISABLED = "MonitoringDisabled"


class SiteCondition:
    """Conditions of a FederationSite."""

    READY = "Ready"
    CHECKED = "Checked"
    STALLED = "Stalled"  # of kstatus: present only while it is True


class SiteReason:
    """Shared by a FederationSite's conditions and events."""

    # Ready
    READY = "Ready"
    TRAINING = "Training"
    NOTHING_ALLOWED = "NothingAllowed"
    WAITING_FOR_MODEL = "WaitingForModel"
    TOO_FEW_ROWS = "TooFewRows"
    SUSPENDED = "Suspended"
    INVALID_SPEC = "InvalidSpec"
    APPLY_FAILED = "ApplyFailed"
    ELSEWHERE = "Elsewhere"
    # Checked
    CHECKED = "Checked"
    CHECKING = "Checking"
    CHECK_FAILED = "CheckFailed"
    CHECK_PENDING = "CheckPending"  # the Job has no running pod, and the message says why
    CONTRACT_MISMATCH = "ContractMismatch"
    # events alone
    TRAINING_JOINED = "TrainingJoined"
    TRAINING_LEFT = "TrainingLeft"
    CONSENT_WITHDRAWN = "ConsentWithdrawn"


class ScheduleCondition:
    """Conditions of a RetrainSchedule."""

    READY = "Ready"
    CHECKED = "Checked"
    INPUTS_STABLE = "InputsStable"
    PERFORMANCE_ACCEPTABLE = "PerformanceAcceptable"
    RUN_SUCCEEDED = "RunSucceeded"
    STALLED = "Stalled"  # of kstatus: present only while it is True


class ScheduleReason:
    """Shared by a RetrainSchedule's conditions and events."""

    # Ready
    SCHEDULED = "Scheduled"
    WAITING = "Waiting"
    RUN_MISSED = "RunMissed"
    SUSPENDED = "Suspended"
    VERSION_PINNED = "VersionPinned"  # of the model: nothing is requested
    INVALID_SPEC = "InvalidSpec"
    QUOTA_EXCEEDED = "QuotaExceeded"
    APPLY_FAILED = "ApplyFailed"
    MODEL_NOT_FOUND = "ModelNotFound"
    # Checked
    CHECKED = "Checked"
    CHECKING = "Checking"
    CHECK_FAILED = "CheckFailed"
    CHECK_PENDING = "CheckPending"  # the Job has no running pod, and the message says why
    NEVER_CHECKED = "NeverChecked"
    CHECKS_UNAVAILABLE = "ChecksUnavailable"
    # InputsStable, PerformanceAcceptable
    NO_DRIFT = "NoDrift"
    DRIFT_DETECTED = "DriftDetected"
    DRIFT_UNCONFIRMED = "DriftUnconfirmed"
    PERFORMANCE_ACCEPTABLE = "PerformanceAcceptable"
    PERFORMANCE_BELOW_THRESHOLD = "PerformanceBelowThreshold"
    PERFORMANCE_UNCERTAIN = "PerformanceUncertain"
    INSUFFICIENT_SAMPLES = "InsufficientSamples"
    # RunSucceeded
    NEVER_RUN = "NeverRun"
    RETRAIN_REQUESTED = "RetrainRequested"
    RETRAINING = "Retraining"
    RETRAINING_COMPLETED = "RetrainingCompleted"
    RETRAINING_FAILED = "RetrainingFailed"


def short_hash(*parts: str, length: int = 8) -> str:
    """Stable hex of the parts; equal parts give equal names after any restart."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]


def child_name(model: str, *suffixes: str, limit: int = 63) -> str:
    """`model-suffix…`; a name over `limit` characters is cut and ends in a hash of the whole."""
    name = "-".join([model, *suffixes])
    if len(name) <= limit:
        return name
    tail = short_hash(name)
    return f"{name[: limit - len(tail) - 1].rstrip('-.')}-{tail}"


def deployment_name(model: str, version: str) -> str:
    """One Deployment per version; short enough that its pods' names stay valid labels."""
    return child_name(model, f"v{version}", limit=47)


def training_job_name(model: str, uid: str, trigger: str, attempt: int = 0, *, train_job: bool = False) -> str:
    """One Job per (model uid, trigger), and of a training on several pods one for each attempt.

    The pods of a TrainJob append more to its name than those of a Job do.
    """
    tries = (str(attempt),) if attempt else ()
    return child_name(model, "train", short_hash(uid, trigger, *tries), limit=44 if train_job else 52)


def check_job_name(schedule: str, uid: str, scheduled_time: str) -> str:
    """One Job per (schedule uid, scheduled time of the check)."""
    return child_name(schedule, "check", short_hash(uid, scheduled_time), limit=52)


def site_check_job_name(site: str, uid: str, trigger: str, attempt: int = 0) -> str:
    """One Job per (site uid, what is checked) and attempt at it."""
    tries = (str(attempt),) if attempt else ()
    return child_name(site, "check", short_hash(uid, trigger, *tries), limit=52)


def site_training_job_name(site: str, uid: str, model: str, trigger: str) -> str:
    """One Job per (site uid, `namespace/name` of the model, training)."""
    return child_name(site, "site", short_hash(uid, model, trigger), limit=52)


def site_account_name(site: str) -> str:
    """The ServiceAccount of a site's pods, without rights; also the name of their NetworkPolicy."""
    return child_name(site, Component.SITE)


def fleet_service_name(model: str) -> str:
    """The Service by which sites reach the coordinator of a model's training: one name for all trainings."""
    return child_name(model, "fleet")


def evaluation_trigger(version: str, *identity: str) -> str:
    """Trigger for evaluating a manually registered version: `evaluate-8-1a2b3c4d`."""
    return f"evaluate-{version}-{short_hash(*identity)}"


def evaluated_version(trigger: str) -> str | None:
    """The version that a Job of this trigger measures; None: it trains one."""
    match = EVALUATE.fullmatch(trigger)
    return match[1] if match else None


def evaluation_job_name(model: str, uid: str, trigger: str) -> str:
    """One Job per (model uid, trigger)."""
    return child_name(model, "evaluate", short_hash(uid, trigger), limit=52)


def pods_service_name(model: str) -> str:
    """The headless Service of all ready serving pods of a model, whichever version they serve."""
    return child_name(model, "pods")


def workers_service_name(model: str) -> str:
    """The headless Service under which the workers of a training find the first of them."""
    return child_name(model, "workers")


def candidate_service_name(model: str) -> str:
    """The Service of the version that is rolling out: a route's second backend, and where requests are mirrored to."""
    return child_name(model, "candidate")


def mirror_config_name(model: str) -> str:
    """The ConfigMap that tells the serving pods of a model what to mirror."""
    return child_name(model, "mirror")


def callers_policy_name(model: str) -> str:
    """The NetworkPolicy that says which pods may ask a model for predictions."""
    return child_name(model, "callers")


def auth_config_name(model: str) -> str:
    """The ConfigMap that tells the serving pods of a model how callers authenticate."""
    return child_name(model, "auth")


def api_keys_name(model: str) -> str:
    """The Secret with the hashes of the API keys; written by people, mounted by the serving pods."""
    return child_name(model, "api-keys")


def jwks_name(model: str) -> str:
    """The ConfigMap with the issuer's JSON Web Key Set; written by people, mounted by the serving pods."""
    return child_name(model, "jwks")


def service_account_name(model: str) -> str:
    """Never the model's bare name: a model called `default` must not take over the namespace's own account."""
    return child_name(model, "model")
