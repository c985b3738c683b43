"""How versions are served: `spec.serving`."""

from typing import Annotated

from pydantic import ConfigDict, Field

from heart_api.authentication import Auth, Jwt
from heart_api.base import NAME_PATTERN, Frozen, ShortDuration
from heart_api.callers import Caller
from heart_api.paths import PATH_PATTERN
from heart_api.predictionlog import PredictionLog
from heart_api.resources import Resources
from heart_api.rules import LIST_SET, rule, rules

HOST_PATTERN = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
ORIGIN_PATTERN = r"^https?://[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[0-9]{1,5})?$"
Origin = Annotated[str, Field(pattern=ORIGIN_PATTERN, max_length=253)]
HostName = Annotated[str, Field(pattern=HOST_PATTERN, max_length=253)]


class Autoscaling(Frozen):
    """Bounds and targets of the HorizontalPodAutoscaler."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.minReplicas <= self.maxReplicas",
                "minReplicas (3 when not given) must not be greater than maxReplicas (20 when not given)",
                ".minReplicas",
            ),
            rule(
                "duration(self.scaleDownStabilizationWindow) <= duration('1h')",
                "must not be longer than 1h, Kubernetes' limit",
                ".scaleDownStabilizationWindow",
            ),
        )
    )

    min_replicas: int = Field(
        3, ge=1, le=1000, description="Lower limit for the number of pods to which the autoscaler can scale down."
    )
    max_replicas: int = Field(
        20, ge=1, le=1000, description="Upper limit for the number of pods to which the autoscaler can scale up."
    )
    target_cpu_utilization_percentage: int | None = Field(
        None,
        alias="targetCPUUtilizationPercentage",
        ge=1,
        le=100,
        description="Target average CPU utilization, in percent of the request. Without any target: 70% CPU and"
        " 80% memory.",
    )
    target_memory_utilization_percentage: int | None = Field(
        None, ge=1, le=100, description="Target average memory utilization, in percent of the request."
    )
    target_predictions_per_second: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Target average predictions (records, not requests) per second of a pod. Needs prometheus-adapter"
        " or another server of the custom metrics API with the metric `predictions_per_second`.",
    )
    scale_down_stabilization_window: ShortDuration = Field(
        "5m",
        description="Before pods are removed, the load must have been lower for so long. Pods are added at once.",
    )


class Ingress(Frozen):
    """Ingress for the model's Service."""

    class_name: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        max_length=63,
        description="Name of the IngressClass; defaults to that of the cluster.",
    )
    host: HostName = Field(description="Fully qualified host name under which the model is reached.")
    path: str = Field(
        "/",
        pattern=PATH_PATTERN,
        max_length=253,
        description="Path prefix: `/iris` makes `/iris/predict` the model's `/predict`, and `/predict/iris` is its"
        " `/predict`; one of the model's own paths, such as `/v2`, stays as it is. The pods cut it off, and follow a"
        " change within a minute or so.",
    )
    tls_secret_name: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=253,
        description="Name of the TLS Secret; read by the ingress controller, never by HeartOps.",
    )


class Gateway(Frozen):
    """A Gateway of the Gateway API."""

    name: str = Field(
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=253,
        description="Name of the Gateway that the route attaches to.",
    )
    namespace: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        max_length=63,
        description="Namespace of the Gateway; defaults to the model's. Its listener must allow routes from the"
        " model's namespace.",
    )


class Route(Frozen):
    """HTTPRoute for the model; during a canary rollout it splits the traffic exactly."""

    gateway: Gateway = Field(description="Gateway that the route attaches to.")
    hostnames: tuple[HostName, ...] = Field(
        (), max_length=16, description="Host names; if empty, all host names of the listener."
    )
    path_prefix: str = Field(
        "/",
        pattern=PATH_PATTERN,
        max_length=253,
        description="Path prefix, as in `ingress.path`; the Gateway cuts it off before a request reaches the model.",
    )


class Cors(Frozen):
    """Which web pages may read answers in a browser."""

    allow_origins: tuple[Origin, ...] = Field(
        (),
        max_length=32,
        description="Allowed origins, such as `https://clinic.example.org`; wildcards are not supported.",
        json_schema_extra=LIST_SET,
    )


class Tls(Frozen):
    """TLS of the pods' listeners for predictions."""

    secret_name: str = Field(
        pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        max_length=253,
        description="Secret of type kubernetes.io/tls, such as cert-manager writes; followed while pods run.",
    )


class Serving(Frozen):
    """How the model is served: pods, resources, routes, and the prediction log."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.replicas) || !has(self.autoscaling)",
                "replicas and autoscaling exclude each other: remove one of them",
                ".replicas",
                "FieldValueForbidden",
            ),
            rule(
                "(has(self.auth) && self.auth == 'JWT') == has(self.jwt)",
                "auth: JWT and jwt belong together: set both or neither",
                ".jwt",
            ),
        )
    )

    replicas: int | None = Field(None, ge=0, le=1000, description="Fixed number of pods; disables the autoscaler.")
    autoscaling: Autoscaling | None = Field(
        None,
        description="HorizontalPodAutoscaler; without `replicas` and `autoscaling`, 3 to 20 pods scaled on CPU"
        " and memory.",
    )
    resources: Resources | None = Field(
        None, description="Requests and limits of a serving pod, capped by the runtime profile."
    )
    prediction_log: PredictionLog = Field(
        default=PredictionLog(), description="Logging of predictions: what is stored, where and for how long."
    )
    auth: Auth = Field(
        "None",
        description="How callers of predictions authenticate. Running pods follow a change. `APIKey`: keys of the"
        " Secret `<model>-api-keys`, made by `kubectl heart key create`. `JWT`: tokens as `jwt` describes.",
    )
    jwt: Jwt | None = Field(None, description="Accepted tokens; required with `auth: JWT`.")
    tls: Tls | None = Field(
        None, description="TLS for predictions over HTTP and gRPC. Only pods of new versions see a change."
    )
    cors: Cors = Field(default=Cors(), description="Cross-origin requests from browsers; none are allowed by default.")
    callers: tuple[Caller, ...] | None = Field(
        None,
        max_length=32,
        description="Pods that may call the model, enforced by a NetworkPolicy. If absent: those of its namespace, and"
        " those that the runtime profile lists. Gateways and ingress controllers that the profile lists are always"
        " admitted.",
    )
    explanations: bool = Field(True, description="Serve `/explain`: the contribution of each feature to a prediction.")
    route: Route | None = Field(
        None, description="HTTPRoute of the Gateway API for the model; during a canary it splits the traffic exactly."
    )
    ingress: Ingress | None = Field(None, description="Ingress for the model's Service.")
