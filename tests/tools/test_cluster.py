"""The cluster itself: the parts that the product's tests rely on. Needs only KUBECONFIG (and kubectl)."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from hack.cluster.lock import locked
from hack.cluster.paths import bin_dir

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("KUBECONFIG"), reason="needs a cluster: set KUBECONFIG"),
]
PROMETHEUS = "/api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy/api/v1"


def kubectl(*words: str, text: str | None = None) -> str:
    command = shutil.which("kubectl") or str(bin_dir() / "kubectl")
    return subprocess.run([command, *words], input=text, check=True, capture_output=True, text=True).stdout


def eventually(check: Callable[[], object], seconds: float = 60) -> object:
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.5)
    return value


@pytest.fixture(scope="module", autouse=True)
def leaning() -> Iterator[None]:
    """While these tests run, tests/e2e/test_outages.py stops nothing."""
    with locked("leaning", shared=True):
        yield


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"cluster-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def test_every_node_is_ready() -> None:
    for node in json.loads(kubectl("get", "nodes", "-o", "json"))["items"]:
        conditions = {each["type"]: each["status"] for each in node["status"]["conditions"]}
        assert conditions["Ready"] == "True"


def test_pod_reaches_a_service_by_name() -> None:
    """Name, Service address and exec, with the one image of the cluster that has a client in it."""
    pod = kubectl("-n", "monitoring", "get", "pods", "-l", "app.kubernetes.io/name=prometheus", "-o", "name").split()[0]
    answer = kubectl(
        "-n",
        "monitoring",
        "exec",
        pod,
        "-c",
        "prometheus",
        "--",
        "promtool",
        "query",
        "instant",
        "http://prometheus-operated.monitoring.svc:9090",
        "vector(41)",
    )
    assert "41" in answer


def test_metrics_api_has_figures() -> None:
    def figures() -> list[dict]:
        return json.loads(kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/pods"))["items"]

    pods = eventually(figures)
    assert all(container["usage"]["cpu"] for pod in pods for container in pod["containers"])


def test_prometheus_scrapes_its_targets() -> None:
    def healthy() -> bool:
        targets = json.loads(kubectl("get", "--raw", f"{PROMETHEUS}/targets?state=active"))["data"]["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)

    eventually(healthy)


def test_prometheus_loads_rules(namespace: str) -> None:
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "probe", "labels": {"release": "prometheus"}},
        "spec": {"groups": [{"name": namespace, "rules": [{"record": "probe:one", "expr": "vector(1)"}]}]},
    }
    kubectl("-n", namespace, "apply", "-f", "-", text=json.dumps(rule))
    eventually(lambda: namespace in kubectl("get", "--raw", f"{PROMETHEUS}/rules"), seconds=120)
