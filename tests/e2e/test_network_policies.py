"""NetworkPolicies that are enforced: who reaches what, from pods of two namespaces. The rest of the tests run without.

kube-network-policies judges the connections (`python3 -m hack.cluster enforce`); everything here, a training and a
canary included, runs under it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.kit import (
    RELEASE,
    ROOT,
    SYSTEM,
    TRAINING,
    Model,
    Object,
    apply,
    declare,
    eventually,
    example,
    get,
    items,
    kubectl,
    new_namespace,
    require,
)
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.outage,
    pytest.mark.skipif(not SOAK, reason="builds kube-network-policies, two minutes; in make test-soak"),
]

QUICK = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
PREDICTIONS, MANAGEMENT = 8080, 8081
OPEN, CLOSED = "open", "closed"
ASK = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 4).close()
    print("open")
except OSError:
    print("closed")
"""


def set_enforcement(*words: str) -> None:
    cluster = os.environ.get("HEARTOPS_CLUSTER", "")
    require(bool(cluster), "network plugin that this test can switch")
    command = (sys.executable, "-m", "hack.cluster", "enforce", "--name", cluster, *words)
    subprocess.run(command, cwd=ROOT, check=True, timeout=600)


@pytest.fixture(scope="module")
def enforced(product: None) -> Iterator[None]:
    set_enforcement()
    yield
    set_enforcement("--off")


@pytest.fixture(scope="module")
def visitors(enforced: None, namespace: str, images: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Namespaces with a pod each that tries: the model's own, and another tenant's."""
    with new_namespace() as other:
        for name in (namespace, other):
            apply(visitor(name, images["serving"]))
        for name in (namespace, other):
            kubectl("wait", "--for=condition=Ready", "pod/visitor", "-n", name, "--timeout=90s")
        yield namespace, other


def visitor(namespace: str, image: str) -> Object:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    sleep = ["python3", "-c", "import time; time.sleep(3600)"]
    pod = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {"name": "visitor", "image": image, "command": sleep, "securityContext": security}
    spec = {"automountServiceAccountToken": False, "securityContext": pod, "containers": [container]}
    metadata = {"name": "visitor", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def model(enforced: None, namespace: str) -> Model:
    """Trained, served and rolled out under enforcement; its candidate waits at the first step."""
    manifest = example("iris", namespace)
    steps = [{"setWeight": 50}, {"pause": {}}]
    manifest["spec"] |= {"training": QUICK, "serving": {"replicas": 1}}
    manifest["spec"]["rollout"] = {"readyDeadline": "4m", "steps": steps}
    found = declare(manifest)
    found.wait_serving("1", TRAINING)
    found.patch(training={**QUICK, "seed": 2})
    eventually(lambda: any(found.pods("2").values()), TRAINING, "a ready candidate")
    return found


def reached(namespace: str, host: str, port: int) -> str:
    """What a connection from the namespace's visitor meets."""
    return kubectl("exec", "visitor", "-n", namespace, "--", "python3", "-c", ASK, host, port).strip()


def pod_address(namespace: str, name: str) -> str:
    return str(get("pod", name, "-n", namespace)["status"]["podIP"])


def address_of(model: Model, version: str) -> str:
    return pod_address(model.namespace, next(iter(model.pods(version))))


def test_a_models_pods_are_called_from_their_own_namespace_alone(model: Model, visitors: tuple[str, str]) -> None:
    """Its stable version, its candidate and its Service."""
    own, other = visitors
    service = f"{model.name}.{model.namespace}.svc"
    places = {"version 1": (address_of(model, "1"), PREDICTIONS), "version 2": (address_of(model, "2"), PREDICTIONS)}
    places["the Service"] = (service, 80)
    assert {what: reached(own, *where) for what, where in places.items()} == dict.fromkeys(places, OPEN)
    assert {what: reached(other, *where) for what, where in places.items()} == dict.fromkeys(places, CLOSED)


def test_the_installations_stores_answer_no_tenants_pod(visitors: tuple[str, str]) -> None:
    places = {f"{RELEASE}-mlflow": 5000, f"{RELEASE}-postgresql": 5432}
    found = {
        (where, name): reached(where, f"{name}.{SYSTEM}.svc", port)
        for where in visitors
        for name, port in places.items()
    }
    assert found == dict.fromkeys(found, CLOSED)


def test_without_enforcement_the_policies_are_only_written_down(model: Model, visitors: tuple[str, str]) -> None:
    """Last, and the proof that the tests above would notice."""
    set_enforcement("--off")
    _, other = visitors
    assert reached(other, address_of(model, "2"), PREDICTIONS) == OPEN
    operator = items("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator")
    assert operator, "it has lived through all of it"
