"""The way to the candidate: a request of one of its users, and its answer, as they are."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import aiohttp

from heart_serving.mirroring.peer import UNKNOWN, know_peer, renewed
from heart_serving.protocols.base import Reply

CONNECTIONS = 128
"""As many as requests in flight."""
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=1)
REST_SECONDS = 1.0
"""Without an attempt where nobody answered: the users of the candidate are answered here meanwhile."""
MAX_ANSWER = 64 * 1024 * 1024
HANDED_ON = frozenset(
    {
        b"authorization",
        b"content-type",
        b"inference-header-content-length",
        b"x-api-key",
        b"x-heartops-subject",
        b"x-request-id",
    }
)
"""What the candidate has to know: the form of the body, and who asks. It admits the same callers."""
HANDED_BACK = (
    "Content-Type",
    "Inference-Header-Content-Length",
    "Retry-After",
    "X-Model-Version",
    "X-Request-Id",
    "X-Feedback-Proof",
)


class Unreachable(Exception):
    """The candidate did not answer; nobody has got an answer yet."""


class Forwarder:
    """Made and used on the event loop; `close` ends it."""

    def __init__(self, url: str, tls: Path | None = None) -> None:
        """`tls`: folder with this pod's own certificate. Raises OSError or ValueError when that cannot be used."""
        self._tls = tls
        self._peer = know_peer(tls) if url.startswith("https:") else UNKNOWN
        self._rests_until = 0.0
        self._session = aiohttp.ClientSession(
            url,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=TIMEOUT,
            skip_auto_headers=("User-Agent", "Accept"),
        )

    async def ask(self, path: str, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Reply:
        """The candidate's answer, whatever its status. Raises Unreachable."""
        if time.monotonic() < self._rests_until:
            raise Unreachable
        sent = {name.decode(): value.decode("latin-1") for name, value in headers if name in HANDED_ON}
        request = self._session.post(
            path,
            data=body,
            headers=sent | {"Accept-Encoding": "identity"},
            allow_redirects=False,
            ssl=self._peer.context,
            server_hostname=self._peer.name,
        )
        try:
            async with request as response:
                found = await response.content.read(MAX_ANSWER)
                return Reply(found, handed_back(response.headers), response.status)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a timeout is an OSError
            self._rests_until = time.monotonic() + REST_SECONDS
            if isinstance(error, aiohttp.ClientConnectorCertificateError):
                self._peer = await asyncio.to_thread(renewed, self._peer, self._tls)
            raise Unreachable from None

    async def close(self) -> None:
        await self._session.close()


def handed_back(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in HANDED_BACK if name in headers}
