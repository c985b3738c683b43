"""One client's connection: bounded in age, in the size and time of a request's head, and by a peer that does not read.

Small predictions take the fast path, everything else goes through uvicorn's ASGI cycle.
"""

import asyncio
import random
from functools import partial

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from heart_api.names import VERSION_HEADER
from heart_serving.http.coalescing_transport import OneWrite
from heart_serving.http.heads import (
    HEAD_BYTES,
    HEAD_FIELDS,
    HEAD_SECONDS,
    URL_BYTES,
    HeadBounds,
    HeadRejected,
    raise_too_large,
    raise_too_long,
    without_upgrade,
)
from heart_serving.http.responses import connection_error, render
from heart_serving.http.server_state import State
from heart_serving.routes.names import LEAVE_VERSION

PEER_SECONDS = 10.0
"""How long a connection that has reached its age still waits for its peer: for the rest of a body, or to read."""
LINGER_SECONDS = 1.0
"""How long a rejected client may go on sending, so that it can read why: a reset would take the answer away."""
JITTER = 0.2
"""Share by which connection ages vary, so that clients do not all come back at once."""
CLOSING_SHARE = 0.2
"""Share of a connection's life in which an answer also says `Connection: close`: a client that is using it learns
in time, and the server does not close what a client is just about to write to."""
OWN_VERSION = VERSION_HEADER.lower().encode()
NEVER_UPGRADED = (b"CONNECT", b"PRI")
"""Methods that ask for a tunnel or another protocol, and mean nothing without it."""


def leave_version(cycle: RequestResponseCycle) -> None:
    """The response is another version's, which its own headers name."""
    cycle.default_headers = [field for field in cycle.default_headers if field[0].lower() != OWN_VERSION]


class Connection(HttpToolsProtocol):
    """One client's connection.

    `_whole` holds the body of a request that may take the fast path, and only while its bytes are being read.
    """

    server_state: State
    transport: OneWrite  # type: ignore[assignment]
    _end: asyncio.TimerHandle
    _head_timer: asyncio.TimerHandle | None = None
    _whole: list[bytes] | None = None
    _rejected = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = OneWrite(transport)
        self._head = HeadBounds()
        age = self.server_state.connection_seconds * random.uniform(1 - JITTER, 1 + JITTER)
        self.began = self.loop.time()
        self._closing_from = self.began + age * (1 - CLOSING_SHARE)
        self._end = self.loop.call_at(self.began + age, self._grow_old)
        if not self.server_state.has_room():
            self._reject(503, "the server has too many connections: try again")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self._cancel_head_timer()
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Return whether no request is being read or answered."""
        return not self._head.open and (self.cycle is None or self.cycle.response_complete)

    def data_received(self, data: bytes) -> None:
        if self._rejected:
            return
        self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except (httptools.HttpParserError, HeadRejected) as error:
            found = error if isinstance(error, HeadRejected) else error.__context__  # what a callback has raised
            if not isinstance(found, HeadRejected):
                found = HeadRejected(400, "the request is not valid HTTP/1.1")
            self._reject(found.status, found.message)
            return
        if self._whole is not None:
            self._hand_over()
        if self._head.open or self._head_timer is not None:
            self._watch_head()

    def _feed(self, data: bytes) -> None:
        self._head.unreported += len(data)
        while data:
            data = self._parse(data)
        if self._head.unreported > HEAD_BYTES:
            raise_too_large()

    def _parse(self, data: bytes) -> bytes:
        """Return what has to be parsed again: each of several requests in one read may offer another protocol."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_upgrade(data[upgrade.args[0] :])
        return b""

    def _without_upgrade(self, rest: bytes) -> bytes:
        """Return the request as if it had not offered another protocol (RFC 9110, 7.8), and `rest`, from where the
        parser gave up.
        """
        method = self.parser.get_method()
        if self._head.open or method in NEVER_UPGRADED:
            raise HeadRejected(400, "this server speaks HTTP/1.1 alone")
        head = without_upgrade(method, self.url, self.parser.get_http_version(), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        return head + rest

    def _watch_head(self) -> None:
        """Start the deadline of a head that did not come whole in one read; end it once the head is complete."""
        if not self._head.open:
            self._cancel_head_timer()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._reject, 408, "the request's head was too slow")

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head.begin()

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._head.unreported = 0
        if len(self.url) > URL_BYTES:
            raise_too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        head = self._head
        head.size += len(name) + len(value)
        head.fields += 1
        head.unreported = 0
        if head.size > HEAD_BYTES or head.fields > HEAD_FIELDS:
            raise_too_large()
        if head.open:  # a trailer counts, and says nothing
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head.open = False
        self._head.unreported = 0
        if self.parser.should_upgrade():
            return
        if self._may_be_answered_fast():
            self._whole = []
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        self._head.unreported = 0
        if self._whole is None:
            super().on_body(body)
        else:
            self._whole.append(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if self._whole is not None:
            if self._answer_fast(b"".join(self._whole)):
                self._whole = None
                return
            self._hand_over()
        super().on_message_complete()

    def _may_be_answered_fast(self) -> bool:
        """Return whether the request is of the plainest kind, and none before it is still being answered."""
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
        """Answer the request at once, and return True; False when it has to go through ASGI."""
        fast_path = self.server_state.fast_path
        if fast_path is None or (exchange := fast_path.answer(self.loop, self.url, self.headers, body)) is None:
            return False
        assert exchange.reply is not None
        self.server_state.total_requests += 1
        self.transport.write_all(render(exchange.reply, exchange.id, self.server_state.default_headers, exchange.proof))
        fast_path.record(exchange)
        return True

    def _hand_over(self) -> None:
        """Give the request to uvicorn and ASGI: what has been held back was not all of it, or too much."""
        parts, self._whole = self._whole or [], None
        if not self.transport.is_closing():
            self._begin()
            for part in parts:
                super().on_body(part)

    def _begin(self) -> None:
        super().on_headers_complete()
        self.cycle.scope[LEAVE_VERSION] = partial(leave_version, self.cycle)  # type: ignore[literal-required]
        if self._closes_soon():
            self.cycle.keep_alive = False

    def _closes_soon(self) -> bool:
        return self.server_state.draining or self.loop.time() >= self._closing_from

    def on_response_complete(self) -> None:
        self.transport.flush()
        super().on_response_complete()

    def _reject(self, status: int, message: str) -> None:
        """Answer what is no request with `status` and `message`, and read no more of it; let a request in flight end
        first.
        """
        self._rejected = True
        self._cancel_head_timer()
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started or not cycle.more_body:
                cycle.keep_alive = False
                return
            cycle.disconnected = True
            cycle.message_event.set()
        self.server_state.count(status)
        self.transport.write_all(connection_error(status, message, self.server_state.default_headers))
        self._linger()

    def _linger(self) -> None:
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._end.cancel()
        self._end = self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _grow_old(self) -> None:
        """Close the connection at its age, once it is idle; cut it off when its peer neither sends nor reads."""
        self.shutdown()
        self._end = self.loop.call_later(PEER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        cycle = self.cycle
        waits_for_us = cycle is not None and not (cycle.response_complete or cycle.more_body or self.flow.write_paused)
        if waits_for_us:
            self._end = self.loop.call_later(PEER_SECONDS, self._give_up)
        else:
            self.transport.abort()
