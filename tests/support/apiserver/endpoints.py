"""Plays the endpoint controller where pods have no addresses: for those of a version, one server answers."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from heart_api.kube.kinds import POD, SERVICE, Kind
from heart_api.names import Label
from tests.support.apiserver.client import Resource
from tests.support.apiserver.world import World

ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")
MANAGER = "tests"


def publish(world: World, service: str, servers: Mapping[str, str]) -> None:
    """Let the Service lead to the servers (URLs by version) of the ready pods that it selects."""
    selected = selected_versions(world, service)
    for version, url in servers.items():
        manifest = endpoint_slice(service, version, url, ready=version in selected)
        path = ENDPOINT_SLICE.path(world.namespace, manifest["metadata"]["name"])
        world.api.call("PATCH", path, manifest, "application/apply-patch+yaml", fieldManager=MANAGER, force="true")


def selected_versions(world: World, service: str) -> set[str]:
    """None while there is no such Service."""
    found = world.api.get(SERVICE, world.namespace, service)
    if not found:
        return set()
    selector = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"].items())
    pods = world.api.list(POD, world.namespace, selector)
    return {pod["metadata"]["labels"][Label.MODEL_VERSION] for pod in pods if is_ready(pod)}


def is_ready(pod: Resource) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def endpoint_slice(service: str, version: str, url: str, *, ready: bool) -> Resource:
    """One for each version: two servers have two ports, and a slice has one."""
    at = urlsplit(url)
    labels = {"kubernetes.io/service-name": service, "endpointslice.kubernetes.io/managed-by": MANAGER}
    return {
        "apiVersion": ENDPOINT_SLICE.api_version,
        "kind": ENDPOINT_SLICE.kind,
        "metadata": {"name": f"{service}-{version}", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [at.hostname], "conditions": {"ready": True}}] if ready else [],
        "ports": [{"name": "http", "port": at.port}],
    }
