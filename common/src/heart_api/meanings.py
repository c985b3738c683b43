"""What each condition and each reason means to a reader; a test sees that none is forgotten."""

from heart_api.explained import Explained
from heart_api.names import Condition, Reason

CONDITIONS = {
    Condition.READY: "The desired version serves with the desired number of replicas.",
    Condition.AVAILABLE: "A version is serving; stays True throughout a rollout.",
    Condition.PROGRESSING: "A training, gate evaluation or rollout is in progress.",
    Condition.TRAINED: "A version has been trained for the current dataset, contract and training settings.",
    Condition.GATE_PASSED: "The latest version passed every check of `spec.gates`.",
    Condition.ROLLOUT_SUCCEEDED: "The latest version that passed its gates was promoted.",
    Condition.MONITORING_CONFIGURED: "ServiceMonitor and PrometheusRule are in place.",
    Condition.REGISTRY_SECURED: "Only where it is False: MLflow is reached over plain HTTP without credentials.",
    Condition.RECONCILING: "Something is in progress (kstatus; absent otherwise).",
    Condition.STALLED: "A person has to act: Progressing is False for the same reason (kstatus; absent otherwise).",
}

REASONS = {
    Reason.TRAINING_STARTED: Explained("A training Job was created."),
    Reason.TRAINING_SUCCEEDED: Explained("The Job registered a version."),
    Reason.TRAINING_PENDING: Explained(
        "The training Job has no running pod; the message says why and what to do.",
        "Do what the message says; `kubectl heart doctor` checks images, storage and permissions.",
    ),
    Reason.TRAINING_FAILED: Explained(
        "The training Job failed; the message says why.",
        "Read the log with `kubectl heart logs NAME --training`, correct the spec or the data, then run `kubectl"
        " heart retrain NAME`.",
    ),
    Reason.NEVER_TRAINED: Explained(
        "No training has finished yet.", "Wait for the first training; `kubectl heart status NAME` shows its progress."
    ),
    Reason.VERSION_PINNED: Explained(
        "`spec.version` names a version by its number: nothing is trained for the spec as it is now.",
        "Nothing, if that version is the one to serve. Otherwise set `spec.version` to `latest` or an alias, or train"
        " without serving by `kubectl heart retrain NAME`.",
    ),
    Reason.WAITING_FOR_SITES: Explained(
        "The training waits for sites whose data are being checked.",
        "Wait for the checks; `kubectl get fsite -A` shows their state.",
    ),
    Reason.SITE_MISSING: Explained(
        "A site of `spec.federation` does not exist, or was lost during the training, and `onMissingSite` is Hold.",
        "Ask the data holder for the FederationSite that the message names, remove it from `spec.federation.sites`, or"
        " set `onMissingSite: Continue`; after a lost training `kubectl heart retrain NAME`.",
    ),
    Reason.SITE_REFUSED: Explained(
        "A site does not let this model be trained on its data; the message says why.",
        "Ask the data holder to add the model to `spec.allow` of the FederationSite, to end its suspension, or to"
        " correct what its check has found: `kubectl describe fsite NAME -n NAMESPACE`.",
    ),
    Reason.TOO_FEW_SITES: Explained(
        "Fewer sites than `spec.federation.minSites` can take part.",
        "See `status.sites` for the reason of each; lower `minSites` only if the figures of so few sites are enough.",
    ),
    Reason.CONTRACT_MISMATCH: Explained(
        "A site's data break the data contract, or its consent is for another one.",
        "Correct the columns that `status.problems` of the FederationSite names, or the contract; after a change of the"
        " contract the data holder renews `contractHash`.",
    ),
    Reason.GATE_PASSED: Explained("Every check passed."),
    Reason.GATE_FAILED: Explained(
        "A check failed: the version is in `status.rejected`, and the stable version continues to serve.",
        "Compare the figures in the message with `spec.gates`; improve the data or the training, or lower the gate,"
        " which evaluates the same version again.",
    ),
    Reason.INSUFFICIENT_EVIDENCE: Explained(
        "The data do not support a verdict, and `onInsufficientEvidence` is Hold.",
        "Train on more rows, or set `gates.onInsufficientEvidence` to Pass.",
    ),
    Reason.EVALUATING: Explained("An evaluation Job for a manually registered version is running."),
    Reason.EVALUATION_PENDING: Explained(
        "The evaluation Job has no running pod; the message says why and what to do.",
        "Do what the message says; `kubectl heart doctor` checks images, storage and permissions.",
    ),
    Reason.EVALUATION_UNREADABLE: Explained(
        "The evaluation could not be read, or does not match the seal of the Job.",
        "Check that MLflow's artifact store is complete and that nobody changed the run; train again with `kubectl"
        " heart retrain NAME`.",
    ),
    Reason.NOT_SERVABLE: Explained(
        "A manually registered version is not a HeartOps model of this contract; the message says why.",
        "Register the version as docs/registering.md describes, with the contract of this HeartModel.",
    ),
    Reason.NO_CANDIDATE: Explained("There is no version to evaluate."),
    Reason.ROLLING_OUT: Explained(
        "The rollout of the candidate is in progress.", "Follow it with `kubectl heart watch NAME`."
    ),
    Reason.CANARY_ANALYSIS_FAILED: Explained(
        "The candidate failed the canary analysis; the stable version receives all traffic.",
        "Compare the two versions in `kubectl heart status NAME` and read `kubectl heart logs NAME --version N`;"
        " after a correction outside the model, `kubectl heart retry NAME`.",
    ),
    Reason.EXPERIMENT_FAILED: Explained(
        "The candidate lost its A/B experiment, or ended it without a winner and `onInconclusive` is Rollback.",
        "Compare both groups in `kubectl heart status NAME`; `kubectl heart retry NAME` begins another experiment.",
    ),
    Reason.CRASHING: Explained(
        "The candidate's pods crashed repeatedly; the stable version receives all traffic.",
        "Read `kubectl heart logs NAME --version N`; often `spec.serving.resources` is too small.",
    ),
    Reason.PROGRESS_DEADLINE_EXCEEDED: Explained(
        "The candidate's pods did not become ready within `rollout.progressDeadline`.",
        "See `kubectl describe pod`; raise `rollout.progressDeadline` if pods need longer to start, then `kubectl"
        " heart retry NAME`.",
    ),
    Reason.ABORTED: Explained(
        "A user aborted the rollout (`kubectl heart abort`).", "`kubectl heart retry NAME` clears the rejection."
    ),
    Reason.AWAITING_APPROVAL: Explained(
        "`approval` is Manual: `kubectl heart promote` approves the candidate.",
        "Read the model card in MLflow, then `kubectl heart promote NAME`, or `kubectl heart abort NAME`.",
    ),
    Reason.PAUSED: Explained(
        "The rollout is paused, for a duration or until a user resumes it.",
        "`kubectl heart promote NAME` ends a pause of the steps, `kubectl heart resume NAME` one of a user.",
    ),
    Reason.EXPERIMENTING: Explained(
        "An A/B experiment between the stable version and the candidate is in progress.",
        "Follow both groups with `kubectl heart status NAME`; outcomes come by `POST /feedback`."
        " `kubectl heart promote NAME` and `abort` end it by hand.",
    ),
    Reason.FOREIGN_JOB: Explained(
        "Event: Jobs with the owner reference that the operator did not create were removed.",
        "Find out who creates Jobs in this namespace, for example in the API server's audit log.",
    ),
    Reason.COMMAND_EXECUTED: Explained("Event: a user command was executed."),
    Reason.COMMAND_FAILED: Explained(
        "Event: a user command could not be executed; the message says why.",
        "Read the model again with `kubectl heart status NAME` and send a command that it offers.",
    ),
    Reason.VERSION_NOT_FOUND: Explained(
        "The registry does not contain the version named in `spec.version`.",
        "Set `spec.version` to `latest` or to a version of the registered model.",
    ),
    Reason.PROMOTED: Explained("The candidate was promoted."),
    Reason.READY_DEADLINE_EXCEEDED: Explained(
        "The candidate was not ready within `rollout.readyDeadline`; it received no traffic.",
        "See `kubectl heart status NAME` for what its pods waited for; correct that, then `kubectl heart retry NAME`.",
    ),
    Reason.ROLLED_BACK: Explained(
        "The previous version serves again.",
        "Find out why in `kubectl heart history NAME`; `kubectl heart retry NAME` gives the rejected version"
        " another try.",
    ),
    Reason.SERVING: Explained("The desired version serves."),
    Reason.NO_SERVING_VERSION: Explained(
        "No version serves.", "See the conditions Trained and GatePassed in `kubectl heart status NAME`."
    ),
    Reason.REPLICAS_UNAVAILABLE: Explained(
        "Fewer pods are ready than desired.",
        "Wait for the pods, or see why they are not ready: `kubectl heart status NAME`.",
    ),
    Reason.PODS_PENDING: Explained(
        "Serving pods were not created or cannot start; the message says why and what to do.",
        "Do what the message says; `kubectl heart doctor` checks images, storage and permissions.",
    ),
    Reason.ROUTE_NOT_ACCEPTED: Explained(
        "The Gateway did not accept the HTTPRoute; the message says why.",
        "Check `spec.serving.route` against the Gateway's listeners and allowed namespaces: `kubectl describe"
        " httproute NAME`.",
    ),
    Reason.WAITING_FOR_TRAINING: Explained(
        "The first version is still being trained.", "Follow it with `kubectl heart logs NAME --training -f`."
    ),
    Reason.UP_TO_DATE: Explained("Up to date."),
    Reason.ON_HOLD: Explained(
        "The rollout is on hold; the message says what it waits for.", "Do what the message asks for."
    ),
    Reason.SUSPENDED: Explained(
        "`spec.suspend` is true: reconciliation is suspended, pods continue to serve.",
        "Set `spec.suspend` to false to resume.",
    ),
    Reason.INVALID_SPEC: Explained(
        "The spec is invalid; the message names the field.", "Correct the named field and apply the resource again."
    ),
    Reason.QUOTA_EXCEEDED: Explained(
        "A quota of the namespace is used up; the message says which one, and until when. Serving continues.",
        "Wait until the time in the message, delete a model that is not needed, or ask an administrator to raise the"
        " quota of the runtime profile.",
    ),
    Reason.APPLY_FAILED: Explained(
        "The API server rejected a write of the operator; the message says why.",
        "Remove what the message names: a conflicting object, a missing permission (operator/RBAC.md) or an"
        " admission policy. The operator retries.",
    ),
    Reason.REGISTRY_UNAVAILABLE: Explained(
        "MLflow is unavailable: pods continue to serve, nothing is promoted.",
        "Check MLflow and its database: `kubectl heart doctor`. The operator retries by itself.",
    ),
    Reason.REGISTRY_LOST: Explained(
        "MLflow does not contain the serving version: it continues to serve, nothing is trained.",
        "Restore MLflow's database and artifacts (docs/backup.md); a training is not started on purpose.",
    ),
    Reason.REGISTRY_NAME_TAKEN: Explained(
        "The registered model belongs to another HeartModel.",
        "Choose another `spec.registryName`, or delete the HeartModel or the registered model that owns the name.",
    ),
    Reason.REGISTRY_EXPOSED: Explained(
        "The runtime profile allows plain HTTP without credentials (`insecure`).",
        "Ask the administrator for https and a `trackingSecret` in the runtime profile.",
    ),
    Reason.MONITORING_APPLIED: Explained("The monitoring objects are in place."),
    Reason.MONITORING_UNAVAILABLE: Explained(
        "The Prometheus Operator's CRDs are not installed.",
        "Install the Prometheus Operator (for example kube-prometheus-stack); the operator notices within five"
        " minutes.",
    ),
    Reason.MONITORING_DISABLED: Explained(
        "`monitoring.serviceMonitor` is false.", "Set `monitoring.serviceMonitor` to true for metrics and alerts."
    ),
    # How a training or an evaluation Job failed, in its own words.
    "DatasetUnreachable": Explained(
        "The data file could not be fetched; the Job retries.",
        "Check `spec.dataset.uri`, the credentials in the Secret `heartops-runtime`, and egress from the namespace.",
    ),
    "DatasetNotAllowed": Explained(
        "The runtime profile does not allow this scheme or host.",
        "Use an allowed one, or ask the administrator to add it to `runtimes.PROFILE.data`.",
    ),
    "DatasetDigestMismatch": Explained(
        "The file's SHA-256 digest is not `spec.dataset.sha256`.",
        "Find out who changed the file; then correct the digest or the file.",
    ),
    "DataInvalid": Explained(
        "Rows or columns break the data contract; the message names them without values.",
        "Correct the file, or the contract in `spec.features` and `spec.target`.",
    ),
    "RowKeyMissing": Explained(
        "The Secret `heartops-runtime` has no `HEARTOPS_ROW_KEY`.",
        "Run `kubectl heart init-namespace NAMESPACE`, then `kubectl heart retrain NAME`.",
    ),
    "ExportFailed": Explained(
        "The fitted model has no ONNX form with equal predictions.",
        "Leave the algorithm out of `spec.training.algorithms`, and report the message.",
    ),
    "TrainerFailed": Explained(
        "The program that `spec.training.trainer` names ended badly, or returned nothing that can be judged.",
        "Read its log with `kubectl logs JOB-POD -c own-trainer`, and try it with `python -m heart_trainer"
        " conformance` (docs/own-trainer.md).",
    ),
    "TrainingInterrupted": Explained(
        "The training Job was stopped, for example by an eviction; it retries.",
        "If it lasts, set `spec.training.resources.requests` to what the Job needs.",
    ),
}
