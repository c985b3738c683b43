"""NetworkPolicies: what serving, training and check pods may reach, and who may call them.

A policy sees the pod behind a Service, so MLflow's port in the tracking URI must be its pods' port too. Policies add
up: what one of them admits, no other forbids.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from heart_api.callers import Caller, Selector
from heart_api.federation import FLEET_PORT, PROGRESS_PORT
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, Label, callers_policy_name, child_name
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.common import (
    GRPC_PORT,
    MANAGEMENT_PORT,
    SECURE_SERVING_PORT,
    SERVING_PORT,
    metadata,
    serving_pods,
    training_pods,
)

Rule = dict[str, Any]

PREDICTION_PORTS = (SERVING_PORT, SECURE_SERVING_PORT)
"""Of pods without and with TLS: two versions of a model may differ."""
CALLED_PORTS = (*PREDICTION_PORTS, GRPC_PORT)
WEB_PORTS = (80, 443)
GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"
SAME_NAMESPACE = Caller(pod_selector=Selector())
DEFAULT_PORTS = {"http": 80, "https": 443, "postgresql": 5432}
S3_PORT = 9000
"""Where S3-compatible stores inside a company usually listen; Amazon's is 443."""
METADATA_SERVICES = {
    "0.0.0.0/0": ["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32"],
    "::/0": ["fe80::/10", "fd00:ec2::/32"],
}
"""Every address but those where clouds hand out credentials."""


def build_callers_policy(model: HeartModel, profile: RuntimeProfile, closed: str = "") -> Manifest:
    """In: predictions, for those who may ask. `closed`: the version whose pods they may not reach, a candidate that is
    to be judged by the requests that its share of the traffic brings it."""
    selector: dict[str, Any] = {"matchLabels": serving_pods(model)}
    if closed:
        selector["matchExpressions"] = [{"key": Label.MODEL_VERSION, "operator": "NotIn", "values": [closed]}]
    spec: dict[str, Any] = {"podSelector": selector, "policyTypes": ["Ingress"]}
    if (peers := callers(model, profile)) is None:
        spec["ingress"] = [{"ports": tcp(*CALLED_PORTS)}]
    elif peers:
        spec["ingress"] = [{"from": peers, "ports": tcp(*CALLED_PORTS)}]
    return network_policy(model, callers_policy_name(model.name), Component.SERVING, spec)


def build_serving_policy(model: HeartModel, profile: RuntimeProfile) -> Manifest:
    """In: what every version gets: requests of the Gateway and copies of the other versions, scrapes, downloads of the
    model file. Out: names, MLflow, the model's other pods and the prediction log."""
    pods = [{"podSelector": {"matchLabels": serving_pods(model)}}]
    siblings = tcp(*PREDICTION_PORTS, MANAGEMENT_PORT)
    log = database(profile, model.spec.serving.prediction_log.sink == "PostgreSQL")
    return policy(
        model,
        Component.SERVING,
        ingress=[{"from": pods, "ports": siblings}, scrapers(profile), *gateways(model, profile)],
        egress=[dns(), server(profile.tracking_uri), *log, *issuer(model), {"to": pods, "ports": siblings}],
    )


def build_training_policy(model: HeartModel, profile: RuntimeProfile) -> Manifest:
    """In: nothing, but for workers of one training each other. Out: the same, names, MLflow, and where the data is: the
    web, the prediction log.

    Workers choose ports of their own. They are admitted by their model and not by their Job, whose name is not known.
    """
    dataset = model.spec.dataset
    if dataset is None:
        return build_coordinator_policy(model, profile)
    log = database(profile, dataset.include_feedback)
    workers = {"podSelector": {"matchLabels": training_pods(model)}}
    several = model.spec.training.scale.workers is not None
    egress = [dns(), server(profile.tracking_uri), *log, *data_source(dataset.uri)]
    return policy(
        model,
        Component.TRAINING,
        ingress=[{"from": [workers]}] if several else [],
        egress=[*egress, *([{"to": [workers]}] if several else [])],
    )


def build_coordinator_policy(model: HeartModel, profile: RuntimeProfile) -> Manifest:
    """In: sites, to the port for them, and the operator, to what it asks for progress. Out: names and MLflow.

    Sites outside the cluster come through whatever publishes the Service. Only keys that the coordinator knows get an
    answer there, whoever connects.
    """
    fleet: Rule = {"ports": tcp(FLEET_PORT)}
    egress = [dns(), server(profile.tracking_uri)]
    return policy(model, Component.TRAINING, ingress=[fleet, scrapers(profile, PROGRESS_PORT)], egress=egress)


def build_check_policy(model: HeartModel, profile: RuntimeProfile) -> Manifest:
    """In: nothing. Out: names, MLflow and the prediction log."""
    egress = [dns(), server(profile.tracking_uri), *database(profile, True)]
    return policy(model, Component.CHECK, ingress=[], egress=egress)


def policy(model: HeartModel, component: str, *, ingress: list[Rule], egress: list[Rule]) -> Manifest:
    """Nothing that is not named is allowed; the API server drops an empty list, so none is written."""
    allowed = {"ingress": ingress, "egress": egress}
    spec = {
        "podSelector": {"matchLabels": {Label.MODEL: model.name, Label.COMPONENT: component}},
        "policyTypes": ["Ingress", "Egress"],
        **{direction: found for direction, found in allowed.items() if found},
    }
    return network_policy(model, child_name(model.name, component), component, spec)


def network_policy(model: HeartModel, name: str, component: str, spec: dict[str, Any]) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(model, name, component),
        "spec": spec,
    }


def callers(model: HeartModel, profile: RuntimeProfile) -> list[Rule] | None:
    """Peers that may ask for predictions; None: every pod, because requests come from outside the cluster through
    controllers that the profile does not locate."""
    serving = model.spec.serving
    if (serving.ingress or serving.route) and not profile.ingress_namespaces:
        return None
    default: tuple[Caller, ...] = (SAME_NAMESPACE, *profile.callers)
    named = default if serving.callers is None else serving.callers
    found = [caller.dump() for caller in named]
    return [*found, *entrances(model, profile)]


def gateways(model: HeartModel, profile: RuntimeProfile) -> list[Rule]:
    """An HTTPRoute sends a candidate its share of the requests."""
    if not model.spec.serving.route:
        return []
    ports = {"ports": tcp(*CALLED_PORTS)}
    return [{"from": entrances(model, profile), **ports}] if profile.ingress_namespaces else [ports]


def entrances(model: HeartModel, profile: RuntimeProfile) -> list[Rule]:
    """Peers through which requests come from outside: what the profile lists, and the pods of the route's Gateway where
    its controller labels them as the Gateway API has it (GEP-1762)."""
    found = namespaces(profile.ingress_namespaces)
    if route := model.spec.serving.route:
        (peer,) = namespaces([route.gateway.namespace or model.namespace])
        found.append(peer | {"podSelector": {"matchLabels": {GATEWAY_LABEL: route.gateway.name}}})
    return found


def scrapers(profile: RuntimeProfile, port: int = MANAGEMENT_PORT) -> Rule:
    """Prometheus and the operator."""
    rule: Rule = {"ports": tcp(port)}
    return {"from": namespaces(profile.monitoring_namespaces), **rule} if profile.monitoring_namespaces else rule


def namespaces(names: Iterable[str]) -> list[Rule]:
    """All pods of the namespaces of these names, as one peer; none of no names."""
    if not (values := sorted(set(names))):
        return []
    named = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": values}
    return [{"namespaceSelector": {"matchExpressions": [named]}}]


def dns() -> Rule:
    """Anywhere: cluster DNS, a node-local cache, or a resolver outside the cluster."""
    return {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}


def server(uri: str) -> Rule:
    """A server's port; in its own namespace alone, where the address says which (`mlflow.heartops.svc`)."""
    parts = urlsplit(uri)
    rule: Rule = {"ports": tcp(parts.port or DEFAULT_PORTS.get(parts.scheme, 443))}
    labels = (parts.hostname or "").split(".")
    if len(labels) > 2 and labels[2] == "svc":
        namespace = {"matchLabels": {"kubernetes.io/metadata.name": labels[1]}}
        return {"to": [{"namespaceSelector": namespace}], **rule}
    return rule


def database(profile: RuntimeProfile, wanted: bool) -> list[Rule]:
    """The prediction log's server, for pods that use it, where the profile says where it is."""
    return [server(f"postgresql://{profile.database_address}")] if wanted and profile.database_address else []


def issuer(model: HeartModel) -> list[Rule]:
    """Where the keys of accepted tokens are, if they come from an address."""
    found = model.spec.serving.jwt
    return [server(found.jwks_url)] if found and found.jwks_url else []


def data_source(uri: str) -> list[Rule]:
    """The web's ports for data that comes over the network; nothing for data that is mounted or built in."""
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https", "s3", "gs", "dvc+http", "dvc+https"):
        return []
    ports = {*WEB_PORTS}
    if parts.scheme == "s3" or parts.scheme.startswith("dvc+"):  # DVC's remote may be a bucket
        ports.add(S3_PORT)
    if parts.scheme not in ("s3", "gs") and parts.port:
        ports.add(parts.port)
    blocks = [{"ipBlock": {"cidr": cidr, "except": rejected}} for cidr, rejected in METADATA_SERVICES.items()]
    return [{"to": blocks, "ports": tcp(*sorted(ports))}]


def tcp(*ports: int) -> list[Rule]:
    return [{"protocol": "TCP", "port": port} for port in ports]
