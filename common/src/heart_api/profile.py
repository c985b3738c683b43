"""Runtime profiles: an administrator's settings, mounted into the operator from a ConfigMap."""

from typing import Literal

from pydantic import Field

from heart_api.base import Duration, Frozen
from heart_api.callers import Peer
from heart_api.handover import DataAccess
from heart_api.resources import Amounts


class Images(Frozen):
    trainer: str
    serving: str


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
