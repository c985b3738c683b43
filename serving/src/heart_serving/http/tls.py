"""TLS in front of HTTP: certificates that change while the server runs, and handshakes that are bounded.

A handshake has a deadline and there are only so many at one time: at the bound the oldest makes way. The connection
proper begins when TLS is agreed on, and knows nothing of it.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from heart_serving.errors import SettingsError

HANDSHAKE_SECONDS = 5.0
SHUTDOWN_SECONDS = 5.0
MAX_HANDSHAKES = 256
POLL_SECONDS = 5.0

logger = logging.getLogger("heart_serving")


class Certificate:
    """Follows `tls.crt` and `tls.key` of a mounted Secret, as one pair."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingsError when they cannot be used."""
        self._folder = folder
        try:
            self.pair = self._read()
            self.context = self._open()
        except (OSError, ValueError) as error:
            raise SettingsError(f"TLS: {folder} holds no usable tls.crt and tls.key ({type(error).__name__})") from None

    async def follow(self) -> None:
        """Look for a changed pair again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Use a changed pair for new connections. One that cannot be used, or half of one, changes nothing and is
        logged.
        """
        try:
            pair = self._read()
            if pair == self.pair:
                return
            context = self._open()
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            logger.warning("the certificate stays as it is: the changed one cannot be used (%s)", type(error).__name__)
            return
        self.pair, self.context = pair, context
        logger.info("the certificate was read again")

    def _read(self) -> tuple[bytes, bytes]:
        """Return (private key, certificate chain), in PEM. Raises OSError."""
        return (self._folder / "tls.key").read_bytes(), (self._folder / "tls.crt").read_bytes()

    def _open(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._folder / "tls.crt", self._folder / "tls.key")
        return context


class Handshakes:
    """Holds the handshakes of one listener's new connections. Used on the event loop alone."""

    def __init__(self, certificate: Certificate, protocol: Callable[[], asyncio.Protocol]) -> None:
        """`protocol` makes what speaks over TLS."""
        self._certificate = certificate
        self._protocol = protocol
        self._open: dict[asyncio.Task[None], asyncio.Transport] = {}

    def __len__(self) -> int:
        return len(self._open)

    def arrival(self) -> asyncio.Protocol:
        """Return the protocol for a connection that has just been accepted."""
        return Arrival(self._begin)

    def _begin(self, transport: asyncio.Transport) -> None:
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
                self._certificate.context,
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
