"""A real kube-apiserver with our CRDs, shared by every api test of one run.

`KUBECONFIG` is ignored on purpose: these tests create and break things.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from heart_api.names import short_hash
from tests.support.apiserver.client import KubeApi
from tests.support.apiserver.world import OPERATOR_NAMESPACE, World, configuration_for

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = (sys.executable, "-m", "hack.cluster")
HERE = Path(__file__).parent
LONGEST_FIRST = (
    "test_schedules",
    "test_operator_memory",
    "test_interruptions",
    "test_resilience",
    "test_kubectl_heart",
    "test_recovery",
    "test_outage",
    "test_watches",
    "test_prometheus",
    "test_quiet",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers take whole files, the longest first: none is left alone with a long one at the end."""
    known = {name: position for position, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: known.get(item.path.stem, len(known)) if HERE in item.path.parents else 0)


@dataclass(frozen=True)
class Kubectl:
    """kubectl as the cluster's administrator."""

    binary: Path
    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: Any = None) -> subprocess.CompletedProcess[str]:
        """Run it whatever comes out; `stdin` is text, or objects as data that are handed over as JSON."""
        return subprocess.run(
            (str(self.binary), *arguments),
            input=stdin if stdin is None or isinstance(stdin, str) else json.dumps(stdin),
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def read(self, *arguments: str) -> Any:
        """The answer as data; fails the test when kubectl fails."""
        done = self(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="session")
def tools() -> Path:
    """Folder of kubectl, promtool and the rest, as `make test-api` builds it."""
    folder = Path(
        subprocess.run((*CLUSTER, "tools"), cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    )
    assert (folder / "kube-apiserver").exists(), "the tools are not built yet: run `make cluster-build`"
    return folder


@pytest.fixture(scope="session")
def api_server(tools: Path) -> Iterator[Path]:
    """Kubeconfig of an API server (with etcd and the controllers, without a node) that knows our CRDs."""
    name = f"api{os.getpid() % 100_000}"
    try:
        subprocess.run((*CLUSTER, "up", "--control-plane-only", "--name", name), cwd=ROOT, check=True)
        found = subprocess.run(
            (*CLUSTER, "kubeconfig", "--name", name), cwd=ROOT, capture_output=True, text=True, check=True
        )
        kubeconfig = Path(found.stdout.strip())
        install_crds(Kubectl(tools / "kubectl", kubeconfig), tools)
        install_part(Kubectl(tools / "kubectl", kubeconfig), tools, "admission.yaml", "user-roles.yaml")
        yield kubeconfig
    finally:
        subprocess.run((*CLUSTER, "down", "--name", name), cwd=ROOT, check=True)


def install_crds(kubectl: Kubectl, tools: Path) -> None:
    """Ours, and those of the Prometheus Operator that we write."""
    prometheus = tools.parent / "crds" / "prometheus-operator"
    kinds = ("servicemonitors", "prometheusrules")
    files = (ROOT / "crds", *(prometheus / f"monitoring.coreos.com_{kind}.yaml" for kind in kinds))
    for file in files:
        done = kubectl("apply", "--server-side", "-f", str(file))
        assert done.returncode == 0, done.stderr
    done = kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    assert done.returncode == 0, done.stderr


def install_part(kubectl: Kubectl, tools: Path, *templates: str) -> None:
    """Some files of the chart, rendered for the operator's namespace."""
    done = kubectl("apply", "--server-side", "-f", "-", stdin=render_part(tools, OPERATOR_NAMESPACE, *templates))
    assert done.returncode == 0, done.stderr


def render_part(tools: Path, namespace: str, *templates: str, settings: Sequence[str] = ()) -> str:
    """Some files of the chart. `settings`: values, as `--set` takes them."""
    command = (str(tools / "helm"), "template", "heartops", str(ROOT / "charts" / "heartops"))
    values = (word for setting in settings for word in ("--set", setting))
    options = ("--namespace", namespace, "--kube-version", "1.34", *values)
    shown = (word for name in templates for word in ("--show-only", f"templates/{name}"))
    return subprocess.run((*command, *options, *shown), capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def kubectl(tools: Path, api_server: Path) -> Kubectl:
    return Kubectl(tools / "kubectl", api_server)


@pytest.fixture(scope="session")
def kube_api(api_server: Path) -> Iterator[KubeApi]:
    api = KubeApi(api_server)
    yield api
    api.close()


@pytest.fixture(scope="session")
def operator_account(
    tools: Path, kubectl: Kubectl, kube_api: KubeApi, tmp_path_factory: pytest.TempPathFactory
) -> Configuration:
    """The operator's own account with the chart's roles and nothing more: a missing right fails the tests."""
    kube_api.create_namespace(OPERATOR_NAMESPACE)
    install_part(kubectl, tools, "rbac.yaml")
    folder = tmp_path_factory.mktemp("operator")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
    path = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts/heartops/token"
    return configuration_for(kube_api, kube_api.call("POST", path, request)["status"]["token"], folder)


@pytest.fixture
def world(
    request: pytest.FixtureRequest,
    api_server: Path,
    kube_api: KubeApi,
    operator_account: Configuration,
    tmp_path: Path,
) -> Iterator[World]:
    """A namespace of the test's own, with everything that an operator needs; `world.start()` starts one."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    namespace = f"{name[:50].rstrip('-')}-{short_hash(str(tmp_path))[:4]}"
    with World(kube_api, operator_account, namespace, tmp_path, api_server.parent / "audit.log") as world:
        yield world
