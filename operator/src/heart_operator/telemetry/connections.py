"""The connections of one port of the operator: bounded in number, since the same process needs descriptors of its own.

At the bound the oldest makes way. Who asks something is answered within moments, so that it is one that waits.
"""

import asyncio
import ssl
from collections.abc import Callable

from heart_api.handshakes import Arrival, Handshakes

MOST = 256


class Connections:
    """Used on the event loop alone."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None = None) -> None:
        """`protocol` makes what speaks over a connection, behind TLS if there is a context."""
        self._protocol = protocol
        self._handshakes = Handshakes(lambda: context, protocol) if context else None
        self._open: dict[asyncio.Transport, None] = {}

    def arrival(self) -> asyncio.Protocol:
        """Return the protocol for a connection that has just been accepted."""
        return Arrival(self._admit)

    def close(self) -> None:
        """Cut every connection off."""
        for transport in self._open:
            transport.abort()
        self._open.clear()

    def _admit(self, transport: asyncio.Transport) -> None:
        self._open = {each: None for each in self._open if not each.is_closing()}
        if len(self._open) >= MOST:
            next(iter(self._open)).abort()
        self._open[transport] = None
        if self._handshakes is not None:
            self._handshakes.begin(transport)
            return
        protocol = self._protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()
