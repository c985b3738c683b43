"""NetworkPolicies enforced on real packets: what the operator and the chart wrote, judged by kube-network-policies.

Pods are network namespaces that have the addresses of the API's Pod objects; the operator runs in process.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.cluster.paths import policies_dir
from heart_api.kube.kinds import POD
from heart_api.names import Component, Label
from tests.api.conftest import CLUSTER, ROOT, Kubectl, render_part
from tests.support.apiserver.client import KubeApi, Resource, poll
from tests.support.apiserver.lifecycle import retrain
from tests.support.apiserver.network import Network, at, enforced, network
from tests.support.apiserver.world import OPERATOR_NAMESPACE, World
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(not SOAK, reason="compiles kube-network-policies: in make test-soak"),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root"),
    pytest.mark.timeout(1200),
]

PREDICTIONS, MANAGEMENT, METRICS, MLFLOW, POSTGRESQL = 8080, 8081, 8443, 5000, 5432
PODS = ("own", "other", "v1", "v2", "operator", "mlflow", "postgresql", "prometheus")
OPEN, CLOSED = "open", "closed"
MONITORING = "watchers"
ADDON = ROOT / "hack/cluster/addons/kube-network-policies.yaml"


@pytest.fixture(scope="module")
def judged(kubectl: Kubectl, kube_api: KubeApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network on which policies hold."""
    subprocess.run((*CLUSTER, "build", "--network-policies"), cwd=ROOT, check=True)
    rights = [item for item in yaml.safe_load_all(ADDON.read_text()) if item["kind"] != "DaemonSet"]
    done = kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": rights})
    assert done.returncode == 0, done.stderr
    token = kubectl("create", "token", "kube-network-policies", "-n", "kube-system").stdout.strip()
    binary = policies_dir() / "bin" / "cmd"
    ports = (PREDICTIONS, MANAGEMENT, METRICS, MLFLOW, POSTGRESQL)
    folder = tmp_path_factory.mktemp("engine")
    with network(PODS, ports) as found, enforced(found, kube_api, token, binary, folder):
        yield found


def start_pod(api: KubeApi, namespace: str, name: str, address: str, **labels: str) -> None:
    spec: Resource = {"containers": [{"name": "main", "image": "none"}], "automountServiceAccountToken": False}
    api.create(POD, {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": spec})
    api.patch(POD, namespace, name, at(address), "status")


def give_address(world: World, version: str, address: str) -> None:
    """To the first serving pod of a version, once there is one."""
    chosen = {Label.MODEL: "heart", Label.COMPONENT: Component.SERVING, Label.MODEL_VERSION: version}
    selector = ",".join(f"{name}={value}" for name, value in chosen.items())
    pod = poll(f"a pod of version {version}", lambda: world.api.list(POD, world.namespace, selector), 60)[0]
    world.api.patch(POD, world.namespace, pod["metadata"]["name"], at(address), "status")


def reached(judged: Network, caller: str, *places: tuple[str, int]) -> dict[tuple[str, int], str]:
    return {where: judged.reach(caller, *where) for where in places}


def holds(judged: Network, caller: str, expected: dict[tuple[str, int], str]) -> None:
    """Policies reach the engine by a watch."""
    poll(f"{caller}: {expected}", lambda: reached(judged, caller, *expected) == expected, 60)


@pytest.fixture
def tenants(judged: Network, world: World) -> Iterator[str]:
    """A pod of the model's own namespace, and one of another tenant's; the name of the latter's namespace."""
    other = f"{world.namespace}-other"
    world.api.create_namespace(other)
    start_pod(world.api, world.namespace, "visitor", judged.addresses["own"])
    start_pod(world.api, other, "visitor", judged.addresses["other"])
    yield other
    for namespace in (world.namespace, other):
        world.api.delete(POD, namespace, "visitor")


def test_another_tenants_pod_reaches_neither_a_model_nor_its_candidate(
    judged: Network, world: World, tenants: str
) -> None:
    places: tuple[tuple[str, int], ...] = (("v1", PREDICTIONS), ("v2", PREDICTIONS))
    assert set(reached(judged, "other", *places).values()) == {OPEN}, "without policies everybody reaches everything"
    with world.start():
        world.create(rollout={"steps": [{"setWeight": 50}, {"pause": {}}]})
        world.wait_serving("1", seconds=60)
        give_address(world, "1", judged.addresses["v1"])
        retrain(world)
        give_address(world, "2", judged.addresses["v2"])
        holds(judged, "own", dict.fromkeys(places, OPEN))
        holds(judged, "other", dict.fromkeys(places, CLOSED))
        holds(judged, "v1", {("v2", PREDICTIONS): OPEN, ("v2", MANAGEMENT): OPEN, ("own", PREDICTIONS): CLOSED})


def test_metrics_and_stores_answer_whom_the_chart_names(
    judged: Network, world: World, tenants: str, kubectl: Kubectl, tools: Path
) -> None:
    """`monitoring.namespaces` closes the metrics of the operator to everybody else."""
    world.api.create_namespace(MONITORING)
    settings = (f"monitoring.namespaces={{{MONITORING}}}",)
    policies = render_part(tools, OPERATOR_NAMESPACE, "networkpolicies.yaml", settings=settings)
    done = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=policies)
    assert done.returncode == 0, done.stderr
    try:
        start_pod(world.api, MONITORING, "prometheus", judged.addresses["prometheus"])
        for component in ("operator", "mlflow", "postgresql"):
            start_pod(world.api, OPERATOR_NAMESPACE, component, judged.addresses[component], **selected(component))
        places = ("operator", METRICS), ("mlflow", MLFLOW), ("postgresql", POSTGRESQL)
        for caller in ("own", "other"):
            holds(judged, caller, dict.fromkeys(places, CLOSED))
        holds(judged, "prometheus", {("operator", METRICS): OPEN, ("postgresql", POSTGRESQL): CLOSED})
    finally:
        for component in ("operator", "mlflow", "postgresql"):
            world.api.delete(POD, OPERATOR_NAMESPACE, component)
        kubectl("delete", "--ignore-not-found", "-f", "-", stdin=policies)


def selected(component: str) -> dict[str, Any]:
    """The labels by which the chart's policies know its pods."""
    return {
        "app.kubernetes.io/name": "heartops",
        "app.kubernetes.io/instance": "heartops",
        "app.kubernetes.io/component": component,
        Label.PART_OF: "heartops",
    }
