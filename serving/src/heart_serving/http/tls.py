"""TLS in front of HTTP: certificates that change while the server runs."""

import asyncio
import logging
import ssl
from pathlib import Path

from heart_serving.errors import SettingsError

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
