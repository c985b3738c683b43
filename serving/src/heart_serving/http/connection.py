"""One client's connection: its age, one system call per response, and the way to the fast path."""

import asyncio
import random

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from heart_serving.http.coalescing_transport import OneWrite
from heart_serving.http.responses import render
from heart_serving.http.server_state import State

BODY_SECONDS = 10.0
"""How long a request whose connection has reached its age may still wait for the rest of its body."""
JITTER = 0.2
"""Share by which connection ages vary, so that clients do not all come back at once."""
CLOSING_SHARE = 0.2
"""Share of a connection's life in which an answer also says `Connection: close`: a client that is using it learns
in time, and the server does not close what a client is just about to write to."""


class Connection(HttpToolsProtocol):
    """One client's connection, of bounded age.

    `_whole` holds the body of a request that may take the fast path, and only while its bytes are being read.
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
        self._closing_from = now + age * (1 - CLOSING_SHARE)
        self._end = self.loop.call_at(now + age, self._grow_old)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._whole is not None:
            self._hand_over()

    def on_headers_complete(self) -> None:
        if self._may_be_answered_fast():
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
            if self._answer_fast(b"".join(self._whole)):
                self._whole = None
                return
            self._hand_over()
        super().on_message_complete()

    def _may_be_answered_fast(self) -> bool:
        """The plainest of requests, with no other before it that is still being answered."""
        fast_path = self.server_state.fast_path
        return (
            fast_path is not None
            and fast_path.takes(self.url)
            and self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self._closes_soon()
            and self.parser.should_keep_alive()
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.flow.write_paused
        )

    def _answer_fast(self, body: bytes) -> bool:
        """False when the request has to go through ASGI."""
        fast_path = self.server_state.fast_path
        if fast_path is None or (exchange := fast_path.answer(self.loop, self.url, self.headers, body)) is None:
            return False
        assert exchange.reply is not None
        self.server_state.total_requests += 1
        self.transport.write_all(render(exchange.reply, exchange.id, self.server_state.default_headers))
        fast_path.record(exchange)
        return True

    def _hand_over(self) -> None:
        """To uvicorn and ASGI: what has been held back was not all, or too much."""
        parts, self._whole = self._whole or [], None
        if not self.transport.is_closing():
            self._begin()
            for part in parts:
                super().on_body(part)

    def _begin(self) -> None:
        super().on_headers_complete()
        if self._closes_soon():
            self.cycle.keep_alive = False

    def _closes_soon(self) -> bool:
        return self.server_state.draining or self.loop.time() >= self._closing_from

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
