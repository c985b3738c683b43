"""Triggers over HTTP: who may ask for what, what is written, and what an attacker gets."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from heart_operator.kube.errors import ApiUnavailable, Conflict, NotFound
from heart_operator.telemetry.certificate import self_signed
from heart_operator.telemetry.endpoints import HttpServer
from heart_operator.triggers import endpoints
from heart_operator.triggers.endpoints import MAX_BODY, NAMESPACES, PEERS, Triggers
from heart_operator.triggers.limits import Rate
from tests.unit.heart_operator.triggers.test_webhooks import KEY, OTHER, signed

START = datetime.fromtimestamp(1_800_000_000, UTC)


class Api:
    """The API server: reviews, and two HeartModels."""

    def __init__(self) -> None:
        self.users = {"ci-token": "ci", "reader-token": "reader", "mallory-token": "mallory"}
        self.rights = {("ci", "patch"), ("ci", "get"), ("reader", "get")}
        self.models = {("clinic", "heart"): model("clinic", "heart"), ("lab", "lung"): model("lab", "lung")}
        self.asked: list[dict[str, Any]] = []
        self.writes = 0
        self.conflicts = 0
        self.down = False

    async def request(self, method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        if self.down:
            raise ApiUnavailable("no answer")
        spec = body["spec"]
        if body["kind"] == "TokenReview":
            user = self.users.get(spec["token"])
            return {"status": {"authenticated": True, "user": {"username": user}} if user else {}}
        about = spec["resourceAttributes"]
        self.asked.append(about)
        known = about["namespace"] == "clinic" and (about["group"], about["resource"]) == (
            "heartops.dev",
            "heartmodels",
        )
        return {"status": {"allowed": known and (spec["user"], about["verb"]) in self.rights}}

    async def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any]:
        if (namespace, name) not in self.models:
            raise NotFound("no such object")
        return copy.deepcopy(self.models[namespace, name])

    async def replace(self, kind: Any, manifest: dict[str, Any], subresource: str) -> dict[str, Any]:
        assert subresource == "status"
        meta = manifest["metadata"]
        living = self.models[meta["namespace"], meta["name"]]
        if self.conflicts or living["metadata"]["resourceVersion"] != meta["resourceVersion"]:
            self.conflicts -= 1
            raise Conflict("changed meanwhile")
        self.writes += 1
        stored = copy.deepcopy(manifest)
        stored["metadata"]["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
        self.models[meta["namespace"], meta["name"]] = stored
        return stored

    def requests(self, name: tuple[str, str] = ("clinic", "heart")) -> dict[str, Any]:
        found: dict[str, Any] = self.models[name]["status"].get("requests", {})
        return found


def model(namespace: str, name: str) -> dict[str, Any]:
    meta = {"namespace": namespace, "name": name, "uid": "u", "resourceVersion": "1"}
    return {"metadata": meta, "spec": {}, "status": {"gate": "passed"}}


class Around:
    def __init__(self, keys: Path) -> None:
        self.api = Api()
        self.now = START
        self.seconds = 0.0
        cluster: Any = self.api
        self.triggers = Triggers(
            cluster, lambda namespace: namespace != "elsewhere", keys, lambda: self.seconds, lambda: self.now
        )
        self.session: aiohttp.ClientSession

    async def post(
        self, what: str, token: str = "ci-token", body: Any = None, name: str = "clinic/heart", **headers: str
    ) -> tuple[int, dict[str, Any]]:
        namespace, _, model_name = name.partition("/")
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        path = f"/v1/namespaces/{namespace}/heartmodels/{model_name}/{what}"
        async with self.session.post(path, data=data, headers=sent | headers) as reply:
            text = await reply.text()
            return reply.status, json.loads(text) if reply.content_type == "application/json" else {}

    async def webhook(self, headers: dict[str, str], body: bytes = b'{"entity": "model_version"}', what="registry"):
        return await self.post(what, "", body, **headers)


@pytest.fixture
async def around(tmp_path: Path) -> AsyncIterator[Around]:
    (tmp_path / "clinic").write_bytes(KEY)
    (tmp_path / "lab").write_bytes(OTHER)
    found = Around(tmp_path)
    server = HttpServer(found.triggers.app(), "127.0.0.1", 0, self_signed("operator"))
    await server.start()
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(f"https://127.0.0.1:{server.port}", connector=connector) as session:
        found.session = session
        yield found
    await server.stop()


# --- what is asked is written -----------------------------------------------------------------------


async def test_a_retraining_is_written_with_who_asked_and_nothing_else_changes(around: Around) -> None:
    status, answer = await around.post("retrain")
    assert status == 202
    assert around.api.requests() == {"retrain": {"id": answer["id"], "by": "ci"}}
    assert around.api.models["clinic", "heart"]["status"]["gate"] == "passed"
    assert around.api.asked[-1] == {
        "group": "heartops.dev",
        "resource": "heartmodels",
        "namespace": "clinic",
        "name": "heart",
        "verb": "patch",
    }


async def test_each_request_is_newer_than_the_one_before_whatever_the_clock_says(around: Around) -> None:
    first = (await around.post("retrain"))[1]["id"]
    around.now -= timedelta(hours=1)
    assert (await around.post("retrain"))[1]["id"] > first


async def test_a_check_carries_its_window_and_its_labels(around: Around) -> None:
    body = {"from": "2026-11-21T06:00:00Z", "to": "2026-11-22T06:00:00Z", "where": {"site": "a"}, "threshold": 0.3}
    status, answer = await around.post("check", body=body)
    assert status == 202
    found = around.api.requests()["check"]
    assert (found["id"], found["by"], found["where"]) == (answer["id"], "ci", {"site": "a"})
    assert (found["since"], found["until"], found["threshold"]) == (body["from"], body["to"], 0.3)


async def test_a_check_without_a_body_is_of_the_last_day(around: Around) -> None:
    assert (await around.post("check"))[0] == 202
    found = around.api.requests()["check"]
    assert datetime.fromisoformat(found["until"]) == START
    assert datetime.fromisoformat(found["since"]) == START - timedelta(days=1)


async def test_who_may_read_may_have_the_registry_looked_at_and_nothing_else(around: Around) -> None:
    assert (await around.post("registry", "reader-token"))[0] == 202
    assert (await around.post("retrain", "reader-token"))[0] == 403
    assert (await around.post("check", "reader-token"))[0] == 403
    assert set(around.api.requests()) == {"registry"}


async def test_a_write_that_lost_a_race_is_tried_again(around: Around) -> None:
    around.api.conflicts = 3
    assert (await around.post("retrain"))[0] == 202
    around.api.conflicts = 99
    assert (await around.post("retrain"))[0] == 503


async def test_a_suspended_model_says_so(around: Around) -> None:
    around.api.models["clinic", "heart"]["spec"]["suspend"] = True
    status, answer = await around.post("retrain")
    assert (status, "suspended" in answer["error"]) == (409, True)


# --- webhooks ---------------------------------------------------------------------------------------


async def test_a_signed_webhook_has_the_registry_looked_at(around: Around) -> None:
    status, answer = await around.webhook(signed())
    assert status == 202
    assert around.api.requests()["registry"] == {"id": answer["id"], "by": "webhook"}


async def test_a_replayed_delivery_changes_nothing(around: Around) -> None:
    first = await around.webhook(signed())
    await around.webhook(signed(stamp=1_800_000_010, id_="0b1c2d3e-0000-4000-8000-000000000002"))
    stored, writes = around.api.requests(), around.api.writes
    for _ in range(3):
        assert (await around.webhook(signed()))[0] == first[0]
    assert (around.api.requests(), around.api.writes) == (stored, writes)


async def test_an_old_delivery_is_rejected(around: Around) -> None:
    around.now += timedelta(minutes=6)
    assert (await around.webhook(signed()))[0] == 401


async def test_another_namespaces_key_opens_nothing(around: Around) -> None:
    assert (await around.webhook(signed(OTHER)))[0] == 401
    assert (await around.post("registry", "", b'{"entity": "model_version"}', "lab/lung", **signed()))[0] == 401
    assert around.api.writes == 0


@pytest.mark.parametrize("what", ["retrain", "check"])
async def test_a_webhook_starts_no_job(around: Around, what: str) -> None:
    assert (await around.webhook(signed(), what=what))[0] == 403
    assert around.api.writes == 0


async def test_a_token_beside_a_signature_is_the_one_that_counts(around: Around) -> None:
    """Else a caller could choose the weaker proof."""
    assert (await around.post("registry", "mallory-token", b'{"entity": "model_version"}', **signed()))[0] == 403


# --- attacks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "invented", "x" * 20_000])
async def test_without_a_valid_token_nothing_is_done(around: Around, token: str) -> None:
    status, _ = await around.post("retrain", token)
    assert status in (400, 401)
    assert around.api.writes == 0


async def test_what_exists_is_no_secret_that_an_answer_tells(around: Around) -> None:
    """The same words for another's model and for one that does not exist."""
    there = await around.post("retrain", "mallory-token", name="lab/lung")
    nowhere = await around.post("retrain", "mallory-token", name="lab/ghost")
    assert there == nowhere
    assert there[0] == 403
    assert await around.post("retrain", "", name="lab/lung") == await around.post("retrain", "", name="lab/ghost")


async def test_only_posts_to_a_models_own_paths_are_answered(around: Around) -> None:
    for name in ("clinic/heart%2F..%2Flung", "CLINIC/heart", "clinic/..", "clinic/heart/status", f"clinic/{'a' * 64}"):
        assert (await around.post("retrain", name=name))[0] == 404
    assert (await around.post("promote"))[0] == 404
    async with around.session.get("/v1/namespaces/clinic/heartmodels/heart/retrain") as reply:
        assert reply.status == 405


async def test_namespaces_of_other_operators_are_left_alone(around: Around) -> None:
    around.api.rights.add(("ci", "patch"))
    around.api.models["elsewhere", "heart"] = model("elsewhere", "heart")
    status, _ = await around.post("retrain", name="elsewhere/heart")
    assert status == 403
    assert "requests" not in around.api.models["elsewhere", "heart"]["status"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 30_000, 400),
        ({"form": 1}, 400),
        ({"where": {"Site": "x"}}, 422),
        ({"where": {"site": "' OR 1=1 --"}}, 422),
        ({"where": ["site"]}, 422),
        ({"where": {f"l{index}": "x" for index in range(20)}}, 422),
        ({"from": "2000-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, 422),
        ({"to": "soon"}, 400),
        ({"threshold": 7}, 422),
        ({"minSamples": "many"}, 422),
    ],
)
async def test_a_check_that_is_none_is_said_and_not_written(around: Around, body: Any, status: int) -> None:
    found, answer = await around.post("check", body=body)
    assert (found, bool(answer["error"])) == (status, True)
    assert around.api.writes == 0


async def test_a_large_body_is_not_read(around: Around) -> None:
    assert (await around.post("check", body=b"x" * (MAX_BODY + 1)))[0] == 413
    assert around.api.writes == 0


async def test_a_body_that_never_ends_is_given_up(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "BODY_SECONDS", 0.05)
    never = asyncio.Event()

    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        await never.wait()

    path = "/v1/namespaces/clinic/heartmodels/heart/check"
    async with around.session.post(path, data=drip(), headers={"Authorization": "Bearer ci-token"}) as reply:
        assert reply.status == 408
    never.set()


async def test_one_address_cannot_ask_without_end(around: Around) -> None:
    replies = [(await around.post("retrain", "invented"))[0] for _ in range(PEERS.burst + 5)]
    assert replies.count(429) == 5
    around.seconds += 10
    assert (await around.post("retrain", "invented"))[0] == 401


async def test_one_namespace_uses_up_its_own_tokens_alone(around: Around) -> None:
    replies = [(await around.post("registry"))[0] for _ in range(NAMESPACES.burst + 3)]
    assert replies.count(429) == 3
    webhook = await around.post("registry", "", b'{"entity": "model_version"}', "lab/lung", **signed(OTHER))
    assert webhook[0] == 202
    around.seconds += 1 / NAMESPACES.per_second
    assert (await around.post("registry"))[0] == 202


async def test_who_is_not_allowed_uses_up_nobodys_tokens(around: Around) -> None:
    for _ in range(NAMESPACES.burst + 5):
        await around.post("retrain", "mallory-token")
    assert (await around.post("retrain"))[0] == 202


async def test_requests_at_one_time_are_bounded(around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MOST_AT_ONCE", 0)
    assert (await around.post("retrain"))[0] == 503


async def test_an_api_server_that_is_down_is_said_so(around: Around) -> None:
    around.api.down = True
    assert (await around.post("retrain"))[0] == 503


def test_the_rates_are_what_the_page_says() -> None:
    assert (Rate(60, 10.0), Rate(10, 0.2)) == (PEERS, NAMESPACES)
