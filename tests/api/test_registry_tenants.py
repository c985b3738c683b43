"""Two namespaces and one MLflow: each may do everything in its own workspace and nothing in the other's."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import urllib3
import yaml
from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.utils.workspace_context import WorkspaceContext
from requests import HTTPError

from heart_api.handover import Env
from heart_api.kube.objects import parse_model
from heart_api.outbox import OutboxEntry
from heart_cli.errors import Failure
from heart_cli.registryrights import binding
from heart_cli.wholehistory import Registry as WholeHistory
from heart_cli.wholehistory import entries_of
from heart_operator.mlflow.backend import MlflowBackend
from heart_operator.plan.actions import SetAlias
from heart_serving.model.mlflow import Registry
from heart_trainer.mlflow.client import RegistryUnavailable, Store
from tests.api.conftest import Kubectl, install_part
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.heart_objects import heart_model
from tests.support.apiserver.world import OPERATOR_NAMESPACE
from tests.support.registry.mlflow import QUIET, ROOT, image_python, running_workspaces

pytestmark = pytest.mark.api
MINE, THEIRS, HEIR = "ward-a", "ward-b", "ward-c"
AUDIT = "audit"
"""An account of a model's own namespace may change its workspace, as pods there have to."""
API = "/api/2.0/mlflow"
MODEL, RUN_TAGS = f"{THEIRS}.heart", {"heartops.trigger": "spec-1a2b3c4d"}


def token(kube_api: KubeApi, namespace: str, account: str) -> str:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    issued: str = kube_api.call("POST", path, request)["status"]["token"]
    return issued


@pytest.fixture(scope="module")
def tokens(kube_api: KubeApi, kubectl: Kubectl, tools: Path) -> dict[str, str]:
    """Of a model's account in each namespace, and of the account whose token the operator shows."""
    kube_api.create_namespace(OPERATOR_NAMESPACE)
    install_part(kubectl, tools, "registry-rbac.yaml")
    for namespace in (MINE, THEIRS):
        kube_api.create_namespace(namespace)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "m", "namespace": namespace}}
        done = kubectl("apply", "-f", "-", stdin=account)
        assert done.returncode == 0, done.stderr
        done = kubectl("apply", "-f", "-", stdin=binding(namespace, "heartops-registry"))
        assert done.returncode == 0, done.stderr
    kube_api.create_namespace(AUDIT)
    auditor = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "auditor", "namespace": AUDIT}}
    assert kubectl("apply", "-f", "-", stdin=auditor).returncode == 0
    reads = ("--clusterrole=heartops-registry-view", f"--serviceaccount={AUDIT}:auditor", "-n", THEIRS)
    assert kubectl("create", "rolebinding", "auditor", *reads).returncode == 0
    found = {namespace: token(kube_api, namespace, "m") for namespace in (MINE, THEIRS)}
    found["auditor"] = token(kube_api, AUDIT, "auditor")
    return found | {"operator": token(kube_api, OPERATOR_NAMESPACE, "heartops-registry")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Database and files of MLflow."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def uri(tokens: dict[str, str], kube_api: KubeApi, api_server: Path, folder: Path) -> Iterator[str]:
    """MLflow as the chart starts it."""
    account = kubeconfig(api_server, token(kube_api, OPERATOR_NAMESPACE, "heartops-mlflow"), folder)
    with running_workspaces(folder, account, OPERATOR_NAMESPACE) as uri:
        yield uri


def kubeconfig(administrator: Path, token: str, folder: Path) -> Path:
    """Of an account of the chart: MLflow runs with its own rights and no more."""
    config = yaml.safe_load(administrator.read_text())
    config["users"][0]["user"] = {"token": token}
    (folder / "kubeconfig").write_text(yaml.safe_dump(config))
    return folder / "kubeconfig"


@pytest.fixture
def pod(tokens: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Pod":
    return Pod(tokens, tmp_path / "token", monkeypatch)


class Pod:
    """The environment of a pod that the operator starts, in this process."""

    def __init__(self, tokens: dict[str, str], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._tokens, self._file, self._monkeypatch = tokens, file, monkeypatch

    def become(self, owner: str, workspace: str) -> None:
        self._file.write_text(self._tokens[owner])
        values = {
            Env.REGISTRY_TOKEN_FILE: str(self._file),
            Env.WORKSPACE: workspace,
            "MLFLOW_TRACKING_TOKEN": self._tokens[owner],
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        }
        for name, value in values.items():
            self._monkeypatch.setenv(name, value)


@pytest.fixture
def their_run(pod: Pod, uri: str, tmp_path: Path) -> str:
    """A run of the other namespace's trainer, with a file and a registered model; its id."""
    pod.become(THEIRS, THEIRS)
    store = Store(uri)
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "evaluation.json").write_text("theirs")
    with store.run(store.experiment(MODEL), "run", RUN_TAGS) as run_id:
        store.log_folder(run_id, tmp_path / "files")
    if MODEL not in {model.name for model in store.client.search_registered_models()}:
        store.client.create_registered_model(MODEL, tags={"heartops.model": f"{THEIRS}/heart"})
        files = store.client.get_run(run_id).info.artifact_uri
        store.client.create_model_version(MODEL, f"{files}/model", run_id=run_id)
    assert store.read_run(run_id, "evaluation.json") == b"theirs"
    return run_id


def test_nobody_gets_in_without_a_token(uri: str) -> None:
    for method, path in (
        ("GET", f"{API}/registered-models/search"),
        ("POST", f"{API}/registered-models/create"),
        ("GET", "/api/2.0/mlflow-artifacts/artifacts/workspaces"),
        ("POST", "/graphql"),
    ):
        reply = httpx.request(method, uri + path, headers={"X-MLFLOW-WORKSPACE": THEIRS}, json={})
        assert reply.status_code == 401, path
    forged = {"X-MLFLOW-WORKSPACE": THEIRS, "Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    assert httpx.get(f"{uri}{API}/registered-models/search", headers=forged).status_code in (401, 403)


def test_a_namespace_cannot_name_anothers_workspace(pod: Pod, uri: str, their_run: str) -> None:
    pod.become(MINE, THEIRS)
    store = Store(uri)
    attacks = {
        "read a model": lambda: store.client.get_registered_model(MODEL),
        "overwrite a tag": lambda: store.client.set_model_version_tag(MODEL, "1", "heartops.seal", "x"),
        "move an alias": lambda: store.client.set_registered_model_alias(MODEL, "champion", "1"),
        "take the claim": lambda: store.client.set_registered_model_tag(MODEL, "heartops.model", f"{MINE}/heart"),
        "register a version": lambda: store.client.create_model_version(MODEL, "runs:/x/model"),
        "delete a model": lambda: store.client.delete_registered_model(MODEL),
        "read a run": lambda: store.client.get_run(their_run),
        "end a run": lambda: store.client.set_terminated(their_run),
        "read a file": lambda: store.read_run(their_run, "evaluation.json"),
        "make an experiment": lambda: store.client.create_experiment("mine"),
    }
    assert [name for name, attack in attacks.items() if not is_denied(store, attack)] == []


def is_denied(store: Store, attack: Callable[[], object]) -> bool:
    try:
        with store.speaking():
            attack()
    except RegistryUnavailable as error:
        return "ermission denied" in str(error) or "PERMISSION_DENIED" in str(error)
    return False


def test_a_workspace_shows_nothing_of_another(pod: Pod, uri: str, their_run: str) -> None:
    """By the ids and names of the other's, in one's own workspace."""
    pod.become(MINE, MINE)
    store = Store(uri)
    assert MODEL not in [model.name for model in store.client.search_registered_models()]
    for attack in (lambda: store.client.get_run(their_run), lambda: store.client.get_registered_model(MODEL)):
        with pytest.raises(RegistryUnavailable), store.speaking():
            attack()
    headers = {"Authorization": f"Bearer {os.environ['MLFLOW_TRACKING_TOKEN']}", "X-MLFLOW-WORKSPACE": MINE}
    proxy = f"{uri}/api/2.0/mlflow-artifacts/artifacts"
    for path in (f"workspaces/{THEIRS}", f"../{THEIRS}", f"%2e%2e/{THEIRS}", f"workspaces/{MINE}/../{THEIRS}"):
        reply = httpx.get(f"{proxy}/{path}/evaluation.json", headers=headers)
        assert reply.status_code in (400, 401, 403, 404, 500), path
        assert "theirs" not in reply.text


def test_files_of_others_are_not_read_through_objects_of_ones_own(
    pod: Pod, uri: str, their_run: str, folder: Path
) -> None:
    """The server reads files with its own rights: what it is told to read has to lie in the caller's workspace."""
    pod.become(THEIRS, THEIRS)
    theirs = Store(uri).client.get_run(their_run).info.artifact_uri
    path = theirs.partition(":/")[2].strip("/")
    pod.become(MINE, MINE)
    client = Store(uri).client
    own = client.create_run(client.create_experiment("own")).info
    client.create_registered_model("thief")
    places = {
        "its address": theirs,
        "a file": f"file://{folder}/artifacts/{path}",
        "a path": f"{folder}/artifacts/{path}",
        "the server's own files": "file:///etc",
        "above": f"mlflow-artifacts:/../{THEIRS}",
        "beside": f"{own.artifact_uri}/../../../../{path}",
        "beside, encoded": f"{own.artifact_uri}/%2e%2e/%2e%2e/%2e%2e/%2e%2e/{path}",
        "its run": f"runs:/{their_run}/",
    }
    attacks: dict[str, Callable[[], object]] = {}
    for name, place in places.items():
        attacks[f"an experiment at {name}"] = partial(client.create_experiment, name, artifact_location=place)
        attacks[f"a version of {name}"] = partial(client.create_model_version, "thief", place, run_id=own.run_id)
        attacks[f"a version without a run of {name}"] = partial(client.create_model_version, "thief", place)
    succeeded = [name for name, attack in attacks.items() if succeeds(attack)]
    client.delete_registered_model("thief")
    assert succeeded == []


GRAPHQL = "query($input: MlflowGetRunInput!){mlflowGetRun(input:$input){run{info{artifactUri}}}}"


def test_no_other_way_into_the_server_shows_anothers_run(uri: str, their_run: str, tokens: dict[str, str]) -> None:
    """Beside the paths that MLflow's client uses: those of its pages, GraphQL, and headers that say two things."""
    about = f"run_uuid={their_run}&path=evaluation.json"
    query = {"query": GRAPHQL, "variables": {"input": {"runId": their_run}}}
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/get-artifact?{about}", {}),
        ("GET", f"/ajax-api/2.0/mlflow/get-artifact?{about}", {}),
        ("GET", f"{API}/artifacts/list?run_id={their_run}", {}),
        ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?{about}", {"content": b"mine"}),
        ("POST", "/graphql", {"json": query}),
        ("GET", f"{API}/runs/get?run_id={their_run}", {}),
    ]
    for workspace in (MINE, THEIRS, f"{MINE},{THEIRS}", f"{THEIRS},{MINE}", THEIRS.upper(), ""):
        headers = {"Authorization": f"Bearer {tokens[MINE]}", "X-MLFLOW-WORKSPACE": workspace}
        for method, path, more in attempts:
            reply = httpx.request(method, uri + path, headers=headers, **more)
            assert reply.status_code in (400, 401, 403, 404) or "not found" in reply.text, (workspace, path)
            assert "artifacts" not in reply.text, (workspace, path)
            assert "theirs" not in reply.text, (workspace, path)


def delete_workspace(folder: Path, namespace: str, *options: str) -> dict[str, int]:
    """As `kubectl heart offboard-namespace` does in MLflow's pod; rows by table."""
    script = ROOT / "charts" / "images" / "mlflow" / "delete_workspace.py"
    about = (f"--artifacts-destination={folder}/artifacts", "--workspaces", namespace, *options)
    environment = os.environ | QUIET | {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db"}
    command = (str(image_python()), str(script), *about)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return rows


def make_namespace(kube_api: KubeApi, kubectl: Kubectl, name: str) -> str:
    """Set up as `kubectl heart init-namespace` does; the token of an account there."""
    kube_api.create_namespace(name)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "m", "namespace": name}}
    for manifest in (account, binding(name, "heartops-registry")):
        done = kubectl("apply", "-f", "-", stdin=manifest)
        assert done.returncode == 0, done.stderr
    return token(kube_api, name, "m")


def finds(store: Store, run_id: str) -> dict[str, bool]:
    """What a namespace finds in its workspace of the one that had the name before."""
    client = store.client
    found = {
        "a model": lambda: client.get_registered_model(f"{HEIR}.heart"),
        "an experiment": lambda: next(e for e in client.search_experiments(ViewType.ALL) if e.name == f"{HEIR}.heart"),
        "a run": lambda: client.get_run(run_id),
        "a file": lambda: store.read_run(run_id, "evaluation.json"),
    }
    return {name: succeeds(attempt) for name, attempt in found.items()}


def succeeds(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except (MlflowException, RegistryUnavailable, StopIteration, HTTPError):
        return False
    return True


def test_a_recreated_namespace_inherits_nothing(
    pod: Pod, uri: str, their_run: str, folder: Path, kube_api: KubeApi, kubectl: Kubectl, tokens: dict[str, str]
) -> None:
    """Whoever gets the name next; the one before is offboarded after it is gone."""
    tokens[HEIR] = make_namespace(kube_api, kubectl, HEIR)
    pod.become(HEIR, HEIR)
    store, name = Store(uri), f"{HEIR}.heart"
    (folder / "mine").mkdir()
    (folder / "mine" / "evaluation.json").write_text("mine")
    with store.run(store.experiment(name), "run", RUN_TAGS) as run_id:
        store.log_folder(run_id, folder / "mine")
        store.client.log_metric(run_id, "roc_auc", 0.9)
    store.client.create_registered_model(name, tags={"heartops.model": f"{HEIR}/heart"})
    store.client.create_model_version(name, store.client.get_run(run_id).info.artifact_uri, run_id=run_id)
    store.client.set_registered_model_alias(name, "serving", "1")
    store.client.delete_experiment(store.client.get_run(run_id).info.experiment_id)

    kubectl("delete", "namespace", HEIR, "--wait", "--timeout=50s")
    tokens[HEIR] = make_namespace(kube_api, kubectl, HEIR)
    pod.become(HEIR, HEIR)
    poll("its workspace", lambda: finds(Store(uri), run_id)["a model"], 30)
    assert finds(Store(uri), run_id) == dict.fromkeys(("a model", "an experiment", "a run", "a file"), True)

    planned = delete_workspace(folder, HEIR, "--dry-run")
    assert (planned["registered_models"], planned["model_versions"], planned["runs"]) == (1, 1, 1)
    assert finds(Store(uri), run_id)["a file"], "a dry run deletes nothing"
    assert delete_workspace(folder, HEIR) == planned
    assert finds(Store(uri), run_id) == dict.fromkeys(("a model", "an experiment", "a run", "a file"), False)
    assert not (folder / "artifacts" / "workspaces" / HEIR).exists()
    assert delete_workspace(folder, HEIR, "--dry-run").get("registered_models", 0) == 0
    with store.run(store.experiment(name), "run", RUN_TAGS) as again:
        assert again != run_id, "the heir can begin"
    pod.become(THEIRS, THEIRS)
    assert Store(uri).read_run(their_run, "evaluation.json") == b"theirs", "no other namespace lost anything"


def test_both_may_use_the_same_names(pod: Pod, uri: str, their_run: str) -> None:
    pod.become(MINE, MINE)
    store = Store(uri)
    assert store.client.create_registered_model(MODEL).tags == {}
    assert store.client.search_model_versions(f"name = '{MODEL}'") == []
    store.client.delete_registered_model(MODEL)


def test_the_operator_reads_and_marks_every_workspace(pod: Pod, uri: str, their_run: str) -> None:
    pod.become("operator", "")
    theirs, mine = MlflowBackend(f"{uri}#{THEIRS}"), MlflowBackend(f"{uri}#{MINE}")
    assert theirs.snapshot().models[MODEL].claimed_by == f"{THEIRS}/heart"
    assert mine.snapshot().models == {}
    assert theirs.read_artifact(their_run, "evaluation.json", 100) == b"theirs"
    theirs.act(MODEL, SetAlias("champion", "1"))
    assert theirs.snapshot().models[MODEL].aliases == {"champion": "1"}
    theirs.act(MODEL, SetAlias("champion", None))
    assert theirs.snapshot().models[MODEL].aliases == {}


def test_the_operator_keeps_a_history_in_the_workspace_that_its_people_read_and_no_other(
    pod: Pod, uri: str, tokens: dict[str, str]
) -> None:
    entry = OutboxEntry(id="a", type="promoted", time="2026-11-22T06:00:00Z", data={"version": "1"})
    pod.become("operator", "")
    backend = MlflowBackend(f"{uri}#{THEIRS}")
    for _ in range(2):
        backend.record(MODEL, [entry])
    model = parse_model(heart_model(spec={"registryName": MODEL}))

    def read(who: str) -> list[OutboxEntry]:
        headers = {"Authorization": f"Bearer {tokens[who]}", "X-MLFLOW-WORKSPACE": THEIRS}
        return list(entries_of(WholeHistory(uri, headers, urllib3.PoolManager(retries=False)), model))

    assert [found.id for found in read(THEIRS)] == ["a"]
    assert [found.id for found in read("auditor")] == ["a"]
    with pytest.raises(Failure, match=r"403|404"):
        read(MINE)


def test_an_auditor_reads_everything_and_changes_nothing(pod: Pod, uri: str, their_run: str) -> None:
    pod.become("auditor", THEIRS)
    store = Store(uri)
    assert store.client.get_registered_model(MODEL).name == MODEL
    assert store.read_run(their_run, "evaluation.json") == b"theirs"
    attacks = {
        "overwrite a tag": lambda: store.client.set_model_version_tag(MODEL, "1", "heartops.seal", "x"),
        "move an alias": lambda: store.client.set_registered_model_alias(MODEL, "champion", "1"),
        "register a version": lambda: store.client.create_model_version(MODEL, f"runs:/{their_run}/model"),
        "delete a run": lambda: store.client.delete_run(their_run),
        "write a tag": lambda: store.client.set_tag(their_run, "a", "b"),
        "write a file": lambda: store.client.log_text(their_run, "mine", "evaluation.json"),
        "delete a model": lambda: store.client.delete_registered_model(MODEL),
    }
    assert [name for name, attack in attacks.items() if succeeds(attack)] == []
    assert store.read_run(their_run, "evaluation.json") == b"theirs"


def test_serving_pods_find_their_models_files_with_their_own_token(pod: Pod, uri: str, their_run: str) -> None:
    pod.become(THEIRS, THEIRS)
    environ = os.environ | {Env.TRACKING_URI: uri, Env.REGISTRY_NAME: MODEL}
    assert Registry.of(environ, "1").artifact_path().startswith(f"workspaces/{THEIRS}/")


def test_the_operators_token_for_mlflow_opens_nothing_else(kube_api: KubeApi, tokens: dict[str, str]) -> None:
    """Whoever took over MLflow sees the tokens of its callers."""
    headers = {"Authorization": f"Bearer {tokens['operator']}"}
    for path in ("/api/v1/secrets", "/apis/heartops.dev/v1alpha1/heartmodels", "/apis/batch/v1/jobs", "/api/v1/pods"):
        reply = httpx.get(kube_api.server + path, headers=headers, verify=False)
        assert reply.status_code == 403, path


def test_a_role_that_is_taken_away_ends_the_access(
    pod: Pod, uri: str, kubectl: Kubectl, kube_api: KubeApi, tokens: dict[str, str]
) -> None:
    """For tokens that MLflow has not seen yet; what it has allowed it remembers for five minutes."""
    done = kubectl("delete", "rolebinding", "heartops-registry", "-n", MINE)
    assert done.returncode == 0, done.stderr
    tokens[MINE] = token(kube_api, MINE, "m")
    pod.become(MINE, MINE)

    def denied() -> bool:
        try:
            with WorkspaceContext(MINE):
                Store(uri).client.create_registered_model("after")
        except Exception as error:
            return "ermission" in str(error)
        return False

    poll("it is denied", denied, 20)


def test_prometheus_reads_figures_that_name_nobody_without_a_token(uri: str, tokens: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {tokens[MINE]}", "X-MLFLOW-WORKSPACE": MINE}
    httpx.get(f"{uri}{API}/registered-models/search", headers=headers).raise_for_status()
    answer = httpx.get(f"{uri}/metrics")
    assert answer.status_code == 200
    assert "mlflow_http_request_total" in answer.text
    assert MINE not in answer.text
    assert MODEL not in answer.text
