"""A listening port, and what its connections share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn

from heart_api.handshakes import Handshakes
from heart_api.names import VERSION_HEADER
from heart_serving.errors import CannotListen
from heart_serving.http.connection import Connection
from heart_serving.http.server_state import State
from heart_serving.http.tls import Certificate
from heart_serving.settings import Settings

GRACE_SECONDS = 15
"""How long requests in flight may still take when the listening socket is closed."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Answers with the application of `config`; `state` bounds its connections, apart from those of other ports."""

    config: uvicorn.Config
    state: State
    certificate: Certificate | None = None
    """None: without TLS."""

    async def listen(self) -> asyncio.Server:
        """Accept connections until the server that is returned is closed. Raises CannotListen."""
        if not self.config.loaded:
            self.config.load()
        loop = asyncio.get_running_loop()
        host, port = self.config.host, self.config.port
        try:
            return await loop.create_server(self._arrival(), host, port, backlog=self.config.backlog)
        except OSError as error:
            raise CannotListen(host, port, error) from error

    def _arrival(self) -> Callable[[], asyncio.Protocol]:
        certificate = self.certificate
        return Handshakes(lambda: certificate.context, self._connection).arrival if certificate else self._connection

    def close_connections(self) -> None:
        """Close each connection as soon as the request on it has been answered."""
        for connection in list(self.state.connections):
            connection.shutdown()

    def _connection(self) -> Connection:
        return Connection(self.config, self.state, {})


def server_config(application: Any, settings: Settings, port: int) -> uvicorn.Config:
    """Return uvicorn's settings for the application on `port`, with our connections and without its own logging."""
    return uvicorn.Config(
        application,
        host=settings.host,
        port=port,
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
        # Idle connections end by their age (connection.py), not by a second clock.
        timeout_keep_alive=int(2 * settings.connection_seconds) + 1,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
