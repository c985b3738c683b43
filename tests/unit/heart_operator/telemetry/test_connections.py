"""What a peer does to the operator's ports: connections without end, and heads that never come whole."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from heart_operator.telemetry import connections, endpoints
from heart_operator.telemetry.certificate import self_signed
from heart_operator.telemetry.endpoints import HttpServer, build_probes

CONTEXTS = {"plain": None, "TLS": self_signed("heartops-operator")}


async def is_alive() -> bool:
    return True


@asynccontextmanager
async def listening(context: ssl.SSLContext | None) -> AsyncIterator[HttpServer]:
    server = HttpServer(build_probes(is_alive), "127.0.0.1", 0, context)
    await server.start()
    yield server
    await server.stop()


async def probe(server: HttpServer, context: ssl.SSLContext | None) -> int:
    scheme = "https" if context else "http"
    url = f"{scheme}://127.0.0.1:{server.port}/livez"
    connector = aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as reply:
        return reply.status


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=CONTEXTS)
async def test_connections_are_bounded_and_the_oldest_makes_way(
    monkeypatch: pytest.MonkeyPatch, context: ssl.SSLContext | None
) -> None:
    """The operator needs its descriptors for the API server."""
    monkeypatch.setattr(connections, "MOST", 4)
    async with listening(context) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        assert await probe(server, context) == 200
        ended = await asyncio.gather(*(is_over(reader) for reader, _ in silent))
        assert sum(ended) >= 16
        for _, writer in silent:
            writer.close()
        assert await probe(server, context) == 200


async def is_over(reader: asyncio.StreamReader) -> bool:
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(1):
            return await reader.read() == b""
    return False


async def test_a_head_that_never_comes_whole_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little of it comes at a time."""
    monkeypatch.setattr(endpoints, "IDLE_SECONDS", 0.3)
    async with listening(None) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: operator\r\n")
        dripping = asyncio.create_task(drip(writer))
        async with asyncio.timeout(10):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        dripping.cancel()
        writer.close()


async def drip(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"X: y\r\n")
        await asyncio.sleep(0.05)


async def test_connections_that_are_over_leave_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST", 2)
    async with listening(CONTEXTS["TLS"]) as server:
        for _ in range(5):
            assert await probe(server, CONTEXTS["TLS"]) == 200
        await server.stop()
        await server.stop()
