"""The stable version's pods hand the requests of the candidate's users on, and nobody else's."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from hack.cluster.ports import free_port
from heart_api.handover import EXPERIMENT_FILE
from heart_serving.experiment import experiment as module
from heart_serving.experiment import forwarding
from heart_serving.experiment.experiment import MARK
from heart_serving.predictionlog.settings import LogSettings
from tests.support.serving.app import PROOF_KEY, InProcess, in_process, serving
from tests.support.serving.callers import KEY, certificate, with_key
from tests.support.serving.tiny_model import RECORD, tiny_model

CANDIDATE_ANSWER = {"prediction": 1, "model_version": "8", "request_id": "theirs"}
USERS = [f"user-{number}" for number in range(40)]


class Candidate:
    """Version 8, which remembers whom it answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, dict[str, str]]] = []
        self.status = 200
        self.runner: web.ServerRunner | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.path, await request.read(), headers))
        told = {"X-Model-Version": "8", "X-Request-Id": "theirs", "X-Feedback-Proof": "1.aa.8", "X-Secret": "no"}
        return web.json_response(CANDIDATE_ANSWER, status=self.status, headers=told)

    async def start(self) -> None:
        self.runner = web.ServerRunner(web.Server(self))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self.runner:
            await self.runner.cleanup()
            self.runner = None


@pytest.fixture
async def candidate() -> AsyncIterator[Candidate]:
    found = Candidate()
    await found.start()
    yield found
    await found.stop()


def target(candidate: Candidate, **changes: Any) -> dict[str, Any]:
    values = {"version": "8", "url": candidate.url, "split": 50, "by": {"header": "X-User-Id"}, "salt": "salt"}
    return values | {"metric": "ErrorRate", "since": "2026-01-01T00:00:00Z"} | changes


@pytest.fixture(params=[True, False], ids=["fast-path", "asgi"])
async def stable(tmp_path: Path, request: pytest.FixtureRequest, candidate: Candidate) -> AsyncIterator[InProcess]:
    """Version 7, whose pods carry the experiment out."""
    async with carried_out(tmp_path, candidate, fast_path=request.param) as served:
        yield served


def carried_out(folder: Path, candidate: Candidate, *, fast_path: bool = True, **settings: Any) -> "Carried":
    return Carried(folder, target(candidate), fast_path, settings)


class Carried:
    """The stable version with an experiment that is on."""

    def __init__(self, folder: Path, told: dict[str, Any], fast_path: bool, settings: dict[str, Any]) -> None:
        (folder / EXPERIMENT_FILE).write_text(json.dumps(told))
        settings = {"log": LogSettings(proof_keys=(PROOF_KEY.encode(),))} | settings
        self.served = in_process(
            tiny_model(), folder, fast_path=fast_path, mirror_file=folder / "mirror.json", **settings
        )
        self.tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> InProcess:
        self.tasks = [asyncio.create_task(run()) for run in self.served.application.background]
        await until(lambda: self.served.application.predictor.experiment.is_on)
        return self.served

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.served.client.aclose()


async def until(holds: Any, seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


async def ask(served: InProcess, user: str = "", path: str = "/predict", **headers: str) -> httpx.Response:
    found = {"X-User-Id": user} if user else {}
    return await served.client.post(path, json=RECORD, headers=found | headers)


async def arms(served: InProcess) -> dict[tuple[str, str], float]:
    """Requests by arm and code."""
    text = (await served.management.get("/metrics")).text
    return {
        (sample.labels["arm"], sample.labels["code"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "experiment_requests_total"
    }


def is_theirs(reply: httpx.Response) -> bool:
    return bool(reply.json() == CANDIDATE_ANSWER)


async def test_each_user_is_answered_by_one_version(stable: InProcess, candidate: Candidate) -> None:
    groups = []
    for _ in range(2):
        groups.append([is_theirs(await ask(stable, user)) for user in USERS])
    assert groups[0] == groups[1]
    assert 8 < sum(groups[0]) < 32
    assert len(candidate.asked) == 2 * sum(groups[0])
    found = await arms(stable)
    assert found == {("candidate", "200"): 2 * sum(groups[0]), ("stable", "200"): 2 * (40 - sum(groups[0]))}


async def test_who_says_nothing_or_names_a_version_gets_the_stable_one(stable: InProcess, candidate: Candidate) -> None:
    assert not is_theirs(await ask(stable))
    tensors = [{"name": "age", "shape": [1], "datatype": "FP32", "data": [1]}]
    for user in USERS:
        await stable.client.post(
            "/v2/models/heart/versions/7/infer", json={"inputs": tensors}, headers={"X-User-Id": user}
        )
    assert candidate.asked == []
    assert await arms(stable) == {}


async def user_of(served: InProcess, *, theirs: bool) -> str:
    """A user of the group, found without asking anybody."""
    arm = "candidate" if theirs else "stable"
    experiment = served.application.predictor.experiment
    return next(user for user in USERS if experiment.arm_of("/predict", [(b"x-user-id", user.encode())]) == arm)


async def test_the_answer_is_the_candidates_own(stable: InProcess, candidate: Candidate) -> None:
    reply = await ask(stable, await user_of(stable, theirs=True))
    assert (reply.headers["x-request-id"], reply.headers["x-feedback-proof"]) == ("theirs", "1.aa.8")
    assert reply.headers["x-model-version"] == "8"
    assert "x-secret" not in reply.headers
    ((path, body, _),) = candidate.asked
    assert (path, json.loads(body)) == ("/predict", RECORD)


async def test_it_counts_for_the_candidate_alone(stable: InProcess, candidate: Candidate) -> None:
    candidate.status = 500
    reply = await ask(stable, await user_of(stable, theirs=True))
    assert reply.status_code == 500
    assert (await arms(stable)) == {("candidate", "500"): 1}
    text = (await stable.management.get("/metrics")).text
    assert 'http_requests_total{code="500"' not in text


async def test_ids_of_the_stable_group_tell_it_apart(stable: InProcess) -> None:
    mine = await ask(stable, await user_of(stable, theirs=False))
    assert mine.json()["request_id"].endswith(MARK)
    nobodys = await ask(stable)
    assert not nobodys.json()["request_id"].endswith(MARK)


async def test_a_candidate_that_is_gone_costs_its_users_nothing(stable: InProcess, candidate: Candidate) -> None:
    await candidate.stop()
    user = await user_of(stable, theirs=True)
    replies = [await ask(stable, user) for _ in range(5)]
    assert [reply.status_code for reply in replies] == [200] * 5
    assert not replies[0].json()["request_id"].endswith(MARK), "its outcome is no evidence for the stable version"
    assert (await arms(stable)) == {("candidate", "503"): 5}


async def test_the_end_of_an_experiment_is_followed(
    stable: InProcess, candidate: Candidate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    (tmp_path / EXPERIMENT_FILE).unlink()
    await until(lambda: not stable.application.predictor.experiment.is_on)
    for user in USERS:
        assert not is_theirs(await ask(stable, user))


@pytest.mark.parametrize("told", ["", "{}", '{"version": "7"}'])
async def test_what_cannot_be_read_is_no_experiment(tmp_path: Path, told: str) -> None:
    file = tmp_path / EXPERIMENT_FILE
    file.write_text(told)
    assert module.ExperimentFile(file, "8").read() is None


async def test_a_candidate_hands_nothing_on_to_itself(tmp_path: Path, candidate: Candidate) -> None:
    file = tmp_path / EXPERIMENT_FILE
    file.write_text(json.dumps(target(candidate)))
    assert module.ExperimentFile(file, "8").read() is None
    assert module.ExperimentFile(file, "7").read() is not None


async def test_the_candidate_learns_who_asks_and_nothing_else(tmp_path: Path, candidate: Candidate) -> None:
    async with carried_out(tmp_path, candidate, auth=with_key(tmp_path)) as served:
        user = await user_of(served, theirs=True)
        assert (await ask(served, user)).status_code == 401
        assert candidate.asked == [], "who may not ask this version reaches no other"
        sent = {"X-API-Key": KEY, "X-Heartops-Subject": "p-7", "Cookie": "session=1", "X-HeartOps-Shadow": "1"}
        assert is_theirs(await ask(served, user, **sent)), "a copy that no pod of ours made is a user's request"
        _, _, headers = candidate.asked[-1]
        assert (headers["x-api-key"], headers["x-heartops-subject"]) == (KEY, "p-7")
        assert not {"cookie", "x-user-id", "x-heartops-shadow"} & headers.keys()


async def test_over_tls_the_candidate_has_a_certificate_like_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else gets the caller's key; one that was renewed meanwhile is believed after a request that failed."""
    monkeypatch.setattr(forwarding, "REST_SECONDS", 0)
    theirs, authority = tmp_path / "candidate", trustme.CA()
    theirs.mkdir()
    own = certificate(tmp_path / "tls", trustme.CA(), "heart.example")
    auth, asked = with_key(tmp_path), [(b"x-api-key", KEY.encode()), (b"content-type", b"application/json")]
    tls = certificate(theirs / "tls", authority, "heart.example")
    async with serving(tiny_model(), theirs, tls=tls, auth=auth) as (candidate, port):
        forwarder = forwarding.Forwarder(f"https://127.0.0.1:{port}", own)
        try:
            for _ in range(2):
                with pytest.raises(forwarding.Unreachable):
                    await forwarder.ask("/predict", asked, json.dumps(RECORD).encode())
                certificate(own, authority, "heart.example")
            assert candidate.application.predictor.metrics.callers == {}
            reply = await forwarder.ask("/predict", asked, json.dumps(RECORD).encode())
            assert reply.status == 200
            certificate(own, authority, "kidney.example")
            other = forwarding.Forwarder(f"https://127.0.0.1:{port}", own)
            with pytest.raises(forwarding.Unreachable):
                await other.ask("/predict", asked, json.dumps(RECORD).encode())
            await other.close()
        finally:
            await forwarder.close()


async def test_over_a_connection_the_answer_names_one_version(tmp_path: Path, candidate: Candidate) -> None:
    (tmp_path / EXPERIMENT_FILE).write_text(json.dumps(target(candidate)))
    async with serving(tiny_model(), tmp_path, mirror_file=tmp_path / "mirror.json") as (server, port):
        await until(lambda: server.application.predictor.experiment.is_on)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for user in USERS[:12]:
                reply = await client.post("/predict", json=RECORD, headers={"X-User-Id": user})
                assert reply.headers.get_list("x-model-version") == ["8" if is_theirs(reply) else "7"]
            assert candidate.asked
