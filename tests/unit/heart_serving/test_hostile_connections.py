"""What a peer does to a connection: endless heads, reading nothing, more connections than there is room for."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from itertools import count, repeat
from pathlib import Path

import pytest

from heart_serving.http import connection as connection_module
from tests.support.serving.app import CLIENT, Running, running, serving
from tests.support.serving.tiny_model import RECORD, tiny_model

BODY = json.dumps(RECORD).encode()
START = b"POST /predict HTTP/1.1\r\nHost: heart\r\nContent-Type: application/json\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(BODY), BODY)
REQUEST = START + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
BLOCK = b"a" * 65536
MOST = 200_000_000
"""Bytes that an attacker sends if nobody stops it."""
GROWTH = 20_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tiny_model(), tmp_path_factory.mktemp("server"), HEARTOPS_CONNECTION_SECONDS="60") as server:
        assert CLIENT.post(f"{server.url}/predict", json=RECORD).status_code == 200
        yield server


def fields() -> Iterator[bytes]:
    for number in count():
        yield b"X-%d: %b\r\n" % (number, BLOCK)


ENDLESS: dict[str, tuple[bytes, Iterator[bytes], int]] = {
    "url": (b"POST /", repeat(BLOCK), 414),
    "fields": (START, fields(), 431),
    "small fields": (START, (b"x: y\r\n" * 10_000 for _ in count()), 431),
    "value": (START + b"X: ", repeat(BLOCK), 431),
    "name": (START, repeat(BLOCK), 431),
    "trailers": (CHUNKED + b"0\r\n", (b"x: y\r\n" * 10_000 for _ in count()), 431),
    "trailer": (CHUNKED + b"0\r\nX: ", repeat(BLOCK), 431),
    "chunk extension": (CHUNKED[: -len(BODY) - 5] + b";a=", repeat(BLOCK), 431),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_head_without_end_is_rejected_and_takes_no_memory(server: Running, name: str) -> None:
    start, blocks, status = ENDLESS[name]
    before = resident(server)
    answer, sent = flood(server, start, blocks)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in answer
    assert sent < MOST, "the server went on reading"
    assert resident(server) - before < GROWTH
    assert CLIENT.post(f"{server.url}/predict", json=RECORD).status_code == 200
    assert f'code="{status}"' in server.metrics()


def flood(server: Running, start: bytes, blocks: Iterator[bytes]) -> tuple[bytes, int]:
    """(the answer, bytes sent) of a client that sends until it is answered or cut off."""
    sent = 0
    with connect(server) as client:
        client.sendall(start)
        try:
            while sent < MOST:
                client.sendall(next(blocks))
                sent += len(BLOCK)
                client.setblocking(False)
                if answer := peek(client):
                    return answer, sent
                client.settimeout(10)
        except ConnectionError:
            return b"", sent
        return b"", sent


def peek(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize(("number", "status"), [(97, 200), (98, 431)])
def test_a_hundred_headers_are_enough(server: Running, number: int, status: int) -> None:
    more = b"".join(b"X-%d: y\r\n" % each for each in range(number))
    with connect(server) as client:
        client.sendall(START + more + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        assert client.recv(65536).startswith(b"HTTP/1.1 %d " % status)


def test_what_follows_a_rejected_head_is_not_a_request(server: Running) -> None:
    with connect(server) as client:
        client.sendall(START + b"x: y\r\n" * 200 + b"\r\n" + REQUEST * 3)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).count(b"HTTP/1.1 ") == 1


def test_a_trailer_is_no_header(server: Running) -> None:
    with connect(server) as client:
        client.sendall(CHUNKED + b"0\r\nX-Request-Id: from-the-trailer\r\n\r\n")
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"from-the-trailer" not in answer


async def test_a_head_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little of it comes at a time; a connection without a request may wait."""
    monkeypatch.setattr(connection_module, "HEAD_SECONDS", 0.3)
    async with serving(tiny_model(), tmp_path) as (_, port):
        idle_reader, idle = await asyncio.open_connection("127.0.0.1", port)
        reader, slow = await asyncio.open_connection("127.0.0.1", port)
        dripping = asyncio.create_task(drip(slow))
        async with asyncio.timeout(5):
            answer = await reader.readuntil(b"\r\n")
        assert answer.startswith(b"HTTP/1.1 408")
        idle.write(REQUEST)
        assert (await idle_reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        dripping.cancel()
        for each in (idle, slow):
            each.close()


async def drip(writer: asyncio.StreamWriter) -> None:
    for byte in START * 100:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("fast_path", [True, False])
async def test_a_peer_that_never_reads_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast_path: bool
) -> None:
    monkeypatch.setattr(connection_module, "PEER_SECONDS", 0.3)
    async with serving(tiny_model(), tmp_path, connection_seconds=0.5, fast_path=fast_path) as (server, port):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        question = REQUEST if fast_path else b"GET /openapi.json HTTP/1.1\r\nHost: heart\r\n\r\n"
        sender = asyncio.create_task(asyncio.get_running_loop().sock_sendall(client, question * 20_000))
        await until(lambda: server.server_state.total_requests > 0)
        await until(lambda: not server.server_state.connections)
        sender.cancel()
        client.close()


async def test_the_oldest_idle_connection_makes_way(tmp_path: Path) -> None:
    async with serving(tiny_model(), tmp_path, max_connections=3, connection_seconds=60) as (server, port):
        streams = []
        for number in range(3):
            streams.append(await asyncio.open_connection("127.0.0.1", port))
            await until(lambda wanted=number + 1: len(server.server_state.connections) == wanted)  # type: ignore[misc]
        streams[0][1].write(REQUEST[:-1])  # the oldest is busy
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        assert await streams[1][0].read() == b""
        for _, each in [*streams, (reader, writer)]:
            each.close()


async def test_connections_that_are_all_busy_keep_a_new_one_out(tmp_path: Path) -> None:
    async with serving(tiny_model(), tmp_path, max_connections=2, connection_seconds=60) as (server, port):
        streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in streams:
            writer.write(REQUEST[:-1])
        await until(lambda: [each.is_idle for each in server.server_state.connections] == [False, False])  # type: ignore[union-attr]
        reader, newest = await asyncio.open_connection("127.0.0.1", port)
        assert (await reader.read()).startswith(b"HTTP/1.1 503")
        for answers, writer in streams:
            writer.write(REQUEST[-1:])
            assert (await answers.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            writer.close()
        newest.close()


async def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        await asyncio.sleep(0.01)


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n"


@pytest.mark.parametrize("path", ["/predict", "/feedback"])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("pieces", [1, 7])
def test_an_offer_to_upgrade_is_ignored(server: Running, path: str, chunked: bool, pieces: int) -> None:
    """RFC 9110, 7.8: the body is read, and the connection goes on."""
    body = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    if not chunked:
        body = b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    request = START.replace(b"/predict", path.encode()) + UPGRADE + body
    with connect(server) as client:
        for _ in range(3):
            size = -(-len(request) // pieces)
            for start in range(0, len(request), size):
                client.sendall(request[start : start + size])
            answer = client.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 " if path == "/predict" else b"HTTP/1.1 404 "), answer
            assert b"connection: close" not in answer
        client.sendall(REQUEST)
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_offers_that_come_in_one_read_are_all_ignored(server: Running) -> None:
    """An exception out of a read is a traceback in the log, and the end of the connection."""
    request = START + UPGRADE + b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    with connect(server) as client:
        client.sendall(request * 3)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize(
    "request_", [b"CONNECT heart:80 HTTP/1.1\r\nHost: heart\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
)
def test_another_protocol_is_rejected(server: Running, request_: bytes) -> None:
    with connect(server) as client:
        client.sendall(request_)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client).startswith(b"HTTP/1.1 400 ")


def connect(server: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def resident(server: Running) -> int:
    """Bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) * 1024
