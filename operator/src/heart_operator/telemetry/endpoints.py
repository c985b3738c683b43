"""HTTP endpoints of the operator: /livez and /readyz for the kubelet, and /metrics, over TLS, for who may read them."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from heart_operator.telemetry.authorization import OK, PATH, UNAUTHORIZED
from heart_operator.telemetry.connections import Connections

IDLE_SECONDS = 30.0
"""How long a connection waits for the whole head of its next request; Prometheus asks more often."""


def build_probes(alive: Callable[[], Awaitable[bool]]) -> web.Application:
    """A standby replica is ready too: it is there to take over."""

    async def livez(_: web.Request) -> web.Response:
        if await alive():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the API server responds, but the watch is stale\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz)])
    return app


def build_metrics(registry: CollectorRegistry, decide: Callable[[str], Awaitable[int]]) -> web.Application:
    """`decide`: from the header Authorization to 200 or the status of the rejection.

    The metrics name every tenant's models.
    """

    async def metrics(request: web.Request) -> web.Response:
        status = await decide(request.headers.get("Authorization", ""))
        if status == OK:
            return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
        headers = {"WWW-Authenticate": "Bearer"} if status == UNAUTHORIZED else {}
        return web.Response(status=status, headers=headers, text=REJECTIONS[status])

    app = web.Application()
    app.add_routes([web.get(PATH, metrics)])
    return app


REJECTIONS = {
    401: "send a Kubernetes token as `Authorization: Bearer …`\n",
    403: "the token's user needs the right to `get` the non-resource URL /metrics\n",
    503: "the API server cannot be asked now; try again\n",
}


class HttpServer:
    """Endpoints on an address, with TLS if there is a context; port 0 takes a free one."""

    def __init__(self, app: web.Application, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, keepalive_timeout=IDLE_SECONDS)
        self._host = host
        self._port = port
        self._connections = Connections(self._speak, context)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens; 0 before it is started."""
        sockets = self._server.sockets if self._server else ()
        return next((each.getsockname()[1] for each in sockets), 0)

    async def start(self) -> None:
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connections.arrival, self._host, self._port)

    async def stop(self) -> None:
        """Close every connection. May be called twice."""
        if self._server:
            self._server.close()
        await self._runner.cleanup()
        self._connections.close()

    def _speak(self) -> asyncio.Protocol:
        assert self._runner.server is not None
        return self._runner.server()
