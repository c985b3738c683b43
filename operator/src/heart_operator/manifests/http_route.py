"""The HTTPRoute of the Gateway API: how users reach the model, and how a canary splits their requests exactly."""

from typing import Any

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, candidate_service_name
from heart_api.paths import PREDICT, cut_prefix, is_predict
from heart_api.serving import Route
from heart_operator.manifests.common import HTTP_PORT, HTTPS_PORT, metadata

GATEWAY_API = "gateway.networking.k8s.io"


def build_http_route(model: HeartModel, route: Route, weight: int, secure: bool, candidate_secure: bool) -> Manifest:
    """`weight` percent of the requests go to the candidate's Service, the others to the model's. `secure`,
    `candidate_secure`: whether the pods behind each of them speak TLS.

    The path prefix is cut off by the Gateway, as pods do with an Ingress' path: they need not know it, so that a change
    counts at once.
    """
    targets = backends(model.name, weight, secure, candidate_secure)
    spec: dict[str, Any] = {"parentRefs": [parent(route)], "rules": rules(route.path_prefix, targets)}
    if route.hostnames:
        spec["hostnames"] = list(route.hostnames)
    return {
        "apiVersion": f"{GATEWAY_API}/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(model, model.name, Component.SERVING),
        "spec": spec,
    }


def rules(path_prefix: str, targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The prefix `/predict/NAME` alone is the model's `/predict`; an exact match goes before a prefix."""
    prefix = cut_prefix(path_prefix)
    if not prefix:
        return [rule("PathPrefix", path_prefix, {}, targets)]
    below = rule("PathPrefix", path_prefix, {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}, targets)
    if not is_predict(prefix):
        return [below]
    return [rule("Exact", prefix, {"type": "ReplaceFullPath", "replaceFullPath": PREDICT}, targets), below]


def rule(match: str, path: str, rewrite: dict[str, str], targets: list[dict[str, Any]]) -> dict[str, Any]:
    """Requests that match go to the targets; an empty rewrite leaves their path as it is."""
    found: dict[str, Any] = {"matches": [{"path": {"type": match, "value": path}}], "backendRefs": targets}
    return found | {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": rewrite}}]} if rewrite else found


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
