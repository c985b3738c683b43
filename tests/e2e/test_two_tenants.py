"""Two namespaces with the same example: each has all of first light, and nothing of the other's, on a real node."""

import base64
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from heart_api.handover import Env
from heart_api.names import RUNTIME_SECRET, Annotation
from heart_log.database import parse_url
from tests.e2e.kit import (
    HTTP,
    RELEASE,
    RESTRICTED,
    ROOT,
    SYSTEM,
    TRAINING,
    Model,
    apply,
    background,
    declare,
    eventually,
    example,
    get,
    kubectl,
    run_kubectl,
    terminal,
)

pytestmark = pytest.mark.timeout(600)

FLOWER = {"sepal_length_cm": 5.1, "sepal_width_cm": 3.5, "petal_length_cm": 1.4, "petal_width_cm": 0.2}
QUICK = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
REJECTED = (401, 403, 404)


@dataclass(frozen=True)
class Tenant:
    """A namespace, its model, and what somebody who may edit it can get hold of."""

    model: Model
    token: str
    """Of a ServiceAccount of the namespace, with Kubernetes' role `edit`."""
    database_url: str

    @property
    def namespace(self) -> str:
        return self.model.namespace

    @property
    def registered(self) -> str:
        return self.model.name

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:default"


@pytest.fixture(scope="module")
def tenants(product: None) -> Iterator[tuple[Tenant, Tenant]]:
    """Both trained at the same time."""
    names = [f"e2e-{uuid.uuid4().hex[:6]}" for _ in range(2)]
    try:
        models = [begin(name) for name in names]
        for model in models:
            model.wait_serving("1", TRAINING)
        first, second = [take_stock(model) for model in models]
        yield first, second
    finally:
        for name in names:
            run_kubectl("delete", "heartmodels", "--all", "-n", name)
            kubectl("delete", "namespace", name, "--wait=false")


def begin(namespace: str) -> Model:
    """As an administrator and then an editor would."""
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": RESTRICTED}})
    command = (sys.executable, "-m", "heart_cli", "init-namespace", namespace, "--system-namespace", SYSTEM)
    subprocess.run(command, cwd=ROOT, check=True)
    account = f"--serviceaccount={namespace}:default"
    kubectl("create", "rolebinding", "editor", "--clusterrole=edit", account, "-n", namespace)
    manifest = example("iris", namespace)
    manifest["spec"] |= {"training": QUICK, "serving": {"replicas": 1}}
    return declare(manifest)


def take_stock(model: Model) -> Tenant:
    secret = get("secret", RUNTIME_SECRET, "-n", model.namespace)["data"]
    token = kubectl("create", "token", "default", "-n", model.namespace, "--duration=1h").strip()
    return Tenant(model, token, base64.b64decode(secret[Env.DATABASE_URL]).decode())


@pytest.fixture(scope="module")
def mlflow_address(product: None) -> Iterator[str]:
    with forwarded(f"service/{RELEASE}-mlflow", 5000) as port:
        yield f"http://localhost:{port}"


@pytest.fixture(scope="module")
def log_port(product: None) -> Iterator[int]:
    with forwarded(f"service/{RELEASE}-postgresql", 5432) as port:
        yield port


@contextmanager
def forwarded(service: str, port: int) -> Iterator[int]:
    with background("port-forward", "-n", SYSTEM, service, f":{port}", marker="Forwarding from 127.0.0.1") as line:
        yield int(line.split("127.0.0.1:")[1].split()[0])


@contextmanager
def log_of(tenant: Tenant, port: int) -> Iterator[Engine]:
    """By the namespace's own login."""
    engine = create_engine(parse_url(tenant.database_url).set(host="127.0.0.1", port=port))
    yield engine
    engine.dispose()


def ask_mlflow(address: str, tenant: Tenant, workspace: str, method: str, path: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {tenant.token}", "X-MLFLOW-WORKSPACE": workspace}
    return HTTP.request(method, f"{address}/api/2.0/{path}", headers=headers, **more)


def test_each_namespace_has_all_of_first_light(
    tenants: tuple[Tenant, Tenant], proxy: str, mlflow_address: str, log_port: int
) -> None:
    for tenant in tenants:
        for kind in ("Ready", "Available", "Trained", "GatePassed", "RolloutSucceeded"):
            tenant.model.wait(kind, "True", 30)
        answer = tenant.model.predict(proxy, FLOWER).raise_for_status().json()
        assert (answer["label"], answer["model_version"]) == ("setosa", "1")
        wait_alias(tenant, mlflow_address)
        wait_logged(tenant, log_port)


def wait_alias(tenant: Tenant, address: str) -> None:
    """In the namespace's own workspace, with a token of its own."""
    about = {"name": tenant.registered, "alias": "serving"}

    def served() -> bool:
        path = "mlflow/registered-models/alias"
        return ask_mlflow(address, tenant, tenant.namespace, "GET", path, params=about).status_code == 200

    eventually(served, 60, f"the alias serving in the workspace of {tenant.namespace}")


def wait_logged(tenant: Tenant, port: int) -> None:
    def rows() -> int:
        with log_of(tenant, port) as engine, engine.connect() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM predictions")) or 0)

    eventually(rows, 60, f"the prediction in the log of {tenant.namespace}")


def test_nothing_of_the_others_can_be_read_or_written(
    tenants: tuple[Tenant, Tenant],
    mlflow_address: str,
    log_port: int,
    measured: Callable[[str], None],
) -> None:
    """Every attempt of each against the other, with all that an editor of a namespace can get hold of."""
    attempts: dict[str, bool] = {}
    for me, them in (tenants, tenants[::-1]):
        before = picture(them)
        found = (
            *registry_attempts(me, them, mlflow_address).items(),
            *log_attempts(me, them, log_port).items(),
            *cluster_attempts(me, them).items(),
            *metrics_attempts(me).items(),
        )
        attempts |= {f"{me.namespace}: {what}": rejected for what, rejected in found}
        assert picture(them) == before
    measured(f"{sum(attempts.values())} of {len(attempts)} cross-tenant attempts were rejected")
    assert [what for what, rejected in attempts.items() if not rejected] == []
    assert len(attempts) >= 100


def picture(tenant: Tenant) -> Any:
    """What others could have changed."""
    living = tenant.model.get()
    return living["spec"], living["metadata"].get("annotations"), tenant.model.status["serving"]["version"]


def registry_attempts(me: Tenant, them: Tenant, address: str) -> dict[str, bool]:
    """Metadata and files, in their workspace, and by their names and ids in one's own."""
    run, name = them.model.status["training"]["runId"], them.registered
    version = {"name": name, "version": "1"}
    requests: dict[str, tuple[str, str, dict[str, Any]]] = {
        "read a registered model": ("GET", "mlflow/registered-models/get", {"params": {"name": name}}),
        "read a version": ("GET", "mlflow/model-versions/get", {"params": version}),
        "read where a version's files are": ("GET", "mlflow/model-versions/get-download-uri", {"params": version}),
        "read a run": ("GET", "mlflow/runs/get", {"params": {"run_id": run}}),
        "list a run's files": ("GET", "mlflow/artifacts/list", {"params": {"run_id": run}}),
        "move an alias": (
            "POST",
            "mlflow/registered-models/alias",
            {"json": {"name": name, "alias": "serving", "version": "1"}},
        ),
        "remove an alias": (
            "DELETE",
            "mlflow/registered-models/alias",
            {"json": {"name": name, "alias": "serving"}},
        ),
        "take the claim": (
            "POST",
            "mlflow/registered-models/set-tag",
            {"json": {"name": name, "key": "heartops.model", "value": "evil"}},
        ),
        "overwrite a digest": (
            "POST",
            "mlflow/model-versions/set-tag",
            {"json": version | {"key": "heartops.artifact_sha256", "value": "evil"}},
        ),
        "register a version": ("POST", "mlflow/model-versions/create", {"json": {"name": name, "source": "evil"}}),
        "delete a version": ("DELETE", "mlflow/model-versions/delete", {"json": version}),
        "delete a registered model": ("DELETE", "mlflow/registered-models/delete", {"json": {"name": name}}),
        "rename a registered model": (
            "POST",
            "mlflow/registered-models/rename",
            {"json": {"name": name, "new_name": "evil"}},
        ),
        "end a run": ("POST", "mlflow/runs/update", {"json": {"run_id": run, "status": "FAILED"}}),
        "delete a run": ("POST", "mlflow/runs/delete", {"json": {"run_id": run}}),
        "tag a run": ("POST", "mlflow/runs/set-tag", {"json": {"run_id": run, "key": "evil", "value": "evil"}}),
    }
    found = {}
    for workspace in (them.namespace, me.namespace):
        where = "their workspace" if workspace == them.namespace else "one's own workspace"
        for what, (method, path, more) in requests.items():
            if workspace == me.namespace and not path.startswith(("mlflow/runs/", "mlflow/artifacts/")):
                continue  # a model of the same name there is one's own
            reply = ask_mlflow(address, me, workspace, method, path, **more)
            found[f"{what} in {where}"] = reply.status_code in REJECTED
    for path in (f"workspaces/{them.namespace}", f"../{them.namespace}", f"%2e%2e/{them.namespace}"):
        reply = ask_mlflow(address, me, me.namespace, "GET", f"mlflow-artifacts/artifacts/{path}/evaluation.json")
        found[f"read a file by {path.split('/')[0]}"] = reply.status_code != 200
        reply = ask_mlflow(address, me, me.namespace, "PUT", f"mlflow-artifacts/artifacts/{path}/x", content=b"evil")
        listed = ask_mlflow(address, them, them.namespace, "GET", "mlflow-artifacts/artifacts")
        found[f"write a file by {path.split('/')[0]}"] = '"x"' not in listed.text
    return found


def log_attempts(me: Tenant, them: Tenant, port: int) -> dict[str, bool]:
    """With the login of one's own namespace."""
    schema = f'"log-{them.namespace}"'
    statements = {
        "read predictions": f"SELECT * FROM {schema}.predictions",
        "read outcomes": f"SELECT * FROM {schema}.feedback",
        "invent a prediction": f"INSERT INTO {schema}.predictions DEFAULT VALUES",
        "delete predictions": f"DELETE FROM {schema}.predictions",
        "erase a subject": f"SELECT {schema}.erase('iris', NULL, ARRAY['a'], now())",
        "become their login": f'SET ROLE "ns-{them.namespace}"',
        "become the tables' owner": "SET ROLE heartops_owner",
        "change their password": f"ALTER ROLE \"ns-{them.namespace}\" PASSWORD 'evil'",
        "take their connections": f'ALTER ROLE "ns-{them.namespace}" CONNECTION LIMIT 0',
        "raise one's own limits": "UPDATE heartops_log.quota SET rows_per_day = 1000000000",
    }
    with log_of(me, port) as engine:
        return {f"{what} in the log": is_denied(engine, statement) for what, statement in statements.items()}


def is_denied(engine: Engine, statement: str) -> bool:
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    except DBAPIError as error:
        return re.search(r"denied|must be|only roles with", str(error.orig)) is not None
    return False


def cluster_attempts(me: Tenant, them: Tenant) -> dict[str, bool]:
    """Services, commands, pods and Secrets, by the API server."""
    there, model = ("-n", them.namespace), them.model.name
    annotate = ("annotate", "heartmodel", model, *there, "--overwrite")
    service = f"/api/v1/namespaces/{them.namespace}/services/{model}:http/proxy"
    commands: dict[str, tuple[str, ...]] = {
        "read a model's status": ("get", "heartmodel", model, *there),
        "change a spec": ("patch", "heartmodel", model, *there, "--type=merge", "-p", '{"spec":{"suspend":true}}'),
        "give a command": (*annotate, f"{Annotation.COMMAND}=rollback 1 - evil"),
        "ask for a training": (*annotate, f"{Annotation.RETRAIN}=evil"),
        "scale to nothing": ("scale", "heartmodel", model, *there, "--replicas=0"),
        "delete a model": ("delete", "heartmodel", model, *there, "--wait=false"),
        "ask their Service": ("get", "--raw", f"{service}/health"),
        "steal their model": ("get", "--raw", f"{service}/model"),
        "read their pods": ("get", "pods", *there),
        "read their logs": ("logs", f"deployment/{model}-v1", *there),
        "run something in their pods": ("exec", f"deployment/{model}-v1", *there, "--", "id"),
        "read their Secrets": ("get", "secret", RUNTIME_SECRET, *there),
        "get a token of theirs": ("create", "token", "default", *there),
        "get the operator's token": ("create", "token", RELEASE, "-n", SYSTEM),
        "get the registry's token": ("create", "token", f"{RELEASE}-registry", "-n", SYSTEM),
        "read the passwords of all logins": ("get", "secret", f"{RELEASE}-log-namespaces", "-n", SYSTEM),
        "change a runtime profile": ("patch", "configmap", f"{RELEASE}-runtimes", "-n", SYSTEM, "-p", '{"data":{}}'),
    }
    found = {}
    for what, command in commands.items():
        done = run_kubectl(f"--as={me.user}", f"--as-group=system:serviceaccounts:{me.namespace}", *command)
        found[what] = done.returncode != 0 and "orbidden" in done.stderr
    return found


def metrics_attempts(me: Tenant) -> dict[str, bool]:
    """Of the operator, which name every tenant's models."""
    with forwarded(f"service/{RELEASE}-operator", 8443) as port:
        address = f"https://localhost:{port}/metrics"
        tries = {"without a token": {}, "with a tenant's token": {"Authorization": f"Bearer {me.token}"}}
        replies = {what: httpx.get(address, headers=headers, verify=False) for what, headers in tries.items()}
    return {f"read the operator's metrics {what}": reply.status_code in REJECTED for what, reply in replies.items()}


def test_an_auditor_reads_a_history_and_changes_nothing(tenants: tuple[Tenant, Tenant], mlflow_address: str) -> None:
    """By the commands of docs/events.md: only names and MLflow's address differ."""
    audited, audit = tenants[0], f"e2e-{uuid.uuid4().hex[:6]}"
    eventually(lambda: "outbox" not in audited.model.status, 60, "a history with everything so far")
    kubectl("create", "namespace", audit)
    try:
        before, listed = picture(audited), run_commands(auditors_commands(audited, audit, mlflow_address))
        assert {"trained", "gated", "promoted"} <= set(listed.split())
        token = kubectl("create", "token", "auditor", "-n", audit).strip()
        auditor = Tenant(replace(audited.model, namespace=audit), token, database_url="")
        attempts = registry_attempts(auditor, audited, mlflow_address)
        allowed = [what for what, rejected in attempts.items() if not rejected]
        assert all(what.startswith(("read", "list")) and what.endswith("in their workspace") for what in allowed)
        assert len(allowed) == 5
        assert picture(audited) == before
    finally:
        kubectl("delete", "namespace", audit, "--wait=false")


def auditors_commands(audited: Tenant, audit: str, address: str) -> str:
    page = (ROOT / "docs" / "events.md").read_text()
    [block] = (found for found in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S) if "auditor" in found)
    names = {
        "heart-disease": audited.model.name,
        "https://mlflow.example.org": address,
        "-n clinic": f"-n {audited.namespace}",
    }
    for shown, real in (names | {"-n audit": f"-n {audit}", "=audit:": f"={audit}:", ":audit:": f":{audit}:"}).items():
        assert shown in block
        block = block.replace(shown, real)
    return block


def run_commands(script: str) -> str:
    """What a terminal prints."""
    done = subprocess.run(["sh", "-euc", script], env=terminal(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_offboarded_namespace_leaves_nothing_in_mlflow(tenants: tuple[Tenant, Tenant]) -> None:
    """By the script in MLflow's pod. The other namespace keeps what it has."""
    kept, gone = tenants
    kubectl("delete", "heartmodels", "--all", "-n", gone.namespace)
    planned = offboard(gone.namespace, "--dry-run")
    assert "MLflow: 1 registered models, 1 versions" in planned
    assert "Deleted from MLflow for good, with their files: 1 registered models" in offboard(gone.namespace, "--yes")
    assert "MLflow: nothing" in offboard(gone.namespace, "--dry-run")
    command = (sys.executable, "-m", "heart_cli", "offboard-namespace", kept.namespace, "--system-namespace", SYSTEM)
    done = subprocess.run((*command, "--yes"), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "still has HeartModels (iris): delete them first" in done.stderr


def offboard(namespace: str, option: str) -> str:
    command = (sys.executable, "-m", "heart_cli", "offboard-namespace", namespace, "--system-namespace", SYSTEM, option)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
