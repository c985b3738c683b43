"""`kubectl heart`, typed by people with Kubernetes' own roles, against a real API server."""

import base64
import hashlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from heart_api.kube.kinds import DEPLOYMENT, HEART_MODEL, JOB, POD, SERVICE, Kind
from heart_api.names import Annotation, Component, Label
from tests.api.conftest import Kubectl, install_part
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.heart_objects import candidate, previous, serving, sha
from tests.support.apiserver.users import Done, Person, make_person
from tests.support.apiserver.world import OPERATOR_NAMESPACE, World

pytestmark = pytest.mark.api

ENDPOINTS = Kind("v1", "Endpoints", "endpoints")
SECRET = Kind("v1", "Secret", "secrets")
ROLLOUT = {"serving": serving("6"), "candidate": candidate("7", phase="Paused"), "previous": previous("5")}


@pytest.fixture
def alice(world: World, kube_api: KubeApi, tools: Path, tmp_path: Path) -> Person:
    """May edit what is in the world's namespace."""
    return make_person(kube_api, tools, tmp_path, world.namespace, "alice", "edit")


@pytest.fixture
def vera(world: World, kube_api: KubeApi, tools: Path, tmp_path: Path) -> Person:
    """May look."""
    return make_person(kube_api, tools, tmp_path, world.namespace, "vera", "view")


def report(world: World, status: dict[str, Any]) -> None:
    """As an operator would."""
    world.api.patch(HEART_MODEL, world.namespace, "heart", {"status": status}, "status")


def worked(done: Done) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def failed(done: Done, words: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr


def test_a_persons_commands_steer_a_rollout(world: World, alice: Person, vera: Person) -> None:
    """From retraining over the approval to the way back; each is kept with who and why."""
    with world.start():
        world.create(rollout={"steps": [{"pause": {}}]})
        world.wait_serving("1")
        assert worked(alice("retrain", "heart", "--reason", "new data")).startswith("heart: retrain")
        poll("version 2 waits", lambda: world.status().get("candidate", {}).get("phase") == "Paused")

        shown = worked(vera("status", "heart"))
        assert "version 1 · stable" in shown
        assert "version 2 · candidate" in shown
        assert "pod heart-v2-" in shown
        assert "kubectl heart promote heart" in shown

        failed(vera("promote", "heart"), "cannot patch")
        assert worked(alice("promote", "heart", "--reason", "checked")).startswith("heart: promote 2: ")
        world.wait_serving("2")

        failed(alice("promote", "heart"), "has no candidate; version 2 serves")
        assert worked(alice("rollback", "heart", "--reason", "complaints")).startswith("heart: rollback 2: ")
        world.wait_serving("1")
        told = worked(vera("history", "heart"))
    assert alice.user in told
    assert "complaints" in told
    failed(alice("rollback", "heart"), "There is no version to roll back to")


def test_a_command_is_written_in_the_users_name(world: World, alice: Person) -> None:
    world.create()
    report(world, ROLLOUT)
    worked(alice("promote", "heart", "--no-wait", "--reason", "checked with cardiology"))
    found = world.model()
    written = found["metadata"]["annotations"]
    assert written[Annotation.COMMAND].startswith(f"promote 7 {sha('7')} ")
    assert written[Annotation.COMMAND_BY] == alice.user
    assert written[Annotation.COMMAND_REASON] == "checked with cardiology"
    assert "kubectl-heart" in [entry["manager"] for entry in found["metadata"]["managedFields"]]


def test_nobody_else_is_there(world: World, alice: Person) -> None:
    world.create()
    failed(alice("status", "hart"), f'HeartModel "hart" not found in namespace "{world.namespace}" (available: heart)')
    assert "heart" in worked(alice("status"))
    failed(alice("status", "heart", "-n", "kube-system"), "forbidden")


@pytest.fixture
def admin(api_server: Path, tools: Path) -> Person:
    return Person("admin", api_server, tools)


@pytest.fixture
def log_database(kubectl: Kubectl, kube_api: KubeApi, tools: Path) -> str:
    """The chart's prediction log, as far as it is objects; the namespace that it is in."""
    kube_api.create_namespace(OPERATOR_NAMESPACE)
    install_part(kubectl, tools, "log-database.yaml")
    meta = {"name": "heartops-log-namespaces", "namespace": OPERATOR_NAMESPACE}
    if kube_api.get(SECRET, OPERATOR_NAMESPACE, meta["name"]) is None:
        kube_api.create(SECRET, {"metadata": meta, "stringData": {OPERATOR_NAMESPACE: "x"}})
    return OPERATOR_NAMESPACE


def keys(world: World, namespace: str, name: str) -> dict[str, str]:
    found = world.api.get(SECRET, namespace, name)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()} if found else {}


def test_a_namespace_gets_its_key_and_its_part_of_the_log(world: World, admin: Person, log_database: str) -> None:
    words = ("init-namespace", world.namespace, "--system-namespace", log_database)
    before, done = keys(world, log_database, "heartops-log-namespaces"), worked(admin(*words))
    made, passwords = (
        keys(world, world.namespace, "heartops-runtime"),
        keys(world, log_database, "heartops-log-namespaces"),
    )
    assert len(made["HEARTOPS_ROW_KEY"]) == len(made["HEARTOPS_PROOF_KEY"]) == 48
    assert made["HEARTOPS_ROW_KEY"] != made["HEARTOPS_PROOF_KEY"]
    url = urlsplit(made["HEARTOPS_DATABASE_URL"])
    assert (url.username, url.password) == (f"ns-{world.namespace}", passwords[world.namespace])
    assert (url.netloc.rpartition("@")[2], url.path) == (f"heartops-postgresql.{log_database}.svc:5432", "/heartops")
    assert before.items() < passwords.items()
    [job] = re.findall(r"Job (\S+) in namespace", done)
    [volume] = world.api.get(JOB, log_database, job)["spec"]["template"]["spec"]["volumes"]
    assert volume["secret"]["secretName"] == "heartops-log-namespaces"

    assert worked(admin(*words)).startswith("Unchanged")
    assert keys(world, world.namespace, "heartops-runtime") == made
    assert keys(world, log_database, "heartops-log-namespaces") == passwords


def test_what_was_cut_short_is_completed(world: World, admin: Person, log_database: str) -> None:
    """A row key that is there stays; a password that the log knows is the one that is used."""
    meta = {"name": "heartops-runtime", "namespace": world.namespace}
    world.api.create(SECRET, {"metadata": meta, "stringData": {"HEARTOPS_ROW_KEY": "old"}})
    known = {"stringData": {world.namespace: "known"}}
    world.api.patch(SECRET, log_database, "heartops-log-namespaces", known)
    done = worked(admin("init-namespace", world.namespace, "--system-namespace", log_database))
    assert "creates the login and the tables" in done
    made = keys(world, world.namespace, "heartops-runtime")
    assert (made["HEARTOPS_ROW_KEY"], len(made["HEARTOPS_PROOF_KEY"])) == ("old", 48)
    assert urlsplit(made["HEARTOPS_DATABASE_URL"]).password == "known"


def test_an_editor_prepares_a_namespace_without_the_log(world: World, alice: Person, log_database: str) -> None:
    words = ("init-namespace", world.namespace, "--system-namespace", log_database)
    failed(alice(*words), "--no-log skips it")
    assert not keys(world, world.namespace, "heartops-runtime")
    assert worked(alice(*words, "--no-log")).startswith("Added HEARTOPS_ROW_KEY")
    assert keys(world, world.namespace, "heartops-runtime").keys() == {"HEARTOPS_ROW_KEY", "HEARTOPS_PROOF_KEY"}


def test_what_changes_something_can_be_tried_on_the_api_server(
    world: World, admin: Person, vera: Person, log_database: str
) -> None:
    """Admitted with the user's own rights, and not stored."""
    world.create()
    report(world, ROLLOUT)
    world.api.create(DEPLOYMENT, logging_deployment(world.namespace))
    before = world.model()["metadata"]["resourceVersion"], keys(world, log_database, "heartops-log-namespaces")
    there, dry = ("-n", world.namespace), "--dry-run=server"
    for words in (
        ("init-namespace", world.namespace, "--system-namespace", log_database),
        ("key", "create", "heart", "clinic", *there),
        ("promote", "heart", *there),
        ("check", "heart", *there),
        ("erase", "heart", "--subject", "s-1", *there),
    ):
        said = worked(admin(*words, dry)).splitlines()
        assert said
        assert all(line.endswith("(server dry run)") for line in said), said
    assert before == (
        world.model()["metadata"]["resourceVersion"],
        keys(world, log_database, "heartops-log-namespaces"),
    )
    assert not keys(world, world.namespace, "heartops-runtime")
    assert not keys(world, world.namespace, "heart-api-keys")
    assert not world.api.list(JOB, world.namespace)
    failed(vera("promote", "heart", dry), "cannot patch")
    failed(vera("key", "create", "heart", "clinic", dry), "forbidden")
    shown = worked(admin("promote", "heart", *there, dry, "-o", "jsonpath={.metadata.annotations}"))
    assert json.loads(shown)[Annotation.COMMAND].startswith("promote 7 ")


def logging_deployment(namespace: str) -> dict[str, Any]:
    """As much of version 6's as an erasure reads."""
    labels = {Label.MODEL: "heart", Label.COMPONENT: Component.SERVING}
    server = {
        "name": "server",
        "image": "serving:1",
        "env": [{"name": "HEARTOPS_DATABASE_URL", "value": "postgresql://ns-clinic@db:5432/heartops"}],
        "securityContext": {"allowPrivilegeEscalation": False},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [server]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": "heart-v6", "namespace": namespace, "labels": labels}, "spec": spec}


def test_without_a_database_the_key_is_all(world: World, admin: Person) -> None:
    done = worked(admin("init-namespace", world.namespace, "--system-namespace", "kube-system"))
    assert "has no HeartOps database" in done
    assert keys(world, world.namespace, "heartops-runtime").keys() == {"HEARTOPS_ROW_KEY", "HEARTOPS_PROOF_KEY"}


@pytest.fixture
def model_server() -> Iterator[tuple[str, int, list[bytes]]]:
    """Address of a stand-in for a serving pod, and what it was asked. The API server proxies to no loopback address."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.rfile.read(int(self.headers["Content-Length"])))
            known = self.path == "/predict"
            body = json.dumps({"prediction": 1} if known else {"detail": "not here"}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    address = own_address()
    server = HTTPServer((address, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield address, server.server_port, asked
    server.shutdown()


def own_address() -> str:
    """Of the interface that leads outside."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but the loopback's")
        return str(probe.getsockname()[0])


def stand_in(world: World, address: str, port: int, name: str = "http") -> None:
    """A Service with one pod, which answers at the address: the API server proxies to addresses of pods alone."""
    meta = {"name": "heart", "namespace": world.namespace}
    pod = {"serviceAccountName": "alice", "containers": [{"name": "server", "image": "none:1"}]}
    world.api.create(POD, {"metadata": meta, "spec": pod})
    status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
    world.api.patch(POD, world.namespace, "heart", {"status": status}, "status")
    world.api.create(SERVICE, {"metadata": meta, "spec": {"ports": [{"name": name, "port": 80}]}})
    place = {"ip": address, "targetRef": {"kind": "Pod", **meta}}
    subset = {"addresses": [place], "ports": [{"name": name, "port": port}]}
    world.api.create(ENDPOINTS, {"metadata": meta, "subsets": [subset]})


def test_predictions_go_through_the_api_server(
    world: World, alice: Person, vera: Person, model_server: tuple[str, int, list[bytes]]
) -> None:
    address, port, asked = model_server
    world.create()
    report(world, {"serving": serving("6")})
    stand_in(world, address, port)

    def answer() -> str:
        """Empty until the API server has heard of the endpoint."""
        return alice("predict", "heart", "-", stdin='{"age": 63}').stdout

    assert json.loads(poll("the server answers", answer)) == {"prediction": 1}
    assert [json.loads(record) for record in asked] == [{"age": 63}]
    failed(vera("predict", "heart", '{"age": 63}'), "the permission to create services/proxy")


@pytest.fixture
def guarded_server() -> Iterator[tuple[str, int]]:
    """A model server with TLS that answers whoever sends its key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            allowed = self.headers.get("X-API-Key") == "heart_the-key"
            body = json.dumps({"prediction": 1} if allowed else {"detail": "no valid key"}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    address, context = own_address(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("heart.clinic.svc").configure_cert(context)
    server = HTTPServer((address, 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield address, server.server_port
    server.shutdown()
    server.server_close()


def test_a_key_reaches_a_model_with_tls_through_the_api_server(
    world: World, alice: Person, guarded_server: tuple[str, int], tmp_path: Path
) -> None:
    """The API server consumes Authorization, opens TLS, and passes X-API-Key on."""
    world.create()
    report(world, {"serving": serving("6") | {"url": f"https://heart.{world.namespace}.svc"}})
    stand_in(world, *guarded_server, name="https")
    key, wrong = tmp_path / "key", tmp_path / "wrong"
    key.write_text("heart_the-key")
    wrong.write_text("heart_another")

    def answer() -> str:
        return alice("predict", "heart", '{"age": 63}', "--key-file", str(key)).stdout

    assert json.loads(poll("the server answers", answer)) == {"prediction": 1}
    failed(alice("predict", "heart", '{"age": 63}', "--key-file", str(wrong)), "responded with 401: no valid key")


def test_keys_are_stored_as_hashes_in_the_users_name(world: World, alice: Person, vera: Person) -> None:
    world.create()
    first, second = (worked(alice("key", "create", "heart", "clinic")).strip() for _ in range(2))
    secret = world.api.get(SECRET, world.namespace, "heart-api-keys")
    stored = base64.b64decode(secret["data"]["clinic"]).decode()
    assert [line.split()[0] for line in stored.splitlines()] == [
        f"sha256:{hashlib.sha256(key.encode()).hexdigest()}" for key in (first, second)
    ]
    assert secret["metadata"]["ownerReferences"][0]["name"] == "heart"
    failed(vera("key", "create", "heart", "vera"), "forbidden")
    assert "Revoked 1 key" in worked(alice("key", "revoke", "heart", "clinic", "--old"))
    assert second not in worked(alice("key", "list", "heart"))
    worked(alice("key", "revoke", "heart", "clinic"))
    assert not world.api.get(SECRET, world.namespace, "heart-api-keys").get("data")


def test_a_server_that_does_not_answer(world: World, alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.yaml"
    file.write_text(alice.kubeconfig.read_text().replace(world.api.server, "https://127.0.0.1:9"))
    failed(alice("status", "heart", "--kubeconfig", str(file)), "https://127.0.0.1:9 cannot be reached")
    failed(alice("status", "heart", "--context", "none"), "none")
