"""gRPC's listener beside HTTP's, on the same event loop and within the same bounds."""

import logging
from typing import Any

import grpc.aio

from heart_api.handshakes import HANDSHAKE_SECONDS
from heart_serving.http.tls import Certificate
from heart_serving.settings import Settings

GRACE_SECONDS = 5.0
"""For calls that are being answered when the server stops."""
PEER_SECONDS = 10.0
"""For calls that are open when their connection has reached its age."""
MAX_METADATA = 32 * 1024

logger = logging.getLogger("heart_serving")


class GrpcListener:
    """Made before the event loop runs; `start` and `stop` run on it."""

    def __init__(self, handler: Any, settings: Settings, certificate: Certificate | None = None) -> None:
        self._handler = handler
        self._certificate = certificate
        self._settings = settings
        self._server: Any = None

    async def start(self) -> None:
        """Raises RuntimeError when the port cannot be bound."""
        address = f"{self._settings.host}:{self._settings.grpc_port}"
        self._server = grpc.aio.server(options=self._options(), maximum_concurrent_rpcs=self._settings.max_in_flight)
        self._server.add_generic_rpc_handlers((self._handler,))
        if self._certificate is None:
            self._server.add_insecure_port(address)
        else:
            self._server.add_secure_port(address, following(self._certificate))
        await self._server.start()
        logger.info("gRPC listens on %s", address)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(GRACE_SECONDS)

    def _options(self) -> list[tuple[str, int]]:
        return [
            ("grpc.max_receive_message_length", self._settings.max_body),
            ("grpc.max_metadata_size", MAX_METADATA),
            ("grpc.max_allowed_incoming_connections", self._settings.max_connections),
            ("grpc.server_handshake_timeout_ms", int(HANDSHAKE_SECONDS * 1000)),
            ("grpc.max_concurrent_streams", self._settings.max_in_flight),
            ("grpc.max_connection_age_ms", int(self._settings.connection_seconds * 1000)),
            ("grpc.max_connection_age_grace_ms", int(PEER_SECONDS * 1000)),
            ("grpc.so_reuseport", 0),
        ]


def following(certificate: Certificate) -> Any:
    """Credentials that take the pair which is current when a handshake begins."""
    used = certificate.pair

    def configuration(pair: tuple[bytes, bytes]) -> Any:
        return grpc.ssl_server_certificate_configuration([pair])

    def fetch() -> Any:
        nonlocal used
        if certificate.pair == used:
            return None  # as before
        used = certificate.pair
        return configuration(used)

    return grpc.dynamic_ssl_server_credentials(configuration(used), fetch)
