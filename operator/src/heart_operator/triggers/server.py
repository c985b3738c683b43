"""The triggers' server, from the operator's settings."""

import asyncio

from heart_operator.kube.client import Cluster
from heart_operator.settings import Settings
from heart_operator.telemetry.endpoints import HttpServer
from heart_operator.triggers.endpoints import Triggers
from heart_operator.triggers.tls import Certificate


class TriggerServer:
    """Listens while the process runs, and looks for a renewed certificate."""

    def __init__(self, server: HttpServer, certificate: Certificate) -> None:
        self._server = server
        self._certificate = certificate
        self._upkeep: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        return self._server.port

    async def start(self) -> None:
        await self._server.start()
        self._upkeep = asyncio.create_task(self._certificate.keep(), name="triggers' certificate")

    async def stop(self) -> None:
        """May be called twice."""
        if self._upkeep:
            self._upkeep.cancel()
        await self._server.stop()


def build_trigger_server(settings: Settings, cluster: Cluster) -> TriggerServer | None:
    """None where the triggers are off. `cluster` must be able to write without holding the Lease.

    Raises OSError or ssl.SSLError for a certificate that cannot be used.
    """
    if settings.triggers_port is None:
        return None
    certificate = Certificate(settings.lease_name, settings.triggers_tls)
    app = Triggers(cluster, settings.watches, settings.triggers_keys).app()
    return TriggerServer(HttpServer(app, settings.http_host, settings.triggers_port, certificate.context), certificate)
