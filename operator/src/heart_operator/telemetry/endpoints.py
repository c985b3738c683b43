"""HTTP endpoints of the operator: /metrics, /livez, /readyz."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


def build_app(registry: CollectorRegistry, alive: Callable[[], Awaitable[bool]]) -> web.Application:
    """A standby replica is ready too: it is there to take over."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def livez(_: web.Request) -> web.Response:
        if await alive():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the API server responds, but the watch is stale\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/livez", livez), web.get("/readyz", readyz)])
    return app


class HttpServer:
    """The endpoints on an address; port 0 takes a free one."""

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._host = host
        self._port = port

    @property
    def port(self) -> int:
        """Where it listens; 0 before it is started."""
        return next((address[1] for address in self._runner.addresses), 0)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Close every connection. May be called twice."""
        await self._runner.cleanup()
