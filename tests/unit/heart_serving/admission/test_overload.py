"""Ten times more than the server can do: what it takes on it answers, the rest is rejected, and it goes on working."""

import asyncio
import gc
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import pytest

from hack.cluster.ports import free_port
from heart_model.model import load_model
from heart_serving.admission import event_loop_budget as budget_module
from heart_serving.admission.worker import (
    LEAST,
    LEAST_REST,
    LONGEST_REST,
    PARSE_SECONDS,
    WAIT_SECONDS,
    Worker,
    inline_bytes,
    rest_seconds,
)
from heart_serving.app import create_app
from heart_serving.metrics import Exposition
from heart_serving.server import build_server
from heart_serving.settings import Settings
from tests.support.serving.app import Running, in_process, running
from tests.support.serving.tiny_model import RECORD, tiny_model

MANY = [RECORD] * 600
"""Far more than is answered on the event loop."""
JSON = {"Content-Type": "application/json"}


def test_what_is_small_enough_follows_from_what_the_model_costs() -> None:
    """Seconds for one row, for each further one, bytes of a record → bytes of a body."""
    assert inline_bytes(10e-6, 0.0, 200) == pytest.approx(0.99e-3 / PARSE_SECONDS * 200, rel=0.01)
    assert inline_bytes(10e-6, 100e-6, 200) < 2500
    assert inline_bytes(2e-3, 0.0, 200) == 0
    assert inline_bytes(0.999e-3, 1e-3, 200) == 0


async def test_the_queue_holds_what_is_done_in_half_a_second() -> None:
    worker = Worker(most=128)
    for seconds, places in ((0.0, 128), (0.01, int(WAIT_SECONDS / 0.01)), (10.0, LEAST)):
        worker._mean = seconds or 1e-9
        assert worker.places == places


def test_the_rest_is_as_long_as_rejecting_was_and_rejections_stay_soon() -> None:
    assert rest_seconds(1) == LEAST_REST
    assert rest_seconds(40) == pytest.approx(0.018)
    assert rest_seconds(10_000) == LONGEST_REST


async def test_requests_that_are_on_their_way_to_the_worker_have_their_place() -> None:
    worker = Worker(most=8)
    worker._mean = 1e-9
    assert not worker.is_full(ahead=7)
    assert worker.is_full(ahead=8)


async def test_a_full_queue_rejects_at_once_and_probes_and_small_requests_go_on(tmp_path: Path) -> None:
    served = in_process(tiny_model(), tmp_path)
    gate, run = threading.Event(), served.application.predictor.run

    def slow_for_many(rows: Any) -> Any:
        if len(rows) > 1:
            assert gate.wait(60)
        return run(rows)

    served.application.predictor.run = slow_for_many  # type: ignore[assignment]
    places = served.application.capacity.worker.places
    waiting = [asyncio.create_task(served.client.post("/predict", json=MANY)) for _ in range(places)]
    await until(lambda: served.application.capacity.worker.pending == places)
    rejected = [await served.client.post("/predict", json=MANY) for _ in range(3)]
    assert {(reply.status_code, reply.headers["retry-after"]) for reply in rejected} == {(503, "1")}
    assert (await served.client.post("/predict", json=RECORD)).status_code == 200
    assert (await served.client.get("/v2/health/ready")).status_code == 200
    before = tracebacks()
    for _ in range(50):
        await served.client.post("/predict", json=MANY)
    assert tracebacks() - before < 50, "what was rejected stays in memory, request and all"
    gate.set()
    assert {reply.status_code for reply in await asyncio.gather(*waiting)} == {200}
    assert (await served.client.post("/predict", json=MANY)).status_code == 200


def tracebacks() -> int:
    gc.collect()
    return sum(isinstance(found, TracebackType) for found in gc.get_objects())


async def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("patience", [1.0, 0.0], ids=["patient", "impatient"])
async def test_ten_times_the_clients_cost_little_more_for_each_answer(tmp_path: Path, patience: float) -> None:
    """In processor time, which other work on the machine does not change much: rejecting must not eat the goodput."""
    answers = 50
    with running(tiny_model(), tmp_path, HEARTOPS_CONNECTION_SECONDS="600") as server:
        await load(server, 4, 20, Counter())
        alone = await cost(server, 16, answers)
        crowded = await cost(server, 160, answers, patience)
    assert crowded < 2 * alone


async def cost(server: Running, clients: int, answers: int, patience: float = 1.0) -> float:
    outcomes: Counter[int] = Counter()
    before = cpu_seconds(server.process.pid)
    await load(server, clients, answers, outcomes, patience)
    assert set(outcomes) <= {200, 503}
    return (cpu_seconds(server.process.pid) - before) / outcomes[200]


async def load(server: Running, clients: int, answers: int, outcomes: Counter[int], patience: float = 1.0) -> None:
    """Clients that come back, until so many large requests were answered; `patience`: share of the wait kept."""
    body = json.dumps(MANY).encode()
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)

    async def client_loop(client: httpx.AsyncClient) -> None:
        while outcomes[200] < answers:
            reply = await client.post(f"{server.url}/predict", content=body, headers=JSON)
            outcomes[reply.status_code] += 1
            if reply.status_code == 503:
                await asyncio.sleep(patience * float(reply.headers["retry-after"]))

    async with httpx.AsyncClient(limits=limits, timeout=60) as client, asyncio.timeout(120):
        await asyncio.gather(*(client_loop(client) for _ in range(clients)))


def cpu_seconds(pid: int) -> float:
    """Of all threads: nanoseconds on a processor, the first number in schedstat."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in threads) / 1e9


async def test_what_has_arrived_at_one_time_is_answered_for_so_long_and_the_rest_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, metrics = await answered_at_one_time(tmp_path, monkeypatch, work)
    assert codes.keys() == {b"200", b"503"}
    assert re.search(rf'http_requests_total\{{code="503".*\}} {codes[b"503"]}\.0', metrics)


async def test_a_server_without_a_processor_rejects_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the event loop a pause by the kernel (a busy node, a CPU limit) is like this sleep."""
    codes, _ = await answered_at_one_time(tmp_path, monkeypatch, time.sleep)
    assert codes == {b"200": 20}


def work(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


async def answered_at_one_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hold_up: Callable[[float], None]
) -> tuple[Counter[bytes], str]:
    """(status codes of 20 requests that arrive while `hold_up` is called for the first of them, /metrics)."""
    monkeypatch.setattr(budget_module, "BUDGET_SECONDS", 0.2)
    model, port = tiny_model(), free_port()
    settings = Settings("heart", "clinic", "7", model.sha256, model.write(tmp_path), "127.0.0.1", port, 0)
    application = create_app(load_model(settings.file, model.sha256), settings)
    server, run = build_server(application, settings), application.predictor.run
    exposition = Exposition(application.predictor.metrics)

    def slow(rows: Any) -> Any:
        hold_up(0.15)
        return run(rows)

    application.predictor.run = slow  # type: ignore[assignment]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        await until(lambda: server.started)
        streams = [await connected(port) for _ in range(20)]
        for _, writer in streams:
            writer.write(prediction())  # all of them while the model is busy with the first
        codes = Counter([await status(reader) for reader, _ in streams])
        reader, writer = await connected(port)
        writer.write(prediction())
        assert await status(reader) == b"200"
        return codes, exposition().decode()
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join)


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(port: int) -> Stream:
    """A connection that the server has accepted: it accepts one in a pass of its event loop."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v2/health/live HTTP/1.1\r\nHost: heart\r\n\r\n")
    assert await status(reader) == b"200"
    return reader, writer


def prediction() -> bytes:
    body = json.dumps(RECORD).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: heart\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def status(reader: asyncio.StreamReader) -> bytes:
    """Status code of the next response; a rejection says when to come back."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    code = head.split(b" ")[1]
    assert (b"retry-after: 1\r\n" in head) == (code == b"503")
    return code
