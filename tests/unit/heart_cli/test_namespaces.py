"""Setting up a namespace, another password, erasure, and taking everything back: what is sent to the API server."""

import base64
import copy
from collections.abc import Sequence
from typing import Any

import pytest

from heart_api.kube.kinds import DEPLOYMENT, HEART_MODEL, SECRET, Kind
from heart_cli.erasure import build_job
from heart_cli.errors import ApiFailure, Failure
from heart_cli.logdatabase import CRON_JOB
from heart_cli.mlflowproxy import MLFLOW as MLFLOW_LABELS
from heart_cli.namespaces import (
    after_rotation,
    init_namespace,
    offboard_namespace,
    plan_offboarding,
    rotate_namespace,
)
from heart_cli.registryrights import ROLE_BINDING
from heart_cli.text import harmless

LOGINS = "heartops-log-namespaces"
CRON: dict[str, Any] = {
    "metadata": {"name": "heartops-log-database"},
    "spec": {
        "jobTemplate": {
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "name": "log-database",
                                "args": ["--connections=20"],
                                "env": [
                                    {"name": "HEARTOPS_DATABASE_URL", "value": "postgresql://o:$(P)@db:5432/heartops"}
                                ],
                            }
                        ],
                        "volumes": [{"name": "namespaces", "secret": {"secretName": LOGINS}}],
                    }
                }
            }
        }
    },
}

MLFLOW: dict[str, Any] = {
    "metadata": {"name": "heartops-mlflow"},
    "spec": {
        "template": {
            "spec": {
                "containers": [{"args": ["server", "--artifacts-destination=/mlartifacts", "--enable-workspaces"]}]
            }
        }
    },
}


class Cluster:
    """Objects by path, as far as the commands need them; `started` holds the Jobs."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.started: list[dict[str, Any]] = []
        self.uids = {"clinic": "uid-1"}
        self.executed: list[tuple[str, ...]] = []
        self.printed = '{"registered_models": 2, "model_versions": 3, "runs": 4, "webhooks": 1}'
        self.mlflow: list[dict[str, Any]] = [MLFLOW]

    def execute(self, namespace: str, deployment: str, command: Sequence[str]) -> str:
        self.executed.append((namespace, deployment, *command))
        return f"a warning of a library\n{self.printed}\n"

    def client(self, namespace: str) -> Any:
        return FakeClient(self, namespace)


class FakeClient:
    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        return self.call("GET", kind.path(self.namespace, name))

    def list(self, kind: Kind, **query: str) -> list[dict[str, Any]]:
        if kind == CRON_JOB:
            return [CRON] if self.namespace == "system" else []
        if query == {"labelSelector": MLFLOW_LABELS}:
            return self.cluster.mlflow if self.namespace == "system" else []
        prefix = kind.path(self.namespace) + "/"
        return [value for path, value in self.cluster.objects.items() if path.startswith(prefix)]

    def write(self, method: str, path: str, body: Any = None, *, media: str = "") -> Any:
        return self.call(method, path, body=body, media=media)

    def call(self, method: str, path: str, query: Any = None, body: Any = None, *, media: str = "") -> Any:
        objects = self.cluster.objects
        if path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
            if uid := self.cluster.uids.get(path.rpartition("/")[2]):
                return {"metadata": {"uid": uid}}
            raise ApiFailure("not found", 404)
        if path.endswith("/clusterroles"):
            return {"items": [{"metadata": {"name": "heartops-registry"}}]}
        if method == "POST" and path.endswith("/jobs"):
            self.cluster.started.append(body)
            return {"metadata": {"name": "job-1"}}
        if method == "POST":
            path += "/" + body["metadata"]["name"]
            objects[path] = {**body, "data": {}}
        elif path not in objects:
            raise ApiFailure("not found", 404)
        found = objects[path]
        if method == "DELETE":
            return objects.pop(path)
        if method in ("POST", "PATCH"):
            self.merge(found, body)
        return copy.deepcopy(found)

    def merge(self, found: dict[str, Any], body: dict[str, Any]) -> None:
        data = found["data"]
        data |= {key: base64.b64encode(value.encode()).decode() for key, value in body.get("stringData", {}).items()}
        for key in [key for key, value in body.get("data", {}).items() if value is None]:
            data.pop(key, None)
        annotations = found["metadata"].setdefault("annotations", {})
        annotations |= body.get("metadata", {}).get("annotations", {})

    def value(self, name: str, key: str) -> str | None:
        data = self.cluster.objects.get(SECRET.path(self.namespace, name), {}).get("data", {})
        return base64.b64decode(data[key]).decode() if key in data else None


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    init_namespace(cluster.client("clinic"), cluster.client("system"))
    return cluster


def url(cluster: Cluster) -> str | None:
    return cluster.client("clinic").value("heartops-runtime", "HEARTOPS_DATABASE_URL")


def password(cluster: Cluster) -> str | None:
    return cluster.client("system").value(LOGINS, "clinic")


def test_a_namespace_gets_a_key_a_login_and_its_address(cluster: Cluster) -> None:
    assert url(cluster) == f"postgresql://ns-clinic:{password(cluster)}@db:5432/heartops"
    again = init_namespace(cluster.client("clinic"), cluster.client("system"))
    assert [line.startswith("Unchanged") for line in again] == [True, True]
    assert len(cluster.started) == 1


def test_the_namespaces_own_pods_and_no_others_may_use_its_workspace(cluster: Cluster) -> None:
    found = cluster.objects[ROLE_BINDING.path("clinic", "heartops-registry")]
    assert found["roleRef"]["name"] == "heartops-registry"
    assert [subject["name"] for subject in found["subjects"]] == ["system:serviceaccounts:clinic"]
    offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert ROLE_BINDING.path("clinic", "heartops-registry") not in cluster.objects


def test_a_later_namespace_of_the_same_name_does_not_inherit_the_log(cluster: Cluster) -> None:
    cluster.objects.pop(SECRET.path("clinic", "heartops-runtime"))
    cluster.uids["clinic"] = "uid-2"
    with pytest.raises(Failure, match="kubectl heart offboard-namespace clinic"):
        init_namespace(cluster.client("clinic"), cluster.client("system"))
    assert url(cluster) is None
    before = password(cluster)
    offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert cluster.started[-1]["spec"]["template"]["spec"]["containers"][0]["args"] == ["remove", "clinic"]
    init_namespace(cluster.client("clinic"), cluster.client("system"))
    assert password(cluster) not in (None, before)


def test_a_rotation_changes_both_secrets_alike(cluster: Cluster) -> None:
    before = password(cluster)
    done = rotate_namespace(cluster.client("clinic"), cluster.client("system"))
    assert password(cluster) != before
    assert url(cluster) == f"postgresql://ns-clinic:{password(cluster)}@db:5432/heartops"
    assert "changes the login's password" in done[-1]
    assert "kubectl rollout restart" in after_rotation("clinic")[-1]
    assert before not in "".join(done)
    assert len(cluster.started) == 2


def test_a_namespace_with_models_is_not_taken_back(cluster: Cluster) -> None:
    cluster.objects[HEART_MODEL.path("clinic", "heart")] = {"metadata": {"name": "heart"}}
    with pytest.raises(Failure, match="still has HeartModels \\(heart\\)"):
        offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert url(cluster)


def test_offboarding_deletes_the_namespaces_models_in_mlflow(cluster: Cluster) -> None:
    done = offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    said = "Deleted from MLflow for good, with their files: 2 registered models, 3 versions, 4 runs, 1 other entries"
    assert said in done
    script = "/usr/local/share/heartops/delete_workspace.py"
    options = ("--artifacts-destination=/mlartifacts", "--workspaces")
    assert cluster.executed == [("system", "heartops-mlflow", "python3", script, "clinic", *options)]


def test_a_dry_run_says_what_would_go_and_changes_nothing(cluster: Cluster) -> None:
    before = copy.deepcopy(cluster.objects)
    planned = plan_offboarding(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert "MLflow: 2 registered models, 3 versions, 4 runs, 1 other entries, and their files" in planned
    assert any("every prediction and outcome" in line for line in planned)
    assert all(command[-1] == "--dry-run" for command in cluster.executed)
    assert cluster.objects == before
    assert len(cluster.started) == 1, "the Job that made the login"


def test_a_failure_in_mlflow_leaves_the_log_for_the_next_attempt(cluster: Cluster) -> None:
    cluster.printed = "Traceback"
    with pytest.raises(Failure, match="gave no count"):
        offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert password(cluster)
    cluster.printed = "{}"
    done = offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert any(line.endswith("with their files: nothing") for line in done)
    assert password(cluster) is None


def test_an_mlflow_that_is_not_the_charts_is_named(cluster: Cluster) -> None:
    cluster.mlflow = []
    done = offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert any(line.startswith("MLflow is not the chart's: delete the workspace clinic there") for line in done)
    assert cluster.executed == []


def test_a_namespace_that_is_gone_can_be_taken_back(cluster: Cluster) -> None:
    cluster.objects.pop(SECRET.path("clinic", "heartops-runtime"))
    cluster.uids.clear()
    done = offboard_namespace(cluster.client("clinic"), cluster.client("system"), cluster.execute)
    assert done[0] == "There is no Secret heartops-runtime of namespace clinic"
    assert password(cluster) is None


def test_erasure_runs_with_the_login_and_the_bounds_of_the_pods_that_serve(cluster: Cluster) -> None:
    secure = {"allowPrivilegeEscalation": False}
    address = {"name": "HEARTOPS_DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "heartops-runtime", "key": "x"}}}
    server = {
        "name": "server",
        "image": "s:1",
        "securityContext": secure,
        "env": [{"name": "A", "value": "b"}, address],
    }
    pod = {"serviceAccountName": "heart-model", "securityContext": {"runAsNonRoot": True}, "containers": [server]}
    meta = {"name": "heart-v1", "creationTimestamp": "2026-11-21T08:00:00Z"}
    cluster.objects[DEPLOYMENT.path("clinic", "heart-v1")] = {"metadata": meta, "spec": {"template": {"spec": pod}}}
    job = build_job(cluster.client("clinic"), "heart", ["visit-$(A)"], "patient 7")
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["args"] == ["erase", "heart", "--request-id", "visit-$$(A)", "--subject", "patient 7"]
    assert (container["env"], container["image"], container["securityContext"]) == ([address], "s:1", secure)
    assert spec["automountServiceAccountToken"] is False
    with pytest.raises(Failure, match="no Deployment"):
        build_job(cluster.client("lab"), "heart", ["a"], None)


def test_a_pods_log_cannot_steer_the_terminal() -> None:
    assert harmless(b"\x1b]0;owned\x07 ok\t\xc3\xa9\xff\n") == "\\x1b]0;owned\\x07 ok\té\\xff\n".encode()
