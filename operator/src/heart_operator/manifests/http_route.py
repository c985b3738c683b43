"""The HTTPRoute of the Gateway API: how users reach the model, and how a canary splits their requests exactly."""

from typing import Any

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, candidate_service_name
from heart_api.serving import Route
from heart_operator.manifests.common import HTTP_PORT, HTTPS_PORT, metadata

GATEWAY_API = "gateway.networking.k8s.io"


def build_http_route(model: HeartModel, route: Route, weight: int, secure: bool, candidate_secure: bool) -> Manifest:
    """`weight` percent of the requests go to the candidate's Service, the others to the model's. `secure`,
    `candidate_secure`: whether the pods behind each of them speak TLS.

    The path prefix is cut off: a model answers the same paths wherever it is routed to.
    """
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": route.path_prefix}}],
        "backendRefs": backends(model.name, weight, secure, candidate_secure),
    }
    if route.path_prefix != "/":
        rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
        rule["filters"] = [{"type": "URLRewrite", "urlRewrite": rewrite}]
    spec: dict[str, Any] = {"parentRefs": [parent(route)], "rules": [rule]}
    if route.hostnames:
        spec["hostnames"] = list(route.hostnames)
    return {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(model, model.name, Component.SERVING),
        "spec": spec,
    }


def parent(route: Route) -> dict[str, Any]:
    """The Gateway, by default one of the model's own namespace."""
    found = {"group": GATEWAY_API, "kind": "Gateway", "name": route.gateway.name}
    return found | {"namespace": route.gateway.namespace} if route.gateway.namespace else found


def backends(model: str, weight: int, secure: bool, candidate_secure: bool) -> list[dict[str, Any]]:
    """The candidate's Service is named only while it gets requests: at other times there may be none."""
    found = [backend(model, 100 - weight, secure)]
    return [*found, backend(candidate_service_name(model), weight, candidate_secure)] if weight else found


def backend(service: str, weight: int, secure: bool) -> dict[str, Any]:
    port = HTTPS_PORT if secure else HTTP_PORT
    return {"group": "", "kind": "Service", "name": service, "port": port, "weight": weight}
