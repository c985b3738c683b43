"""TLS of the triggers: a mounted certificate, as cert-manager writes it, or a self-signed one.

A mounted one is read again when it changes. Callers that verify certificates, MLflow's webhooks among them, need a
mounted one.
"""

import asyncio
import logging
import ssl
from pathlib import Path

from heart_operator.telemetry.certificate import self_signed

log = logging.getLogger(__name__)

RELOAD_SECONDS = 30.0


class Certificate:
    """`context` is a server's; with a folder, its tls.crt and tls.key. Raises OSError or ssl.SSLError."""

    def __init__(self, name: str, folder: Path | None) -> None:
        self._folder = folder
        if folder is None:
            self.context = self_signed(name)
            return
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(folder)

    def _load(self, folder: Path) -> None:
        self._loaded = stamp(folder)
        self.context.load_cert_chain(folder / "tls.crt", folder / "tls.key")

    def refresh(self) -> bool:
        """Read the files again if they changed; what cannot be read leaves the certificate as it is."""
        if self._folder is None:
            return False
        try:
            if stamp(self._folder) == self._loaded:
                return False
            self._load(self._folder)
        except (OSError, ssl.SSLError) as error:
            log.error("Keeping the triggers' certificate: %s cannot be used (%s)", self._folder, type(error).__name__)
            return False
        log.info("Loaded the triggers' certificate again")
        return True

    async def keep(self) -> None:
        """Look for a renewed certificate, for ever."""
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            self.refresh()


def stamp(folder: Path) -> tuple[int, ...]:
    """Changes whenever the files do. Raises OSError."""
    return tuple((folder / name).stat().st_mtime_ns for name in ("tls.crt", "tls.key"))
