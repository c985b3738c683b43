"""The only door of the coordinator's pod: TLS outside, and of the SuperLink's interfaces those that sites need.

Everything else is 404: Flower's interface for control proves nobody's identity, and its interface for apps is the
coordinator's own. The SuperLink verifies the signature of every request of a site.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web

PREFIX = "/v1/fleet/"
OPEN = frozenset(
    PREFIX + name
    for name in (
        "activate-node",
        "deactivate-node",
        "send-node-heartbeat",
        "pull-messages",
        "push-messages",
        "get-run",
        "pull-object",
        "push-object",
        "confirm-message-received",
    )
)
"""What a site calls. Bundles are not handed out, and nodes are registered by the coordinator alone."""
MOST_BYTES = 64 << 20
TIMEOUT = ClientTimeout(total=60)
PASSED_ON = ("content-type", "accept")
SUPERLINK, TRUST = web.AppKey("superlink", str), web.AppKey("trust", ssl.SSLContext)
SESSION = web.AppKey("session", ClientSession)
OWN = "flwr-"
"""Flower's own headers, with a site's public key and signature, start so."""


def create_app(superlink: str, trust: ssl.SSLContext) -> web.Application:
    """`superlink`: its URL; `trust`: verifies its certificate."""
    app = web.Application(client_max_size=MOST_BYTES)
    app[SUPERLINK] = superlink.rstrip("/")
    app[TRUST] = trust
    app.cleanup_ctx.append(_session)
    app.router.add_route("*", "/{path:.*}", _pass_on)
    return app


async def _session(app: web.Application) -> AsyncIterator[None]:
    async with ClientSession(connector=TCPConnector(ssl=app[TRUST]), timeout=TIMEOUT, auto_decompress=False) as found:
        app[SESSION] = found
        yield


async def _pass_on(request: web.Request) -> web.Response:
    if request.method != "POST" or request.raw_path not in OPEN:
        return web.Response(status=404)
    body = await request.read()
    headers = _kept(request.headers)
    try:
        async with request.app[SESSION].post(
            request.app[SUPERLINK] + request.raw_path, data=body, headers=headers, allow_redirects=False
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read(), headers=_kept(answer.headers))
    except (ClientError, TimeoutError):
        return web.Response(status=503)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in PASSED_ON or name.lower().startswith(OWN)}


def server_context(folder: Path) -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    found.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return found


async def serve(folder: Path, port: int, superlink: str, ready: asyncio.Event | None = None) -> None:
    """Until cancelled."""
    runner = web.AppRunner(
        create_app(superlink, ssl.create_default_context(cafile=str(folder / "ca.crt"))), access_log=None
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, None, port, ssl_context=server_context(folder)).start()
        if ready:
            ready.set()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
