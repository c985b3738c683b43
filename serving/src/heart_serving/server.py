"""uvicorn, with what a server behind a Kubernetes Service needs besides.

- After SIGTERM it goes on answering for a while, not ready: endpoint lists take time to change everywhere.
- Connections have an age (connection.py), so that keep-alive clients follow when a Service's selector changes; a
  client that never completes its request is cut off at that age too.
"""

import asyncio
import gc
import logging
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn

from heart_api.names import VERSION_HEADER
from heart_serving.app import Application
from heart_serving.http.connection import Connection
from heart_serving.http.server_state import State
from heart_serving.settings import Settings

if TYPE_CHECKING:
    from heart_serving.rpc.server import GrpcListener

GRACE_SECONDS = 15
"""How long requests in flight may still take when the listening socket is closed."""

logger = logging.getLogger("heart_serving")


class Server(uvicorn.Server):
    """Stops in two steps: `drain` begins at the first signal, and a second one ends it."""

    server_state: State

    def __init__(self, config: uvicorn.Config, settings: Settings, state: State, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self.background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
        self.grpc: GrpcListener | None = None
        self._running: list[asyncio.Task[None]] = []
        self.server_state = state
        self._drain = drain
        self._drain_seconds = settings.drain_seconds
        self._closes: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.grpc is not None:
            await self._start_grpc(self.grpc)
        await super().startup(sockets)
        self._running = [asyncio.create_task(run()) for run in self.background]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self.grpc is not None:
            await self.grpc.stop()
        await super().shutdown(sockets)

    async def _start_grpc(self, listener: "GrpcListener") -> None:
        try:
            await listener.start()
        except RuntimeError as error:
            logger.error("gRPC cannot listen: %s", error)
            sys.exit(1)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._closes is not None:
            self.should_exit = True
            return
        self._closes = time.monotonic() + self._drain_seconds
        self.server_state.draining = True
        self._drain()

    async def on_tick(self, counter: int) -> bool:
        if self._closes is not None and time.monotonic() >= self._closes:
            self.should_exit = True
        return await super().on_tick(counter)


def build_server(application: Application, settings: Settings) -> Server:
    config = uvicorn.Config(
        application.asgi,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # Also on errors, so that a client can count them by version.
        headers=[(VERSION_HEADER, settings.version)],
        # Idle connections end by their age (above), not by a second clock.
        timeout_keep_alive=int(2 * settings.connection_seconds) + 1,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )

    def drain() -> None:
        application.readiness.draining = True
        logger.info("stopping: not ready from now on, answering for %g more seconds", settings.drain_seconds)

    fast_path = application.fast_path if settings.fast_path else None
    count = application.predictor.metrics.count
    state = State(settings.connection_seconds, settings.max_connections, fast_path, count)
    server = Server(config, settings, state, drain)
    application.app.tasks = state.tasks
    server.background, server.grpc = application.background, application.grpc
    return server


def serve(application: Application, settings: Settings) -> None:
    """Answers until the process is told to stop."""
    server = build_server(application, settings)
    application.predictions.start()
    # What is loaded by now stays until the end: the garbage collector need not look through it again and again.
    gc.collect()
    gc.freeze()
    try:
        server.run()
    finally:
        application.log.flush()
        application.predictions.close()
