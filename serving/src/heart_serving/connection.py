"""One client's connection: its age, one system call per response, and small predictions answered as they are read.

uvicorn makes a task and a scope of each request and hands messages to and fro, which costs as much as the prediction
itself. A small prediction needs none of it: it is complete in one read, and answered before the next.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from heart_serving.dialects import Reply
from heart_serving.overload import TURN_SECONDS
from heart_serving.responses import Fields, render

BODY_SECONDS = 10.0
"""How long a request whose connection has reached its age may still wait for the rest of its body."""
JITTER = 0.2
"""Share by which connection ages vary, so that clients do not all come back at once."""
LAST_WORDS = 0.2
"""Share of a connection's life in which an answer also says `Connection: close`: a client that is in use of it is told
in time, and the server does not close what a client is just about to write to."""
MAX_CONNECTIONS = 1024
"""Predictions on further ones are refused. What is answered at once waits nowhere but in its connection, so that this
bounds how long a turn of the event loop lasts; probes are answered on every connection."""

PAUSE_SECONDS = 0.03
"""Short enough that what it says next is still refused within 50 ms, if it must be."""
AnswerAtOnce = Callable[[bytes, Fields, bytes, Callable[[Reply, str], None], bool], bool]
"""Edge.answer_at_once"""


class State(ServerState):
    """What all connections know."""

    def __init__(self, connection_seconds: float) -> None:
        super().__init__()
        self.connection_seconds = connection_seconds
        self.draining = False
        self.quick: Collection[bytes] = ()
        """URLs to which a POST may be answered at once."""
        self.answer_at_once: AnswerAtOnce = lambda *_: False
        self._turn_began: float | None = None

    def turn_seconds(self, loop: asyncio.AbstractEventLoop) -> float:
        """For how long what has arrived at one time is being answered."""
        now = time.monotonic()
        if self._turn_began is None:
            self._turn_began = now
            loop.call_soon(self._end_turn)  # the event loop reads everything that has arrived before it calls this
        return now - self._turn_began

    def _end_turn(self) -> None:
        self._turn_began = None


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

    def write_all(self, response: bytes) -> None:
        """A response with its body."""
        self._transport.write(response)

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
    """One client's connection, of bounded age.

    `_whole` holds the body of a request that may be answered at once, and only while its bytes are being read.
    """

    server_state: State
    transport: OneWrite  # type: ignore[assignment]
    _end: asyncio.TimerHandle
    _whole: list[bytes] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = OneWrite(transport)
        age = self.server_state.connection_seconds * random.uniform(1 - JITTER, 1 + JITTER)
        now = self.loop.time()
        self._last_words_from = now + age * (1 - LAST_WORDS)
        self._end = self.loop.call_at(now + age, self._grow_old)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._whole is not None:
            self._hand_over()

    def on_headers_complete(self) -> None:
        if self._may_be_answered_at_once():
            self._whole = []
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        if self._whole is None:
            super().on_body(body)
        else:
            self._whole.append(body)

    def on_message_complete(self) -> None:
        if self._whole is not None:
            body = b"".join(self._whole)
            if self.server_state.answer_at_once(self.url, self.headers, body, self._write, self._has_long_turn()):
                self._whole = None
                return
            self._hand_over()
        super().on_message_complete()

    def _may_be_answered_at_once(self) -> bool:
        """The plainest of requests, with no other before it that is still being answered."""
        return (
            self.url in self.server_state.quick
            and self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self._has_last_words()
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.flow.write_paused
        )

    def _has_long_turn(self) -> bool:
        return self.server_state.turn_seconds(self.loop) > TURN_SECONDS

    def _hand_over(self) -> None:
        """To uvicorn and ASGI: what has been held back was not all, or too much."""
        parts, self._whole = self._whole or [], None
        if not self.transport.is_closing():
            self._begin()
            for part in parts:
                super().on_body(part)

    def _begin(self) -> None:
        super().on_headers_complete()
        if self._has_last_words():
            self.cycle.keep_alive = False

    def _has_last_words(self) -> bool:
        return self.server_state.draining or self.loop.time() >= self._last_words_from

    def _write(self, reply: Reply, request_id: str) -> None:
        self.server_state.total_requests += 1
        self.transport.write_all(render(reply, request_id, self.server_state.default_headers))
        if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
            self._pause()

    def _pause(self) -> None:
        """A client that comes back at once, whatever Retry-After says, is not read for a moment."""
        self.flow.pause_reading()
        self.loop.call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def on_response_complete(self) -> None:
        self.transport.flush()
        super().on_response_complete()

    def _grow_old(self) -> None:
        """An idle connection closes; a request in flight ends, unless its body stays away."""
        self.shutdown()
        self._end = self.loop.call_later(BODY_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if self.cycle and self.cycle.more_body:
            self.transport.close()
