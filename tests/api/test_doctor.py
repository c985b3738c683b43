"""`kubectl heart doctor` on a real API server: each thing that is missing, with its fix; nothing once it is there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heart_api.kube.kinds import POD, SECRET
from tests.api.conftest import Kubectl, render_part
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.users import Person, make_person
from tests.support.apiserver.world import OPERATOR_NAMESPACE, World

pytestmark = pytest.mark.api

Findings = dict[str, list[dict[str, str]]]
PARTS = ("rbac.yaml", "operator.yaml", "runtimes.yaml", "mlflow.yaml", "postgresql.yaml", "registry-rbac.yaml")
WATCHED = ("servicemonitors.yaml", "alerts.yaml", "networkpolicies.yaml")
RELEASE_LABEL = {"matchLabels": {"release": "stack"}}


@pytest.fixture(scope="module")
def installed(kubectl: Kubectl, kube_api: KubeApi, tools: Path) -> Iterator[str]:
    """The chart's objects in a namespace of their own, without a node that would run them."""
    namespace = "doctor-system"
    kube_api.create_namespace(namespace)
    text = render_part(tools, namespace, *PARTS, *WATCHED, settings=("monitoring.serviceMonitor=true",))
    done = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    yield namespace
    kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", stdin=text)
    roles = render_part(tools, OPERATOR_NAMESPACE, "rbac.yaml")  # their names are the same: others' are back
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=roles)


@pytest.fixture(scope="module")
def prometheus_crd(kubectl: Kubectl, tools: Path) -> Iterator[None]:
    file = tools.parent / "crds" / "prometheus-operator" / "monitoring.coreos.com_prometheuses.yaml"
    assert kubectl("apply", "--server-side", "-f", str(file)).returncode == 0
    poll("the kind Prometheus", lambda: kubectl("get", "prometheuses", "-A").returncode == 0, 30)
    yield
    kubectl("delete", "-f", str(file))


@pytest.fixture
def admin(api_server: Path, tools: Path) -> Person:
    return Person("admin", api_server, tools)


def examine(person: Person, world: World, system: str) -> tuple[int, Findings]:
    """Exit code, and the findings by area."""
    done = person("doctor", "-n", world.namespace, "--system-namespace", system, "-o", "json")
    assert done.stdout, done.stderr
    found: Findings = {}
    for finding in json.loads(done.stdout)["findings"]:
        found.setdefault(finding["area"], []).append(finding)
    return done.returncode, found


def problems(found: Findings, area: str) -> list[dict[str, str]]:
    return [finding for finding in found.get(area, []) if finding["level"] == "problem"]


def levels(found: Findings, area: str) -> set[str]:
    return {finding["level"] for finding in found[area]}


def make_ready(api: KubeApi, namespace: str) -> int:
    """Pods become ready as on a node; the controllers of this API server count them. How many there are."""
    pods = api.list(POD, namespace)
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    for pod in pods:
        api.patch(POD, namespace, pod["metadata"]["name"], {"status": ready}, "status")
    return len(pods)


def test_an_installation_that_does_not_run_yet(world: World, admin: Person, installed: str) -> None:
    code, found = examine(admin, world, installed)
    assert code == 1
    assert levels(found, "CRDs") == {"ok"}
    assert problems(found, "operator")[0]["message"].startswith("Deployment heartops-operator: ")
    assert problems(found, "MLflow")[0]["fix"].startswith(f"kubectl describe pods -n {installed}")
    assert problems(found, "database")


def test_what_runs_is_fine(world: World, admin: Person, installed: str) -> None:
    poll("pods of operator, MLflow and PostgreSQL", lambda: make_ready(world.api, installed) >= 3, 60)

    def fine() -> bool:
        found = examine(admin, world, installed)[1]
        return all(levels(found, area) == {"ok"} for area in ("operator", "MLflow", "database"))

    poll("the doctor to find them ready", fine, 60)


def test_no_operator_at_all(world: World, admin: Person) -> None:
    code, found = examine(admin, world, world.namespace)
    assert code == 1
    (problem,) = problems(found, "operator")
    assert "--system-namespace" in problem["fix"]


def test_a_namespace_that_was_not_prepared_and_then_is(world: World, admin: Person, installed: str) -> None:
    _, before = examine(admin, world, installed)
    assert problems(before, "Secret")[0]["fix"] == f"kubectl heart init-namespace {world.namespace}"
    assert any("RoleBinding" in finding["message"] for finding in problems(before, "permissions"))
    done = admin("init-namespace", world.namespace, "--no-log")
    assert done.returncode == 0, done.stderr
    _, after = examine(admin, world, installed)
    assert (levels(after, "Secret"), levels(after, "permissions")) == ({"ok"}, {"ok"})


def test_a_prediction_log_needs_its_address(world: World, admin: Person, installed: str) -> None:
    world.create(serving={"predictionLog": {"sink": "PostgreSQL"}})
    meta = {"name": "heartops-runtime", "namespace": world.namespace}
    world.api.create(SECRET, {"metadata": meta, "stringData": {"HEARTOPS_ROW_KEY": "k"}})
    _, found = examine(admin, world, installed)
    assert "HEARTOPS_DATABASE_URL" in problems(found, "Secret")[0]["message"]


def test_the_operators_permissions(world: World, admin: Person, installed: str, kubectl: Kubectl) -> None:
    """Its role is taken away and comes back."""
    assert kubectl("delete", "clusterrolebinding", "heartops").returncode == 0
    try:
        _, found = examine(admin, world, installed)
    finally:
        binding = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "heartops"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "heartops"},
            "subjects": [{"kind": "ServiceAccount", "name": "heartops", "namespace": installed}],
        }
        assert kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=binding).returncode == 0
    assert any("may not" in finding["message"] for finding in problems(found, "permissions"))


def prometheus(world: World, name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": spec,
    }


def test_prometheus_selectors(
    world: World, admin: Person, installed: str, kubectl: Kubectl, tools: Path, prometheus_crd: None
) -> None:
    """None; one that selects a label that nothing has, with the fix; one that selects everything, but may not reach
    MLflow; one that may."""
    _, found = examine(admin, world, installed)
    assert levels(found, "monitoring") == {"note"}
    everywhere = {"serviceMonitorNamespaceSelector": {}, "ruleNamespaceSelector": {}}
    stack = prometheus(world, "stack", serviceMonitorSelector=RELEASE_LABEL, ruleSelector=RELEASE_LABEL, **everywhere)
    assert kubectl("apply", "-f", "-", stdin=stack).returncode == 0
    _, found = examine(admin, world, installed)
    assert {problem["fix"] for problem in problems(found, "monitoring")} == {
        "helm upgrade heartops charts/heartops --reuse-values --set monitoring.labels.release=stack"
    }
    open_one = prometheus(world, "open", serviceMonitorSelector={}, ruleSelector={}, **everywhere)
    assert kubectl("apply", "-f", "-", stdin=open_one).returncode == 0
    _, found = examine(admin, world, installed)
    (denied,) = problems(found, "monitoring")
    assert f"--serviceaccount={world.namespace}:default" in denied["fix"]
    name = f"reader-{world.namespace}"
    role = ("--clusterrole=heartops-metrics-reader", f"--serviceaccount={world.namespace}:default")
    assert kubectl("create", "clusterrolebinding", name, *role).returncode == 0
    _, found = examine(admin, world, installed)
    (closed,) = [finding for finding in found["monitoring"] if finding["level"] != "ok"]
    assert closed["message"].endswith(f"keep namespace {world.namespace} from the metrics of mlflow")
    assert closed["fix"].endswith(f"--set 'monitoring.namespaces={{{world.namespace}}}'")
    named = (f"monitoring.namespaces={{{world.namespace}}}", "monitoring.serviceMonitor=true")
    policies = render_part(tools, installed, "networkpolicies.yaml", settings=named)
    assert kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=policies).returncode == 0
    _, found = examine(admin, world, installed)
    assert levels(found, "monitoring") == {"ok"}
    assert kubectl("-n", world.namespace, "delete", "prometheus", "--all").returncode == 0
    assert kubectl("delete", "clusterrolebinding", name).returncode == 0


def test_autoscaling_without_a_metrics_api_and_a_gateway_that_is_not_there(
    world: World, admin: Person, installed: str
) -> None:
    world.create(serving={"route": {"gateway": {"name": "public", "namespace": "gateways"}}})
    _, found = examine(admin, world, installed)
    assert "serving.replicas" in problems(found, "autoscaling")[0]["fix"]
    assert "Gateway" in problems(found, "Gateway")[0]["message"]


def test_storage_without_a_class(world: World, admin: Person, installed: str, kubectl: Kubectl) -> None:
    world.create(dataset={"uri": "pvc://cohorts/heart.csv"})
    _, found = examine(admin, world, installed)
    assert any("claim cohorts" in finding["message"] for finding in problems(found, "storage"))
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "cohorts", "namespace": world.namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    assert kubectl("apply", "-f", "-", stdin=claim).returncode == 0
    _, found = examine(admin, world, installed)
    (problem,) = [finding for finding in problems(found, "storage") if "cohorts" in finding["message"]]
    assert "default" in problem["fix"]


def test_an_image_that_cannot_be_pulled(world: World, admin: Person, installed: str) -> None:
    labels = {"app.kubernetes.io/part-of": "heartops"}
    meta = {"name": "heart-v1-abcde", "namespace": world.namespace, "labels": labels}
    world.api.create(POD, {"metadata": meta, "spec": {"containers": [{"name": "server", "image": "no.example/x:1"}]}})
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    container = {"name": "server", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": waiting}
    status = {"phase": "Pending", "containerStatuses": [container]}
    world.api.patch(POD, world.namespace, "heart-v1-abcde", {"status": status}, "status")
    code, found = examine(admin, world, installed)
    assert code == 1
    assert "ImagePullBackOff in server" in problems(found, "images")[0]["message"]


def test_what_a_user_may_not_read_is_said_and_the_rest_is_checked(
    world: World, kube_api: KubeApi, tools: Path, tmp_path: Path, installed: str
) -> None:
    vera = make_person(kube_api, tools, tmp_path, world.namespace, "vera", "view")
    world.create()
    _, found = examine(vera, world, installed)
    assert levels(found, "CRDs") == {"ok"}
    assert levels(found, "Secret") == {"unknown"}
    assert "heart" in found["models"][0]["message"]


def test_the_table_for_people(world: World, admin: Person, installed: str) -> None:
    done = admin("doctor", "-n", world.namespace, "--system-namespace", installed)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].split() == ["LEVEL", "AREA", "FINDING"]
    assert f"→ kubectl heart init-namespace {world.namespace}" in done.stdout
    assert "\x1b" not in done.stdout


# --- kubectl's habits -----------------------------------------------------------------------------


def test_kubectls_output_formats(world: World, admin: Person) -> None:
    world.create()
    here = ("-n", world.namespace)
    assert json.loads(admin("status", *here, "-o", "json").stdout)["items"][0]["metadata"]["name"] == "heart"
    assert admin("status", "heart", *here, "-o", "jsonpath={.spec.target.name}").stdout == "num"
    assert admin("status", *here, "-o", "name").stdout == "heartmodel.heartops.dev/heart\n"
    assert "heart" in admin("status", "-A").stdout
    assert "heart" not in admin("status", *here, "-l", "team=none").stdout
    done = admin("status", "hart", *here, "-o", "yaml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "not found" in done.stderr


def test_the_api_server_checks_a_dry_run(
    world: World, kube_api: KubeApi, tools: Path, tmp_path: Path, admin: Person
) -> None:
    world.create()
    vera = make_person(kube_api, tools, tmp_path, world.namespace, "vera", "view")
    before = world.model()["metadata"].get("annotations")
    done = admin("retrain", "heart", "-n", world.namespace, "--dry-run=server")
    assert done.returncode == 0, done.stderr
    assert "(server dry run)" in done.stdout
    assert world.model()["metadata"].get("annotations") == before
    denied = vera("retrain", "heart", "--dry-run=server")
    assert denied.returncode == 1
    assert "cannot patch" in denied.stderr


def test_kubectl_completes_our_commands(world: World, api_server: Path, tools: Path, tmp_path: Path) -> None:
    """kubectl itself asks the program on the PATH, as a shell does on Tab."""
    world.create()
    for name, module in (("kubectl-heart", "heart_cli"), ("kubectl_complete-heart", "heart_cli.completion")):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        script.chmod(0o755)
    path = os.pathsep.join((str(tmp_path), str(tools), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(api_server)}

    def completed(*words: str) -> list[str]:
        command = ("kubectl", "__complete", "heart", *words)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    assert completed("sta")[0] == "status"
    assert completed("promote", "-n", world.namespace, "")[0] == "heart"
