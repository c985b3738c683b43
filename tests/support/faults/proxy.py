"""Between the operator and the API server: a proxy that answers wrongly, late, twice, or not at all.

`with Proxy(api) as proxy: world.start()` with `proxy.configuration(...)`; `proxy.writes` and `proxy.watches` decide.
"""

import asyncio
import copy
import json
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import aiohttp
from aiohttp import web
from kubernetes.aio.client import Configuration

from tests.support.apiserver.client import KubeApi

Forward = Callable[[], Awaitable[web.StreamResponse]]
AnswerWrite = Callable[[web.Request, Forward], Awaitable[web.StreamResponse]]
Lines = AsyncIterator[bytes]
HOP = {"transfer-encoding", "content-encoding", "content-length", "connection", "keep-alive", "host"}


async def as_they_are(lines: Lines) -> Lines:
    async for line in lines:
        yield line


async def as_it_is(request: web.Request, forward: Forward) -> web.StreamResponse:
    return await forward()


class Proxy:
    """`writes` answers mutating requests (the Lease's left out), `watches` turns a watch's lines into others."""

    def __init__(self, api: KubeApi, configuration: Configuration) -> None:
        self.writes: AnswerWrite = as_it_is
        self.watches: Callable[[Lines], Lines] = as_they_are
        self.configuration = copy.copy(configuration)
        self._server = api.server
        self._tls = ssl.create_default_context(cadata=api.ca.decode())
        self._up, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> "Proxy":
        self._thread.start()
        assert self._up.wait(30), "the proxy did not start"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True) as self._session:
            app = web.Application(client_max_size=8 * 2**20)
            app.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(app, shutdown_timeout=1, handler_cancellation=True)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._up.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in ("true", "1"):
            return await self._watch(request)
        body = await request.read()

        async def forward() -> web.StreamResponse:
            async with self._send(request, body) as answer:
                return web.Response(status=answer.status, body=await answer.read(), headers=kept(answer.headers))

        if request.method == "GET" or "/leases" in request.path:
            return await forward()
        return await self.writes(request, forward)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        async with self._send(request, b"") as answer:
            response = web.StreamResponse(status=answer.status, headers=kept(answer.headers))
            await response.prepare(request)
            async for line in self.watches(split(answer.content)):
                await response.write(line)
            return response

    def _send(self, request: web.Request, body: bytes) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = kept(request.headers) | {"Accept-Encoding": "identity"}
        where = self._server + request.path_qs
        return self._session.request(request.method, where, data=body or None, headers=headers)


def kept(headers: object) -> dict[str, str]:
    return {name: value for name, value in dict(headers).items() if name.lower() not in HOP}  # type: ignore[call-overload]


async def split(content: aiohttp.StreamReader) -> Lines:
    """Lines of any length."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"


def status(code: int, message: str, reason: str) -> web.Response:
    """An error as the API server words it."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
    return web.json_response(body | {"reason": reason}, status=code)


def gone() -> bytes:
    """What a watch says whose resourceVersion is too old."""
    words = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    return json.dumps({"type": "ERROR", "object": words}).encode() + b"\n"
