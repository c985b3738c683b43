"""Triggers over HTTP, drift checks on demand and events, with a real API server that authenticates and authorizes."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from heart_api.drift import CheckOutcome, CheckRequest, CheckResult
from heart_api.driftstatus import DriftStatus
from heart_api.kube.kinds import JOB
from tests.api.conftest import Kubectl
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.running_operator import RunningOperator
from tests.support.apiserver.tenant import token
from tests.support.apiserver.users import make_person
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api

KEY = b"a key of thirty-two characters.."
LABELS = {"replicas": 2, "predictionLog": {"labels": ["site"]}}


def drift(request: CheckRequest) -> CheckOutcome:
    """One site has drifted."""
    verdict = "Drift" if request.where == {"site": "hospital-01"} else "NoDrift"
    version = request.serving.version
    found = DriftStatus(time=request.until, version=version, verdict=verdict, samples=200, message=f"{verdict} found")
    return CheckOutcome(result=CheckResult(drift=found))


def post(operator: RunningOperator, world: World, what: str, bearer: str = "", **more: Any) -> httpx.Response:
    path = f"/v1/namespaces/{world.namespace}/heartmodels/heart/{what}"
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    context = ssl._create_unverified_context()
    url = f"https://127.0.0.1:{operator.triggers_port}{path}"
    return httpx.post(url, headers=headers | more.pop("headers", {}), verify=context, timeout=30, **more)


def signed(body: bytes) -> dict[str, str]:
    """As MLflow signs."""
    stamp, delivery = str(int(time.time())), "0b1c2d3e-0000-4000-8000-000000000001"
    mac = hmac.new(KEY, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "X-MLflow-Signature": f"v1,{base64.b64encode(mac).decode()}",
        "X-MLflow-Delivery-Id": delivery,
        "X-MLflow-Timestamp": stamp,
    }


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A sink on loopback that rejects the first request of all."""
    events: list[dict[str, Any]] = []
    seen = 0

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            nonlocal seen
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen += 1
            if seen > 1:
                events.append(body)
            self.send_response(200 if seen > 1 else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", events
    server.shutdown()
    server.server_close()


def test_ci_and_webhooks_ask_and_everybody_else_is_turned_away(world: World, kubectl: Kubectl, tmp_path: Path) -> None:
    world.kubelet.check = drift
    (tmp_path / world.namespace).write_bytes(KEY)
    with receiver() as (url, events):
        options = {"triggers_port": 0, "triggers_keys": tmp_path, "events_url": url, "events_history": True}
        with world.start(**options) as operator:
            world.create(serving=LABELS)
            world.wait_serving("1")
            stranger = token(world.api, world.namespace, "stranger")
            assert post(operator, world, "retrain").status_code == 401
            assert post(operator, world, "retrain", "eyJhbGciOiJub25lIn0.e30.").status_code == 401
            assert post(operator, world, "retrain", stranger).status_code == 403
            assert "requests" not in world.status()

            ci = token(world.api, world.namespace, "ci")
            words = ("-n", world.namespace, "create")
            role = ("role", "retrainer", "--verb=get,patch", "--resource=heartmodels.heartops.dev")
            assert kubectl(*words, *role).returncode == 0
            account = f"--serviceaccount={world.namespace}:ci"
            assert kubectl(*words, "rolebinding", "retrainer", "--role=retrainer", account).returncode == 0
            poll("the right to ask", lambda: post(operator, world, "registry", ci).status_code == 202, 30)

            asked = post(operator, world, "retrain", ci)
            assert asked.status_code == 202
            world.wait_serving("2")
            assert world.status()["requests"]["retrain"] == {
                "id": asked.json()["id"],
                "by": f"system:serviceaccount:{world.namespace}:ci",
            }

            assert post(operator, world, "check", ci, json={"where": {"site": "hospital-01"}}).status_code == 202
            check = poll("the check", lambda: (c := world.status().get("check")) and c.get("drift") and c, 60)
            assert (check["drift"]["verdict"], check["where"]) == ("Drift", {"site": "hospital-01"})

            body = b'{"entity": "model_version", "action": "created"}'
            assert post(operator, world, "registry", content=body, headers=signed(body)).status_code == 202
            assert world.status()["requests"]["registry"]["by"] == "webhook"
            assert post(operator, world, "retrain", content=body, headers=signed(body)).status_code == 403
            assert post(operator, world, "registry", content=b"{}", headers=signed(body)).status_code == 401

            wanted = {"trained", "gated", "promoted", "drift"}
            poll("all events", lambda: wanted <= {event["type"].rpartition(".")[2] for event in events}, 60)
            poll("an empty outbox", lambda: "outbox" not in world.status(), 60)
        history = world.registry.history[f"{world.namespace}.heart"].values()
        assert {entry.id for entry in history} == {event["id"] for event in events}
        assert len(events) == len(history), "what was acknowledged is not sent again"


def test_a_person_checks_by_a_label_with_kubectl(world: World, kube_api: KubeApi, tools: Path, tmp_path: Path) -> None:
    world.kubelet.check = drift
    alice = make_person(kube_api, tools, tmp_path, world.namespace, "alice", "edit")
    with world.start():
        world.create(serving=LABELS)
        world.wait_serving("1")
        for site, code, words in (("hospital-02", 0, "no drift"), ("hospital-01", 4, "drift found")):
            done = alice("check", "heart", "--where", f"site={site}", "--from", "2026-01-01", "--to", "2026-01-02")
            assert (done.returncode, words in done.stdout) == (code, True), done.stderr
            check = world.status()["check"]
            assert (check["by"], check["where"]) == (alice.user, {"site": site})
        jobs = [job["metadata"]["name"] for job in world.api.list(JOB, world.namespace)]
        assert [name for name in jobs if "check" in name] == [check["job"]], "the one before is gone"
        assert world.status()["training"]["version"] == "1", "nothing is retrained"
