"""uvicorn, with three things that a server behind a Kubernetes Service needs besides.

- After SIGTERM it goes on answering for a while, not ready: endpoint lists take time to change everywhere.
- Connections have an age, so that keep-alive clients follow when a Service's selector changes.
- A client that never completes its request is cut off at that age too.
"""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from heart_serving.app import Application
from heart_serving.settings import Settings

BODY_SECONDS = 10.0
"""How long a request whose connection has reached its age may still wait for the rest of its body."""
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


class OneWrite:
    """A transport that holds a response's head until its body comes: one system call instead of two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def flush(self) -> None:
        """For a response without a body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(HttpToolsProtocol):
    """One client's connection, of bounded age."""

    server_state: State
    _end: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = OneWrite(transport)  # type: ignore[assignment]
        age = self.server_state.connection_seconds * random.uniform(1 - JITTER, 1 + JITTER)
        now = self.loop.time()
        self._last_words_from = now + age * (1 - LAST_WORDS)
        self._end = self.loop.call_at(now + age, self._grow_old)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.server_state.draining or self.loop.time() >= self._last_words_from:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        self.transport.flush()  # type: ignore[attr-defined]
        super().on_response_complete()

    def _grow_old(self) -> None:
        """An idle connection closes; a request in flight ends, unless its body stays away."""
        self.shutdown()
        self._end = self.loop.call_later(BODY_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.cycle and self.cycle.more_body:
            self.transport.close()


class Server(uvicorn.Server):
    """Stops in two steps: `drain` begins at the first signal, and a second one ends it."""

    server_state: State

    def __init__(self, config: uvicorn.Config, settings: Settings, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self.background: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
        self._running: list[asyncio.Task[None]] = []
        self.server_state = State(settings.connection_seconds)
        self._drain = drain
        self._drain_seconds = settings.drain_seconds
        self._closes: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._running = [asyncio.create_task(run()) for run in self.background]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await super().shutdown(sockets)

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
    server.background = application.background
    return server


def serve(application: Application, settings: Settings) -> None:
    """Answers until the process is told to stop."""
    server = build_server(application, settings)
    application.predictions.start()
    try:
        server.run()
    finally:
        application.log.flush()
        application.predictions.close()
