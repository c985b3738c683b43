"""The only door of the coordinator's pod: sites come in by TLS, and nothing but what they need is behind it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, web

from hack.cluster.ports import free_port
from heart_trainer.federation import gate
from heart_trainer.federation.files import AUTHORITY, SECRET, write_identity
from heart_trainer.federation.keys import authority
from tests.support.trainer.federation import SECRET as ROW_KEY


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """(the gate's address, what reached the SuperLink behind it)."""
    write_identity(folder, authority(ROW_KEY, "clinic", "heart"), [], datetime.now(UTC))
    heard: list[tuple[str, dict[str, str], bytes]] = []

    async def superlink(request: web.Request) -> web.Response:
        heard.append((request.path, dict(request.headers), await request.read()))
        return web.Response(body=b"answer", headers={"flwr-version-x": "1", "set-cookie": "a=b", "server": "x"})

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", superlink)
    runner = web.AppRunner(app)
    await runner.setup()
    inner, outer = free_port(), free_port()
    await web.TCPSite(runner, "127.0.0.1", inner, ssl_context=gate.server_context(folder)).start()
    ready = asyncio.Event()
    task = asyncio.ensure_future(gate.serve(folder, outer, f"https://127.0.0.1:{inner}", ready))
    await asyncio.wait_for(ready.wait(), 30)
    try:
        yield f"https://127.0.0.1:{outer}", heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()


def trusting(folder: Path) -> TCPConnector:
    return TCPConnector(ssl=ssl.create_default_context(cafile=str(folder / AUTHORITY)))


async def test_a_sites_message_passes_with_its_signature_alone(tmp_path: Path) -> None:
    headers = {"flwr-public-key": "k", "flwr-signature": "s", "content-type": "application/protobuf", "cookie": "x=y"}
    async with opened(tmp_path) as (url, heard), ClientSession(connector=trusting(tmp_path)) as session:
        async with session.post(f"{url}/v1/fleet/pull-messages", data=b"body", headers=headers) as answer:
            assert (answer.status, await answer.read()) == (200, b"answer")
            assert "set-cookie" not in answer.headers
        path, passed, body = heard[0]
        assert (path, body) == ("/v1/fleet/pull-messages", b"body")
        assert passed["flwr-signature"] == "s"
        assert "cookie" not in {name.lower() for name in passed}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/control/start-run"),
        ("POST", "/v1/control/register-node"),
        ("POST", "/v1/runtime/acquire-task"),
        ("POST", "/v1/fleet/register-node"),
        ("POST", "/v1/fleet/unregister-node"),
        ("POST", "/v1/fleet/get-fab"),
        ("POST", "/v1/fleet/../control/start-run"),
        ("POST", "/v1/fleet/%2e%2e/control/start-run"),
        ("POST", "/v1/fleet/pull-messages/../../control/start-run"),
        ("POST", "/v1/fleet//pull-messages"),
        ("POST", "/v1/fleet/pull-messages?x=1"),
        ("POST", "//v1/control/start-run"),
        ("GET", "/v1/fleet/pull-messages"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("CONNECT", "127.0.0.1:8000"),
    ],
)
async def test_everything_else_is_not_there(tmp_path: Path, method: str, path: str) -> None:
    """Written byte by byte: a client would put the path in order."""
    async with opened(tmp_path) as (url, heard):
        host, port = url.removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=str(tmp_path / AUTHORITY))
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 30)
        writer.close()
        assert head.split()[1] in (b"404", b"400")
        assert heard == []


async def test_two_requests_in_one_are_two(tmp_path: Path) -> None:
    """A body that looks like a request of its own stays a body (request smuggling)."""
    hidden = b"POST /v1/control/start-run HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    async with opened(tmp_path) as (url, heard):
        host, port = url.removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=str(tmp_path / AUTHORITY))
        reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
        both = "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(f"POST /v1/fleet/pull-messages HTTP/1.1\r\nHost: x\r\n{both}".encode() + b"0\r\n\r\n" + hidden)
        await asyncio.wait_for(reader.read(1000), 30)
        writer.close()
        assert all(path.startswith("/v1/fleet/") for path, _, _ in heard)


async def test_a_message_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_BYTES", 1000)
    async with opened(tmp_path) as (url, heard), ClientSession(connector=trusting(tmp_path)) as session:
        async with session.post(f"{url}/v1/fleet/push-object", data=b"x" * 2000) as answer:
            assert answer.status == 413
        assert heard == []


async def test_another_authoritys_certificate_is_not_trusted(tmp_path: Path) -> None:
    async with opened(tmp_path / "pod") as (url, _):
        other = tmp_path / "other.crt"
        other.write_text(authority("another key", "clinic", "heart").pem)
        context = ssl.create_default_context(cafile=str(other))
        async with ClientSession(connector=TCPConnector(ssl=context)) as session:
            with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
                await session.post(f"{url}/v1/fleet/pull-messages")


def test_what_the_containers_share_is_theirs_alone(tmp_path: Path) -> None:
    write_identity(tmp_path, authority(ROW_KEY, "clinic", "heart"), ["a.example"], datetime.now(UTC))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert len((tmp_path / SECRET).read_bytes()) == 32
