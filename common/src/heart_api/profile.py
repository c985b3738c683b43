"""Runtime profiles: an administrator's settings, mounted into the operator from a ConfigMap."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from heart_api.base import NAME_PATTERN, Duration, Frozen
from heart_api.callers import Peer
from heart_api.handover import DataAccess
from heart_api.resources import Amounts


class Images(Frozen):
    trainer: str
    serving: str
    federation: str | None = None
    """Of coordinators and sites of federated trainings; None: there are none."""
    dvc: str | None = None
    """The trainer with DVC's library, for datasets that DVC tracks; None: there are none."""


class RouteAccess(Frozen):
    """What a namespace's Ingresses and HTTPRoutes may claim; what is not listed is not allowed."""

    gateways: tuple[str, ...] = ()
    """`namespace/name`."""
    ingress_classes: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """Host names, `*.` wildcards, `*` for any; `{namespace}` stands for the model's, in `gateways` too."""


class Quota(Frozen):
    """Limits of each namespace; None: no limit."""

    models: int | None = Field(None, ge=0)
    schedules: int | None = Field(None, ge=0)
    trainings_per_hour: int | None = Field(None, ge=1)
    min_schedule_interval: Duration | None = None
    """Least time between two scheduled trainings, or two drift checks, of one RetrainSchedule."""


class Signing(Frozen):
    """Versions must be signed with one of these keys (OpenSSF Model Signing) before they serve."""

    public_keys: tuple[str, ...] = Field(min_length=1)
    """PEM, elliptic curve P-256, P-384 or P-521; two during a rotation."""


class ApprovedTrainer(Frozen):
    """A program that fits models in place of the trainer image's own algorithms (docs/own-trainer.md).

    It runs in a container of its own, without credentials and without a network.
    """

    image: str = Field(min_length=1)
    command: tuple[str, ...] = Field(("/trainer",), min_length=1)
    """The program in the image; the image's own ENTRYPOINT is not used."""
    caps: Amounts = Amounts(cpu="4", memory="8Gi")
    """Most that spec.training.resources may ask of its container."""


class TrainJobRuntime(Frozen):
    """A runtime of Kubeflow Trainer: the template of the pods (docs/large-data.md)."""

    runtime: str = Field(pattern=NAME_PATTERN, max_length=253)
    kind: Literal["ClusterTrainingRuntime", "TrainingRuntime"] = "ClusterTrainingRuntime"


class TrainingPods(Frozen):
    """How the pods of trainings are started."""

    queue_name: str | None = Field(None, pattern=NAME_PATTERN, max_length=63)
    """LocalQueue of Kueue, in each model's namespace: Jobs are created suspended, and Kueue starts them."""
    priority_class_name: str | None = Field(None, pattern=NAME_PATTERN, max_length=63)
    """Of Jobs; the runtime of a TrainJob names its own."""
    train_job: TrainJobRuntime | None = None
    """Trainings on several workers (scale Distributed) are TrainJobs of Kubeflow; None: Indexed Jobs."""


class RuntimeProfile(Frozen):
    images: Images
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, str], ...] = ()
    training_caps: Amounts = Amounts(cpu="4", memory="8Gi")
    serving_caps: Amounts = Amounts(cpu="4", memory="4Gi")
    data: DataAccess = DataAccess()
    registry_names: tuple[str, ...] = ()
    tracking_uri: str
    tracking_auth: Literal["None", "Kubernetes"] = "None"
    """Kubernetes: MLflow has a workspace per namespace and authorizes tokens with the API server."""
    tracking_secret: str | None = Field(None, pattern=NAME_PATTERN, max_length=63)
    """Secret with MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD: in the operator's
    namespace for the operator, in each model's for its pods."""
    insecure: bool = False
    """Allow plain HTTP without credentials to MLflow."""
    prometheus_url: str | None = None
    database_address: str | None = None
    """host:port of the prediction log's database; its URL, with a password, is in the namespaces' Secrets alone."""
    monitoring_namespaces: tuple[str, ...] = ()
    """Which may read metrics; none: all."""
    monitoring_labels: dict[str, str] = {}
    """On every ServiceMonitor and PrometheusRule, for a Prometheus that selects them by label."""
    runbook_url: str = ""
    """Where docs/runbooks is published: the base of the alerts' links. Empty: alerts name the page's path alone."""
    ingress_namespaces: tuple[str, ...] = ()
    """Where Gateways and ingress controllers run; none: unknown, so that a model with a route is open to every pod."""
    callers: tuple[Peer, ...] = ()
    """Who may call models besides the pods of their own namespaces, unless a model says it itself."""
    routes: RouteAccess = RouteAccess()
    quota: Quota = Quota()
    trainers: dict[Annotated[str, Field(pattern=NAME_PATTERN, max_length=63)], ApprovedTrainer] = {}
    """By the name that spec.training.trainer gives."""
    training: TrainingPods = TrainingPods()
    signing: Signing | None = None
    """None: digests from training Jobs and seals suffice."""

    @model_validator(mode="after")
    def _one_kind_of_credentials(self) -> Self:
        if self.tracking_auth == "Kubernetes" and self.tracking_secret:
            raise ValueError("trackingSecret is for trackingAuth None: with Kubernetes, pods show their own tokens")
        return self

    @property
    def is_registry_exposed(self) -> bool:
        """Whether MLflow is reached over plain HTTP by callers who prove nothing."""
        proves = self.tracking_auth == "Kubernetes" or self.tracking_secret is not None
        return not proves and not self.tracking_uri.startswith("https://")
