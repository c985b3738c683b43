"""A share of the requests is copied to a candidate; nobody who asks the stable version notices."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import ClientTimeout, web
from prometheus_client.parser import text_string_to_metric_families

from hack.cluster.ports import free_port
from heart_api.handover import Env
from heart_serving.mirroring import client as shadow_module
from heart_serving.mirroring import mirror as mirror_module
from heart_serving.mirroring.client import CONNECTIONS, MAX_BYTES, MAX_COPIES
from heart_serving.mirroring.mirror import Sampler
from tests.support.serving.app import CLIENT, InProcess, Running, in_process, running, serving
from tests.support.serving.callers import KEY, certificate, with_key
from tests.support.serving.tiny_model import RECORD, TinyModel, tiny_model

Counts = dict[str, float]


class Mounted:
    """A ConfigMap as a kubelet mounts it: every change moves a symlink to a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._generation = 0
        folder.mkdir()

    @property
    def path(self) -> Path:
        return self._folder / "mirror.json"

    def write(self, text: str) -> None:
        self._generation += 1
        data = self._folder / f"..{self._generation}"
        data.mkdir()
        (data / "mirror.json").write_text(text)
        (self._folder / "..new").symlink_to(data.name)
        os.replace(self._folder / "..new", self._folder / "..data")
        if not self.path.is_symlink():
            self.path.symlink_to("..data/mirror.json")

    def point_to(self, url: str, percent: int = 100, version: str = "8") -> None:
        self.write(json.dumps({"percent": percent, "url": url, "version": version}))


class Candidate:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes, dict[str, str]]] = []
        self.answer: Callable[[], web.Response] = lambda: web.json_response({})
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.url = ""

    def ids(self) -> list[str]:
        return [headers["x-request-id"] for _, _, headers in self.asked]

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.path, await request.read(), headers))
        await self.may_answer.wait()
        return self.answer()


@pytest.fixture
async def candidate() -> AsyncIterator[Candidate]:
    candidate, port = Candidate(), free_port()
    runner = web.ServerRunner(web.Server(candidate), shutdown_timeout=1)  # a caller may have gone in mid-request
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    candidate.url = f"http://127.0.0.1:{port}"
    yield candidate
    candidate.may_answer.set()
    await runner.cleanup()


class Stable(InProcess):
    """Version 7, with what it mirrors."""

    mounted: Mounted

    async def ask(self, count: int = 1, **headers: str) -> list[str]:
        """The requests' ids."""
        ids = []
        for _ in range(count):
            reply = await self.client.post("/predict", json=RECORD, headers=headers)
            ids.append(reply.raise_for_status().json()["request_id"])
            await asyncio.sleep(0)  # a real client's next request comes by the event loop
        return ids

    async def mirrored(self, version: str = "8") -> Counts:
        """By result; empty before mirroring to that version began."""
        return {labels["result"]: value for labels, value in await self.samples("mirror_requests_total", version)}

    async def max_difference(self, version: str = "8") -> float:
        ((_, value),) = await self.samples("mirror_max_difference", version)
        return value

    async def samples(self, name: str, version: str) -> list[tuple[dict[str, str], float]]:
        text = (await self.management.get("/metrics")).text
        return [
            (sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and sample.labels["candidate_version"] == version
        ]

    async def until(self, wanted: Callable[[Counts], bool], version: str = "8") -> Counts:
        ends = time.monotonic() + 20
        while not wanted(found := await self.mirrored(version)):
            assert time.monotonic() < ends, found
            await asyncio.sleep(0.01)
        return found


@asynccontextmanager
async def stable_version(folder: Path, model: TinyModel, **settings: Any) -> AsyncIterator[Stable]:
    mounted = Mounted(folder / "mounted")
    served = in_process(model, folder, mirror_file=mounted.path, **settings)
    stable = Stable(served.application, served.client, served.management, served.stream)
    stable.mounted = mounted
    background = [asyncio.create_task(run()) for run in stable.application.background]
    async with stable.client:
        yield stable
    for task in background:
        task.cancel()
    await asyncio.gather(*background, return_exceptions=True)


@pytest.fixture
async def stable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stable]:
    monkeypatch.setattr(mirror_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(
        shadow_module, "TIMEOUT", ClientTimeout(60)
    )  # a busy machine must not look like a slow candidate
    async with stable_version(tmp_path, tiny_model()) as stable:
        yield stable


async def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


async def test_the_candidate_is_asked_the_same_question_under_the_same_id(stable: Stable, candidate: Candidate) -> None:
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    body = json.dumps(RECORD, indent=3).encode()
    headers = {"Content-Type": "application/json", "X-Request-Id": "visit-17"}
    reply = await stable.client.post("/predict", content=body, headers=headers)
    await until(lambda: bool(candidate.asked))
    ((path, parsed, found),) = candidate.asked
    assert (path, parsed) == ("/predict", body)
    assert (found["x-request-id"], found["x-heartops-shadow"]) == (reply.json()["request_id"], "1")
    assert found["content-type"] == "application/json"


@pytest.mark.parametrize("names", [("heart.example",), ("*.models.example",)])
async def test_a_candidate_that_asks_for_a_key_over_tls_is_asked_with_the_callers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Both versions have the same certificate and admit the same callers; nothing else gives the key away."""
    monkeypatch.setattr(mirror_module, "POLL_SECONDS", 0.01)
    auth = with_key(tmp_path)
    tls = certificate(tmp_path / "tls", trustme.CA(), *names)
    (tmp_path / "candidate").mkdir()
    async with (
        serving(tiny_model(), tmp_path / "candidate", tls=tls, auth=auth) as (candidate, port),
        stable_version(tmp_path, tiny_model(), tls=tls, auth=auth) as stable,
    ):
        stable.mounted.point_to(f"https://127.0.0.1:{port}")
        await stable.until(bool)
        await stable.ask(3, **{"X-API-Key": KEY})
        assert (await stable.until(lambda counts: sum(counts.values()) == 3))["equal"] == 3
        assert (await stable.client.post("/predict", json=RECORD)).status_code == 401
        candidate.application.log.flush()
        assert KEY not in stable.logged() + caplog.text
        assert candidate.application.predictor.metrics.callers == {"clinic": 3}


async def test_a_candidate_with_somebody_elses_certificate_gets_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_module, "POLL_SECONDS", 0.01)
    authority = trustme.CA()
    own = certificate(tmp_path / "tls", authority, "heart.example")
    for number, name in enumerate(("heart.example", "kidney.example")):
        folder = tmp_path / str(number)
        folder.mkdir(parents=True)
        tls = certificate(folder / "tls", trustme.CA() if number == 0 else authority, name)
        async with (
            serving(tiny_model(), folder, tls=tls) as (candidate, port),
            stable_version(folder, tiny_model(), tls=own) as stable,
        ):
            stable.mounted.point_to(f"https://127.0.0.1:{port}")
            await stable.until(bool)
            await stable.ask(1)
            assert (await stable.until(lambda counts: sum(counts.values()) == 1))["failed"] == 1
            assert candidate.application.predictor.metrics.predictions == 0


async def test_a_renewed_certificate_is_followed_while_copies_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A self-signed one is its own authority, and a rollout may last longer than it."""
    monkeypatch.setattr(mirror_module, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(shadow_module, "REST_SECONDS", 0.01)
    own = certificate(tmp_path / "tls", trustme.CA(), "heart.example")
    after, theirs = trustme.CA(), tmp_path / "candidate"
    theirs.mkdir()
    async with (
        serving(tiny_model(), theirs, tls=certificate(theirs / "tls", after, "heart.example")) as (_, port),
        stable_version(tmp_path, tiny_model(), tls=own) as stable,
    ):
        stable.mounted.point_to(f"https://127.0.0.1:{port}")
        await stable.until(bool)
        await stable.ask(1)
        await stable.until(lambda counts: counts["failed"] == 1)
        certificate(own, after, "heart.example")
        await stable.ask(1)
        await stable.until(lambda counts: counts["failed"] == 2)
        await stable.ask(1)
        await stable.until(lambda counts: counts["equal"] == 1)


async def test_the_candidate_has_no_path_of_our_version(stable: Stable, candidate: Candidate) -> None:
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    tensors = [{"name": "vessels", "shape": [1], "datatype": "INT64", "data": [1]}]
    types = {"age": "FP32", "sex": "INT64", "cp": "BYTES", "exang": "BOOL"}
    tensors += [{"name": name, "shape": [1], "datatype": kind, "data": [RECORD[name]]} for name, kind in types.items()]
    reply = await stable.client.post("/v2/models/heart/versions/7/infer", json={"inputs": tensors})
    assert reply.status_code == 200
    await until(lambda: bool(candidate.asked))
    assert candidate.asked[0][0] == "/v2/models/heart/infer"


@pytest.mark.parametrize("percent", [1, 10, 33, 50, 90, 100])
def test_a_share_is_kept_over_any_stretch(percent: int) -> None:
    sampler = Sampler()
    taken = [sampler.take(percent) for _ in range(2000)]
    for start in range(0, 1500, 100):
        assert abs(sum(taken[start : start + 500]) - 5 * percent) <= 3
    every_other = taken[::2]  # two clients that take turns
    assert abs(sum(every_other) - 10 * percent) <= 20


async def test_the_share_of_requests_that_is_asked_for_is_copied(stable: Stable, candidate: Candidate) -> None:
    stable.mounted.point_to(candidate.url, percent=25)
    await stable.until(bool)
    first = set(await stable.ask(200))
    stable.mounted.point_to(candidate.url, percent=100)
    while set(candidate.ids()) <= first:  # copies go out in the order of the requests
        await stable.ask()
    await until(lambda: len(first & set(candidate.ids())) >= 48)
    assert len(first & set(candidate.ids())) <= 52
    assert (await stable.mirrored())["dropped"] == 0


async def test_rejected_requests_and_other_routes_are_not_copied(stable: Stable, candidate: Candidate) -> None:
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    assert (await stable.client.post("/predict", json={})).status_code == 422
    assert (await stable.client.get("/model")).status_code == 200
    last = await stable.ask()
    await until(lambda: bool(candidate.asked))
    assert candidate.ids() == last


async def test_a_copy_is_marked_and_not_copied_again(stable: Stable, candidate: Candidate) -> None:
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    await stable.ask(3, **{"X-HeartOps-Shadow": "1"})
    last = await stable.ask()
    await until(lambda: bool(candidate.asked))
    assert candidate.ids() == last
    lines = [json.loads(line) for line in stable.logged().splitlines()]
    marks = [line.get("shadow") for line in lines if line["route"] == "/predict"]
    assert marks == [True, True, True, None]


async def test_a_candidate_that_is_down_harms_nobody(stable: Stable) -> None:
    stable.mounted.point_to(f"http://127.0.0.1:{free_port()}")
    await stable.until(bool)
    await stable.ask(10)
    counts = await stable.until(lambda found: found["failed"] >= CONNECTIONS)
    assert counts["equal"] == counts["different"] == 0


async def test_copies_that_a_slow_candidate_does_not_take_are_dropped(stable: Stable, candidate: Candidate) -> None:
    """Every request is answered while not one copy is."""
    candidate.may_answer.clear()
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    await stable.ask(CONNECTIONS)
    await until(lambda: len(candidate.asked) == CONNECTIONS)
    await stable.ask(MAX_COPIES + 30)
    assert await stable.mirrored() == {"equal": 0, "different": 0, "failed": 0, "dropped": 30}
    candidate.may_answer.set()
    await stable.until(lambda found: found["different"] == CONNECTIONS + MAX_COPIES)


async def test_a_candidate_that_does_not_answer_in_time_has_failed(
    stable: Stable, candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_module, "TIMEOUT", ClientTimeout(0.1))
    candidate.may_answer.clear()
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    await stable.ask(3)
    counts = await stable.until(lambda found: sum(found.values()) == 3)
    assert counts["failed"] == 3


async def test_what_waits_is_bounded_in_bytes_too(stable: Stable, candidate: Candidate) -> None:
    candidate.may_answer.clear()
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    await stable.ask(CONNECTIONS)
    await until(lambda: len(candidate.asked) == CONNECTIONS)
    size = 2 * 1024 * 1024
    large = (" " * (size - 200) + json.dumps(RECORD)).encode()
    for _ in range(6):
        reply = await stable.client.post("/predict", content=large, headers={"Content-Type": "application/json"})
        assert reply.status_code == 200
    assert (await stable.mirrored())["dropped"] == 6 - MAX_BYTES // size


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.json_response({"detail": "no"}, status=422),
        lambda: web.json_response({}, status=500),
        lambda: web.Response(text="not JSON"),
        lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
        lambda: web.Response(body=b"{}", headers={"Inference-Header-Content-Length": "2"}),
    ],
)
async def test_a_candidate_that_does_not_answer_properly_has_failed(
    stable: Stable, candidate: Candidate, answer: Callable[[], web.Response]
) -> None:
    candidate.answer = answer
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    await stable.ask(2)
    counts = await stable.until(lambda found: sum(found.values()) == 2)
    assert counts["failed"] == 2


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "malformed"),
        ('{"percent": 101, "url": "http://a", "version": "8"}', "percent"),
        ('{"percent": 10, "url": "file:///etc/passwd", "version": "8"}', "url"),
        ('{"percent": 10}', "needs url and version"),
    ],
)
async def test_a_malformed_file_switches_off_and_is_reported_once(
    stable: Stable, candidate: Candidate, caplog: pytest.LogCaptureFixture, text: str, word: str
) -> None:
    caplog.set_level("INFO", "heart_serving")
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    stable.mounted.write(text)
    await until(lambda: "mirroring 0%" in caplog.text)
    await stable.ask(3)
    stable.mounted.point_to(candidate.url, version="9")
    await stable.until(bool, version="9")
    await stable.ask()
    await stable.until(lambda found: found["different"] == 1, version="9")
    assert len(candidate.asked) == 1
    # Without the path, for pytest names the folder after this test.
    said = [record.message.replace(str(stable.mounted.path), "") for record in caplog.records]
    assert len([line for line in said if word in line]) == 1


async def test_a_version_does_not_mirror_to_itself(
    stable: Stable, candidate: Candidate, caplog: pytest.LogCaptureFixture
) -> None:
    """After a promotion the file still names the version that serves now."""
    caplog.set_level("INFO", "heart_serving")
    stable.mounted.point_to(candidate.url)
    await stable.until(bool)
    stable.mounted.point_to(candidate.url, version="7")
    await until(lambda: "mirroring 0%" in caplog.text)
    await stable.ask(5)
    assert candidate.asked == []
    assert await stable.mirrored(version="7") == {}


def test_real_servers_are_compared_switched_and_stopped(tmp_path: Path) -> None:
    mounted = Mounted(tmp_path / "mounted")
    folders = [tmp_path / name for name in ("stable", "same", "other")]
    for folder in folders:
        folder.mkdir()
    shared = {"HEARTOPS_DRAIN_SECONDS": "0", Env.PROOF_KEY: "k" * 48}
    with (
        running(tiny_model(), folders[0], HEARTOPS_MIRROR_FILE=str(mounted.path), **shared) as stable,
        running(tiny_model(), folders[1], HEARTOPS_MODEL_VERSION="8", **shared) as same,
        running(tiny_model(seed=1), folders[2], HEARTOPS_MODEL_VERSION="9", **shared) as other,
    ):
        direct = [predict(server, {})["probability"] for server in (stable, other)]
        for server, version in ((same, "8"), (other, "9")):
            mounted.point_to(server.url, version=version)
            poll(lambda version=version: copies(stable, version))
            asked = {predict(stable, {})["request_id"] for _ in range(20)}
            poll(lambda version=version: sum(copies(stable, version).values()) == 20)
        assert copies(stable, "8") == {"equal": 20, "different": 0, "failed": 0, "dropped": 0}
        assert copies(stable, "9")["failed"] == copies(stable, "9")["dropped"] == 0
        assert metric(stable, "mirror_max_difference", "8") == {None: 0}
        assert metric(stable, "mirror_max_difference", "9") == {None: pytest.approx(abs(direct[0] - direct[1]))}
        other.terminate()
        lines = [json.loads(line) for line in other.stopped().splitlines()]
        shadows = {line["request_id"] for line in lines if line.get("shadow")}
        assert shadows == asked
        stable.terminate()
        assert "Traceback" not in stable.stopped()
        assert stable.process.returncode == 0


def predict(server: Running, headers: dict[str, str]) -> Any:
    return CLIENT.post(f"{server.url}/predict", json=RECORD, headers=headers).raise_for_status().json()


def copies(server: Running, version: str) -> Counts:
    return {str(result): value for result, value in metric(server, "mirror_requests_total", version).items()}


def metric(server: Running, name: str, version: str) -> dict[str | None, float]:
    """By result (None where there is no such label)."""
    families = text_string_to_metric_families(server.metrics())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {s.labels.get("result"): s.value for s in samples if s.labels["candidate_version"] == version}


def poll(condition: Callable[[], Any]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)
