"""Interfaces between the operator, the training Job and the serving pods.

operator ──TrainingRequest──► Job ──TrainingOutcome (termination message)──► operator
                               └─► MLflow: evaluation.json (api.evaluation), model.onnx (api.package)
operator ──EvaluationRequest──► Job, for a manually registered version: the same outcome and evaluation
operator ──environment (Env)──► serving pod, which opens model.onnx by its digest
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from heart_api.base import Frozen, FrozenLenient
from heart_api.contract import Dataset, Feature, Target
from heart_api.evaluation import ServingReference
from heart_api.training import Training

MIRROR_FILE = "mirror.json"
"""Key of the ConfigMap `<model>-mirror`, and the file's name where it is mounted."""


class Env:
    """Names of the environment variables in pods that the operator starts."""

    TRAINING_REQUEST = "HEARTOPS_TRAINING_REQUEST"  # TrainingRequest as JSON
    EVALUATION_REQUEST = "HEARTOPS_EVALUATION_REQUEST"  # EvaluationRequest as JSON
    TERMINATION_LOG = "HEARTOPS_TERMINATION_LOG"  # file for TrainingOutcome; /dev/termination-log
    TRACKING_URI = "MLFLOW_TRACKING_URI"
    WORKSPACE = "MLFLOW_WORKSPACE"  # MLflow's own name: the namespace, if MLflow authorizes with Kubernetes
    # The pod's ServiceAccount token, renewed while it runs:
    REGISTRY_TOKEN_FILE = "HEARTOPS_REGISTRY_TOKEN_FILE"  # noqa: S105  a variable's name
    ROW_KEY = "HEARTOPS_ROW_KEY"  # from the Secret heartops-runtime: HMAC key of row hashes
    MODEL_NAME = "HEARTOPS_MODEL_NAME"
    MODEL_NAMESPACE = "HEARTOPS_MODEL_NAMESPACE"
    MODEL_VERSION = "HEARTOPS_MODEL_VERSION"
    MODEL_SHA256 = "HEARTOPS_MODEL_SHA256"  # sha256:<hex>
    MODEL_FILE = "HEARTOPS_MODEL_FILE"  # /model/model.onnx
    REGISTRY_NAME = "HEARTOPS_REGISTRY_NAME"
    MIRROR_FILE = "HEARTOPS_MIRROR_FILE"  # MirrorTarget as JSON, changed while pods run
    AUTH_FILE = "HEARTOPS_AUTH_FILE"  # AuthConfig as JSON, changed while pods run
    API_KEYS = "HEARTOPS_API_KEYS"  # folder with a file of hashes for each caller, changed while pods run
    JWKS_FILE = "HEARTOPS_JWKS_FILE"  # a JSON Web Key Set, changed while pods run
    PORT = "HEARTOPS_PORT"  # of predictions
    TLS_DIR = "HEARTOPS_TLS_DIR"  # folder with tls.crt and tls.key, changed while pods run
    EXPLANATIONS = "HEARTOPS_EXPLANATIONS"  # true | false: whether /explain answers
    CORS_ORIGINS = "HEARTOPS_CORS_ORIGINS"  # separated by spaces: web pages that may read answers in a browser
    PREDICTION_LOG = "HEARTOPS_PREDICTION_LOG"  # api.predictionlog.PredictionLog as JSON
    DATABASE_URL = "HEARTOPS_DATABASE_URL"  # from the Secret heartops-runtime: the prediction log's database
    PROOF_KEY = "HEARTOPS_PROOF_KEY"  # from the Secret heartops-runtime: key of the proofs that /feedback demands
    SIGNING_KEYS = "HEARTOPS_SIGNING_KEYS"  # PEM, one after the other: a version must be signed with one of them
    SIBLINGS = "HEARTOPS_SIBLINGS"  # host:port of the headless Service of this model's ready pods


class Tag:
    """MLflow tags that HeartOps writes (on runs, versions and registered models)."""

    TRIGGER = "heartops.trigger"
    JOB = "heartops.job"
    MODEL = "heartops.model"  # namespace/name; on the registered model it is the claim
    ARTIFACT_SHA256 = "heartops.artifact_sha256"
    EVALUATION_SHA256 = "heartops.evaluation_sha256"
    DATASET_SHA256 = "heartops.dataset_sha256"
    EVALUATION_RUN = "heartops.evaluation_run"  # where its evaluation is, when that is not the version's own run
    HISTORY = "heartops.history"  # on the run that keeps the history of a registered model
    VERSION = "heartops.version"  # on the run of an evaluation Job: the version that it measured
    CONTRACT_SHA256 = "heartops.contract_sha256"  # task, target and features of its package
    SEAL = "heartops.seal"  # HMAC over name, version, trigger and digests: only a Job with the namespace's key makes it
    SIGNATURE = "heartops.signature"  # of model.onnx (heart_model.signing); may come after the version
    REJECTED = "heartops.rejected"  # reason; only ever used to reject a version


class DataAccess(Frozen):
    """An administrator's bounds on where data may come from (runtime profile)."""

    schemes: tuple[str, ...] = ("https", "s3", "gs", "pvc", "configmap", "builtin", "dvc+https")
    hosts: tuple[str, ...] = Field((), description="Allowed hosts, `*.` wildcards; empty: every public host.")


class JobRequest(FrozenLenient):
    """Input common to training and evaluation Jobs: the model, its dataset, and the version to compare with."""

    namespace: str
    name: str
    registry_name: str
    trigger: str = Field(description="Deterministic identity of this run; at most one version is registered for it.")
    job: str = ""
    dataset: Dataset
    target: Target
    features: tuple[Feature, ...]
    training: Training
    serving: ServingReference | None = None
    access: DataAccess = DataAccess()


class TrainingRequest(JobRequest):
    """Everything a training run depends on."""


class EvaluationRequest(JobRequest):
    """Evaluation of a manually registered version; of `training` only the task and the seed matter."""

    version: str = Field(pattern=r"^[1-9][0-9]*$", description="The version to measure.")


FailureReason = Literal[
    "DatasetUnreachable",
    "DatasetNotAllowed",
    "DatasetDigestMismatch",
    "DataInvalid",
    "RegistryUnavailable",
    "RegistryNameTaken",
    "RowKeyMissing",
    "ExportFailed",
    "NotServable",
    "TrainingFailed",
    "TrainingInterrupted",
]


class TrainingResult(FrozenLenient):
    """A version was registered (training) or measured (evaluation); `run_id` is the run with its evaluation."""

    version: str
    run_id: str
    artifact_sha256: str
    evaluation_sha256: str
    sealed: bool | None = Field(
        None, description="Of an evaluation: whether the seal of a training in this namespace is valid."
    )
    seal_message: str | None = Field(None, max_length=300, description="Why the seal is not valid.")


class TrainingFailure(FrozenLenient):
    """A failed Job; `message` says what happened, where, and what to do next."""

    reason: FailureReason
    message: str = Field(max_length=3000)


class TrainingOutcome(FrozenLenient):
    """The termination message (JSON, at most 4096 bytes): exactly one of `result` and `failure`."""

    result: TrainingResult | None = None
    failure: TrainingFailure | None = None


EXIT_PERMANENT = 2
"""Exit code of a failure that a retry cannot mend (bad data, bad digest): the Job's podFailurePolicy stops there."""


class MirrorTarget(FrozenLenient):
    """MIRROR_FILE of a ConfigMap that every serving pod mounts: the percentage of requests to copy, and the target."""

    percent: int = Field(0, ge=0, le=100)
    url: str = Field("", pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+)?$", description="Without a path.")
    version: str = Field("", description="The version that answers there.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.percent and not (self.url and self.version):
            raise ValueError("a percent above 0 needs url and version")
        return self
