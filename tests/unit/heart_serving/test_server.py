"""The real process on loopback: stopping, connection ages, slow and greedy clients."""

import asyncio
import json
import socket
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from heart_serving.http import connection as connection_module
from tests.support.serving.app import CLIENT, Running, running, serving
from tests.support.serving.tiny_model import RECORD, tiny_model

BODY = json.dumps(RECORD).encode()
HEAD = b"POST /predict HTTP/1.1\r\nHost: heart\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
REQUEST = HEAD % len(BODY) + BODY


async def test_sigterm_under_load_loses_no_request(tmp_path: Path) -> None:
    """Keep-alive and new connections; clients come as long as the pod is ready, and a moment longer."""
    with running(tiny_model(), tmp_path, HEARTOPS_DRAIN_SECONDS="1.5") as server:
        outcomes: Counter[str] = Counter()
        told = asyncio.Event()
        clients = [asyncio.create_task(load(server, told, outcomes, keep_alive=index % 2 == 0)) for index in range(8)]
        await asyncio.sleep(0.5)
        server.terminate()
        await until_not_ready(server)
        await asyncio.sleep(0.5)  # endpoint lists are slower than the pod
        told.set()
        await asyncio.gather(*clients)
        assert await asyncio.to_thread(server.process.wait, 30) == 0
    assert set(outcomes) == {"200"}
    assert outcomes["200"] > 20


async def load(server: Running, told: asyncio.Event, outcomes: Counter[str], *, keep_alive: bool) -> None:
    limits = httpx.Limits(max_keepalive_connections=1 if keep_alive else 0)
    async with httpx.AsyncClient(limits=limits, timeout=10) as client:
        while not told.is_set():
            try:
                reply = await client.post(f"{server.url}/predict", json=RECORD)
                outcomes[str(reply.status_code)] += 1
            except httpx.TransportError as error:
                outcomes[repr(error)] += 1


async def until_not_ready(server: Running) -> None:
    ends = time.monotonic() + 10
    async with httpx.AsyncClient() as client:
        while (await client.get(f"{server.url}/v2/health/ready")).status_code != 503:
            assert time.monotonic() < ends
        assert (await client.get(f"{server.url}/v2/health/live")).status_code == 200
        assert (await client.get(f"{server.url}/health")).json()["status"] == "stopping"


def test_a_request_begun_before_the_end_is_completed(tmp_path: Path) -> None:
    with running(tiny_model(), tmp_path, HEARTOPS_DRAIN_SECONDS="0.1") as server, connect(server) as client:
        client.sendall(REQUEST[:-10])
        server.terminate()
        with pytest.raises(ConnectionError):
            rejected_from_now_on(server)
        client.sendall(REQUEST[-10:])
        reply = read_all(client)
        assert reply.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in reply
        assert server.process.wait(30) == 0


def rejected_from_now_on(server: Running) -> None:
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        connect(server).close()
        time.sleep(0.02)


def test_while_stopping_every_answer_ends_its_connection(tmp_path: Path) -> None:
    with running(tiny_model(), tmp_path, HEARTOPS_DRAIN_SECONDS="20") as server, connect(server) as client:
        assert b"connection: close" not in exchange(client)
        server.terminate()
        ends = time.monotonic() + 10
        while CLIENT.get(f"{server.url}/v2/health/ready").status_code != 503:
            assert time.monotonic() < ends
        assert b"connection: close" in exchange(client)
        assert client.recv(1) == b""


def test_connections_end_at_their_age_and_say_so(tmp_path: Path) -> None:
    with running(tiny_model(), tmp_path, HEARTOPS_CONNECTION_SECONDS="1") as server:
        started = time.monotonic()
        with connect(server) as busy, connect(server) as idle, connect(server) as stuck:
            stuck.sendall(REQUEST[:20])
            while b"connection: close" not in exchange(busy):
                assert time.monotonic() - started < 1.3
                time.sleep(0.02)  # between two requests it is as idle as the other
            assert time.monotonic() - started > 0.5
            assert busy.recv(1) == b""
            assert idle.recv(1) == b""
            assert stuck.recv(1) == b""
        assert time.monotonic() - started < 1.6


def exchange(client: socket.socket) -> bytes:
    """One request and its answer."""
    client.sendall(REQUEST)
    reply = b""
    while not reply.endswith(b"}"):
        part = client.recv(65536)
        assert part, "closed without an answer"
        reply += part
    assert reply.startswith(b"HTTP/1.1 200")
    return reply


def test_a_huge_body_is_rejected_at_once_and_the_reason_arrives(tmp_path: Path) -> None:
    with running(tiny_model(), tmp_path) as server:
        with connect(server) as client:
            client.sendall(HEAD % 100_000_000)
            assert client.recv(65536).startswith(b"HTTP/1.1 413")
            for _ in range(100):
                client.sendall(b" " * 1_000_000)  # a client that does not listen while it sends
        reply = CLIENT.post(f"{server.url}/predict", content=(b" " * 65536 for _ in range(64)), headers=JSON)
        assert reply.status_code == 413
        assert CLIENT.post(f"{server.url}/predict", json=RECORD).status_code == 200


JSON = {"Content-Type": "application/json"}


def test_garbage_and_half_requests_harm_nobody(tmp_path: Path) -> None:
    with running(tiny_model(), tmp_path, HEARTOPS_DRAIN_SECONDS="0") as server:
        for garbage in (
            b"\x16\x03\x01\x02",
            b"GET\r\n\r\n",
            REQUEST[:30],
            HEAD % 10,
            b"POST /predict HTTP/9.9\r\n\r\n",
        ):
            with connect(server) as client:
                client.sendall(garbage)
        assert CLIENT.post(f"{server.url}/predict", json=RECORD).status_code == 200
        server.terminate()
        assert "Traceback" not in server.stopped()


def connect(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=5)


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


async def test_a_body_that_stays_away_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A little after the connection's age, and not before: a slow client that does send is answered."""
    monkeypatch.setattr(connection_module, "PEER_SECONDS", 1.0)
    async with serving(tiny_model(), tmp_path, connection_seconds=0.3) as (_, port):
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        (reader, writer), (slow_reader, slow_writer) = streams
        began = time.monotonic()
        for each in (writer, slow_writer):
            each.write(REQUEST[:-5])
        await asyncio.sleep(0.5)  # past the age: what is being tested is that it passes
        slow_writer.write(REQUEST[-5:])
        assert (await slow_reader.read()).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(10):
            assert await ended(reader)
        assert 1.2 < time.monotonic() - began < 4
        for each in (writer, slow_writer):
            each.close()


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the server closes the connection and says nothing more."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


def test_every_response_names_the_version_that_answered(tmp_path: Path) -> None:
    """A prediction, a rejected record, and a route of the framework."""
    with running(tiny_model(), tmp_path) as server, httpx.Client(base_url=server.url) as client:
        replies = [client.post("/predict", json=RECORD), client.post("/predict", json={}), client.get("/nothing")]
        assert [reply.status_code for reply in replies] == [200, 422, 404]
        assert {reply.headers["x-model-version"] for reply in replies} == {client.get("/model").json()["version"]}
