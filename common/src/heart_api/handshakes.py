"""The beginning of a connection: nothing is read of it before somebody has admitted it, and TLS is agreed on in time.

A handshake has a deadline and there are only so many at one time: at the bound the oldest makes way. The connection
proper begins when TLS is agreed on, and knows nothing of it.
"""

import asyncio
import ssl
from collections.abc import Callable

HANDSHAKE_SECONDS = 5.0
SHUTDOWN_SECONDS = 5.0
MAX_HANDSHAKES = 256


class Handshakes:
    """Holds the handshakes of one listener's new connections. Used on the event loop alone."""

    def __init__(self, context: Callable[[], ssl.SSLContext], protocol: Callable[[], asyncio.Protocol]) -> None:
        """`context`: the one for the next connection; `protocol` makes what speaks over TLS."""
        self._context = context
        self._protocol = protocol
        self._open: dict[asyncio.Task[None], asyncio.Transport] = {}

    def __len__(self) -> int:
        return len(self._open)

    def arrival(self) -> asyncio.Protocol:
        """Return the protocol for a connection that has just been accepted."""
        return Arrival(self.begin)

    def begin(self, transport: asyncio.Transport) -> None:
        """Start the handshake on a connection of which nothing has been read."""
        if len(self._open) >= MAX_HANDSHAKES:
            next(iter(self._open.values())).abort()
        task = asyncio.get_running_loop().create_task(self._agree(transport))
        self._open[task] = transport
        task.add_done_callback(self._open.pop)

    async def _agree(self, transport: asyncio.Transport) -> None:
        waiting = Waiting()
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport,
                waiting,
                self._context(),
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except OSError:  # no TLS, too slow, or gone
            transport.abort()
        else:
            if secure is not None:
                waiting.hand_over(secure, self._protocol())


class Arrival(asyncio.Protocol):
    """A connection before its handshake: reads nothing, as the first byte belongs to TLS."""

    def __init__(self, begin: Callable[[asyncio.Transport], None]) -> None:
        self._begin = begin

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        transport.pause_reading()
        self._begin(transport)


class Waiting(asyncio.Protocol):
    """Keeps what arrives between the end of the handshake and the protocol's beginning."""

    def __init__(self) -> None:
        self._received: list[bytes] = []
        self._ended = False

    def data_received(self, data: bytes) -> None:
        self._received.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True

    def hand_over(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        if self._ended:
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        for data in self._received:
            protocol.data_received(data)
