"""uvicorn, with three things that a server behind a Kubernetes Service needs besides.

- After SIGTERM it goes on answering for a while, not ready: endpoint lists take time to change everywhere.
- Connections have an age, so that keep-alive clients follow when a Service's selector changes.
- A client that never completes its request is cut off at that age too.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from heart_serving.app import Application
from heart_serving.settings import Settings

JITTER = 0.2
"""Share by which connection ages vary, so that clients do not all come back at once."""
LAST_WORDS = 0.2
"""Share of a connection's life in which an answer also says `Connection: close`: a client that is in use of it is told
in time, and the server does not close what a client is just about to write to."""
GRACE_SECONDS = 15
"""How long requests in flight may still take when the listening socket is closed."""

logger = logging.getLogger("heart_serving")


class State(ServerState):
    """What all connections know."""

    def __init__(self, connection_seconds: float) -> None:
        super().__init__()
        self.connection_seconds = connection_seconds
        self.draining = False


class Connection(HttpToolsProtocol):
    """One client's connection, of bounded age."""

    server_state: State
    _oldest: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        age = self.server_state.connection_seconds * random.uniform(1 - JITTER, 1 + JITTER)
        now = self.loop.time()
        self._last_words_from = now + age * (1 - LAST_WORDS)
        # `shutdown` closes an idle connection, and lets a request in flight end.
        self._oldest = self.loop.call_at(now + age, self.shutdown)

    def connection_lost(self, exc: Exception | None) -> None:
        self._oldest.cancel()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.server_state.draining or self.loop.time() >= self._last_words_from:
            self.cycle.keep_alive = False


class Server(uvicorn.Server):
    """Stops in two steps: `drain` begins at the first signal, and a second one ends it."""

    server_state: State

    def __init__(self, config: uvicorn.Config, settings: Settings, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self.server_state = State(settings.connection_seconds)
        self._drain = drain
        self._drain_seconds = settings.drain_seconds
        self._closes: float | None = None

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
        application.edge,
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
        # Idle connections end by their age (above), not by a second clock.
        timeout_keep_alive=int(2 * settings.connection_seconds) + 1,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )

    def drain() -> None:
        application.readiness.draining = True
        logger.info("stopping: not ready from now on, answering for %g more seconds", settings.drain_seconds)

    server = Server(config, settings, drain)
    application.edge.tasks = server.server_state.tasks
    return server


def serve(application: Application, settings: Settings) -> None:
    """Answers until the process is told to stop."""
    server = build_server(application, settings)
    try:
        server.run()
    finally:
        application.log.flush()
