"""Interfaces between the operator, the training Job and the serving pods.

operator ──TrainingRequest──► Job ──TrainingOutcome (termination message)──► operator
                               └─► MLflow: evaluation.json (api.evaluation), model.onnx (api.package)
operator ──EvaluationRequest──► Job, for a manually registered version: the same outcome and evaluation
operator ──environment (Env)──► serving pod, which opens model.onnx by its digest
"""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from heart_api.base import Frozen, FrozenLenient
from heart_api.contract import Dataset, Feature, Target
from heart_api.evaluation import ServingReference
from heart_api.experiment import AssignBy, Metric
from heart_api.paths import PATH_PATTERN
from heart_api.training import Training

MIRROR_FILE = "mirror.json"
"""Key of the ConfigMap `<model>-mirror`, and the file's name where it is mounted."""


EXPERIMENT_FILE = "experiment.json"
"""Another key of that ConfigMap, while there is an experiment."""
PATHS_FILE = "paths.json"
"""Key of the ConfigMap `<model>-auth`, and the file's name where it is mounted."""


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
    OWN_ROWS = "HEARTOPS_ROWS"  # folder with what a trainer of one's own is given
    OWN_RESULTS = "HEARTOPS_RESULTS"  # folder with what it returns
    OWN_LAUNCHER = "HEARTOPS_LAUNCHER"  # folder with the program that starts it
    MIRROR_FILE = "HEARTOPS_MIRROR_FILE"  # MirrorTarget as JSON, changed while pods run
    AUTH_FILE = "HEARTOPS_AUTH_FILE"  # AuthConfig as JSON, changed while pods run
    API_KEYS = "HEARTOPS_API_KEYS"  # folder with a file of hashes for each caller, changed while pods run
    JWKS_FILE = "HEARTOPS_JWKS_FILE"  # a JSON Web Key Set, changed while pods run
    PORT = "HEARTOPS_PORT"  # of predictions
    TLS_DIR = "HEARTOPS_TLS_DIR"  # folder with tls.crt and tls.key, changed while pods run
    EXPLANATIONS = "HEARTOPS_EXPLANATIONS"  # true | false: whether /explain answers
    PATHS_FILE = "HEARTOPS_PATHS_FILE"  # PublicPaths as JSON, changed while pods run
    CORS_ORIGINS = "HEARTOPS_CORS_ORIGINS"  # separated by spaces: web pages that may read answers in a browser
    PREDICTION_LOG = "HEARTOPS_PREDICTION_LOG"  # api.predictionlog.PredictionLog as JSON
    DATABASE_URL = "HEARTOPS_DATABASE_URL"  # from the Secret heartops-runtime: the prediction log's database
    PROOF_KEY = "HEARTOPS_PROOF_KEY"  # from the Secret heartops-runtime: key of the proofs that /feedback demands
    SIGNING_KEYS = "HEARTOPS_SIGNING_KEYS"  # PEM, one after the other: a version must be signed with one of them
    FEDERATED_REQUEST = "HEARTOPS_FEDERATED_REQUEST"  # api.federation.FederatedTrainingRequest as JSON
    SITE_REQUEST = "HEARTOPS_SITE_REQUEST"  # api.federation.SiteRequest as JSON
    SITE_CHECK_REQUEST = "HEARTOPS_SITE_CHECK_REQUEST"  # api.federation.SiteCheckRequest as JSON
    FEDERATION_DIR = "HEARTOPS_FEDERATION_DIR"  # folder that the containers of a federated training's pod share
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
    SEARCH = "heartops.search"  # trigger: on the run in which a pod hands its part of a search to the first
    COPIED_FROM = "heartops.copied_from"  # namespace/registered model/version, for people; it proves nothing
    REJECTED = "heartops.rejected"  # reason; only ever used to reject a version


class DataAccess(Frozen):
    """An administrator's bounds on where data may come from (runtime profile)."""

    schemes: tuple[str, ...] = ("https", "s3", "gs", "pvc", "configmap", "builtin", "dvc+https")
    hosts: tuple[str, ...] = Field((), description="Allowed hosts, `*.` wildcards; empty: every public host.")


class ModelRequest(FrozenLenient):
    """Input common to every Job that measures a version: the model, its contract, and the version to compare with."""

    namespace: str
    name: str
    registry_name: str
    trigger: str = Field(description="Deterministic identity of this run; at most one version is registered for it.")
    job: str = ""
    target: Target
    features: tuple[Feature, ...]
    training: Training
    trainer_image: str | None = Field(None, description="Image of `training.trainer`, as the runtime profile has it.")
    serving: ServingReference | None = None


class JobRequest(ModelRequest):
    """A Job that reads the dataset itself."""

    dataset: Dataset
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
    "TrainerFailed",
    "TrainingFailed",
    "TrainingInterrupted",
    "SiteMissing",
    "SiteRefused",
    "TooFewSites",
    "ContractMismatch",
]


SiteState = Literal["Waiting", "Active", "Offline", "Late", "Refused", "Completed"]
"""Waiting: not seen yet. Offline: no heartbeat for about a minute. Late: no answer within the round's deadline."""


class SiteResult(FrozenLenient):
    """What a federated training saw of one site."""

    namespace: str
    name: str
    state: SiteState
    rows: int = Field(0, description="Rows that the site learnt and judged on.")
    exchanges: int = Field(0, description="Requests that the site answered.")
    seconds: float = Field(0, description="Time that the site took to answer, in all.")
    received_bytes: int = Field(0, description="Size of the site's answers, in all.")
    last_seen: str | None = Field(None, description="Time of the latest answer, RFC 3339.")
    message: str = Field("", max_length=200, description="Why the site does not take part.")


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
    sites: tuple[SiteResult, ...] | None = Field(None, description="Of a federated training.")


class TrainingFailure(FrozenLenient):
    """A failed Job; `message` says what happened, where, and what to do next."""

    reason: FailureReason
    message: str = Field(max_length=3000)
    sites: tuple[SiteResult, ...] | None = Field(None, description="Of a federated training.")


class TrainingOutcome(FrozenLenient):
    """The termination message (JSON, at most 4096 bytes): exactly one of `result` and `failure`."""

    result: TrainingResult | None = None
    failure: TrainingFailure | None = None


EXIT_PERMANENT = 2
"""Exit code of a failure that a retry cannot mend (bad data, bad digest): the Job's podFailurePolicy stops there."""


class PublicPaths(FrozenLenient):
    """PATHS_FILE of the ConfigMap about callers, which every serving pod mounts: where users find the model."""

    prefix: str = Field(
        "",
        pattern=rf"^$|{PATH_PATTERN}",
        description="Of an Ingress, which passes paths on unchanged: the server cuts it off.",
    )
    public: tuple[str, ...] = Field((), description="Every prefix that users write, for the model's documents.")


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


class ExperimentTarget(FrozenLenient):
    """EXPERIMENT_FILE: which users' requests a serving pod of the stable version hands on, and where to."""

    version: str = Field(description="The candidate, which answers at `url`.")
    url: str = Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+$", description="Without a path.")
    split: int = Field(ge=1, le=99, description="Percentage of the users.")
    by: AssignBy
    salt: str = Field(min_length=1, max_length=64, description="Of this experiment: the next one mixes users anew.")
    metric: Metric
    since: datetime = Field(description="Outcomes of earlier predictions do not count.")
