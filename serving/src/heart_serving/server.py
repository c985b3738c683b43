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
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from heart_serving.app import Application
from heart_serving.errors import CannotListen
from heart_serving.http.listener import Listener, server_config
from heart_serving.http.server_state import State
from heart_serving.log import leave_message
from heart_serving.settings import Settings

if TYPE_CHECKING:
    from heart_serving.rpc.server import GrpcListener

MANAGEMENT_CONNECTIONS = 100

logger = logging.getLogger("heart_serving")


class Server(uvicorn.Server):
    """Stops in two steps: it drains from the first signal on, and a second one ends that.

    The second port has bounds of its own: predictions cannot keep a probe or a scrape away.
    """

    server_state: State

    def __init__(self, predictions: Listener, settings: Settings, application: Application) -> None:
        super().__init__(predictions.config)
        self.management: Listener | None = None
        self._predictions = predictions
        self.application = application
        self._running: list[asyncio.Task[None]] = []
        self.server_state = predictions.state
        self._drain_seconds = settings.drain_seconds
        self._closes: float | None = None
        self.listening: Callable[[], None] = lambda: None
        """Called once the ports are open."""

    @property
    def _listeners(self) -> list[Listener]:
        return [self._predictions, *([self.management] if self.management else [])]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.application.grpc is not None:
            await self._start_grpc(self.application.grpc)
        try:
            self.servers = [await listener.listen() for listener in self._listeners]
        except CannotListen as error:
            logger.error("%s", error)
            leave_message(str(error))
            sys.exit(1)
        self.started = True
        self.listening()
        self._running = [asyncio.create_task(run()) for run in self.application.background]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self.application.grpc is not None:
            await self.application.grpc.stop()
        for server in self.servers:
            server.close()
        if self.management is not None:
            self.management.close_connections()
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
        self.server_state.draining = self.application.readiness.draining = True
        logger.info("stopping: not ready from now on, answering for %g more seconds", self._drain_seconds)

    async def on_tick(self, counter: int) -> bool:
        if self._closes is not None and time.monotonic() >= self._closes:
            self.should_exit = True
        ends = await super().on_tick(counter)
        if self.management is not None:
            self.management.state.default_headers = self.server_state.default_headers
        return ends


def build_server(application: Application, settings: Settings) -> Server:
    predictions = server_config(application.asgi, settings, settings.port)
    fast_path = application.fast_path if settings.fast_path else None
    count = application.predictor.metrics.count
    state = State(settings.connection_seconds, settings.max_connections, fast_path, count)
    server = Server(Listener(predictions, state, application.certificate), settings, application)
    application.app.tasks = state.tasks
    if settings.management_port is not None:
        server.management = Listener(
            server_config(application.management, settings, settings.management_port),
            State(settings.connection_seconds, MANAGEMENT_CONNECTIONS, None, lambda status: None),
        )
    return server


def serve(application: Application, settings: Settings, listening: Callable[[], None] | None = None) -> None:
    """Answers until the process gets a signal to stop; `listening` is called once its ports are open."""
    server = build_server(application, settings)
    if listening:
        server.listening = listening
    application.predictions.start()
    # What is loaded by now stays until the end: the garbage collector need not scan it again and again.
    gc.collect()
    gc.freeze()
    try:
        server.run()
    finally:
        application.log.flush()
        application.predictions.close()
