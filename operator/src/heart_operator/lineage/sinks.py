"""Where events go: addresses that an administrator configured, never a tenant. Each request is bounded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from heart_api.outbox import OutboxEntry

TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
MAX_TOKEN = 16 * 1024
Encode = Callable[[OutboxEntry], tuple[dict[str, str], bytes]]


class SinkUnavailable(Exception):
    """The sink has not acknowledged; the message holds neither the token nor the event."""


@dataclass(frozen=True, slots=True)
class HttpSink:
    """POSTs each event to one URL. A redirect is no acknowledgement, and is not followed."""

    url: str
    token_file: Path | None
    encode: Encode

    async def send(self, session: aiohttp.ClientSession, entry: OutboxEntry) -> None:
        """Raises SinkUnavailable."""
        headers, body = self.encode(entry)
        try:
            async with session.post(
                self.url, data=body, headers=headers | self._authorization(), allow_redirects=False, timeout=TIMEOUT
            ) as reply:
                if not 200 <= reply.status < 300:
                    raise SinkUnavailable(f"status {reply.status}")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SinkUnavailable(type(error).__name__) from None

    def _authorization(self) -> dict[str, str]:
        """Read anew for each event: the Secret may have been renewed. Raises SinkUnavailable."""
        if self.token_file is None:
            return {}
        if not self.token_file.exists():
            return {}  # the Secret has no token for this sink
        try:
            with self.token_file.open("rb") as file:
                token = file.read(MAX_TOKEN).strip().decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise SinkUnavailable(f"its token cannot be read ({type(error).__name__})") from None
        if not token or not token.isprintable():
            raise SinkUnavailable("its token is empty, or no token")
        return {"Authorization": f"Bearer {token}"}
