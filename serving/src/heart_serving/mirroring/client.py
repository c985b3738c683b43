"""The way to one candidate: copies wait in a bounded queue, few connections carry them, both answers are compared."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from heart_api.authentication import KEY_HEADER
from heart_serving.admission.request_body import Head
from heart_serving.metrics import Mirrored
from heart_serving.mirroring.comparison import Comparison, compare
from heart_serving.mirroring.peer import UNKNOWN, know_peer, renewed
from heart_serving.protocols.base import Reply
from heart_serving.protocols.oip_binary import HEADER as JSON_LENGTH

CONNECTIONS = 4
"""At one time: between two of its own requests the event loop never meets more than this many steps of copies."""
MAX_COPIES = 64
MAX_BYTES = 8 * 1024 * 1024
"""Of all that waits; beyond, a copy is dropped."""
TIMEOUT = aiohttp.ClientTimeout(total=5)
REST_SECONDS = 1.0
"""Before a connection is tried again where nobody answered."""
INLINE_BYTES = 64 * 1024
"""Longer answers are compared in a thread: the event loop goes on answering meanwhile."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A request that this pod answered, and its response, to be repeated at the shadow version."""

    path: str
    head: Head
    parsed: bytes
    answer: Reply
    credential: bytes = field(default=b"", repr=False)
    """The caller's own key or token: the candidate admits the same callers."""

    @property
    def size(self) -> int:
        return len(self.parsed) + len(self.answer.body)

    def headers(self, mark: str) -> dict[str, str]:
        """What the candidate has to know: the form of the body, the id, and that no user waits for the answer."""
        found = {
            "Content-Type": self.head.content_type.decode("latin-1"),
            "X-Request-Id": self.head.request_id,
            "X-HeartOps-Shadow": mark,
        }
        if self.credential:
            found[KEY_HEADER] = self.credential.decode("latin-1")
        return found if self.head.json_length is None else found | {JSON_LENGTH: str(self.head.json_length)}


class Shadow:
    """Made and used on the event loop; `close` ends it, and what waits then is forgotten."""

    def __init__(
        self, url: str, counts: Mirrored, mark: Callable[[str], str], *, relative: bool, tls: Path | None = None
    ) -> None:
        """`mark`: id of a request to the value of X-HeartOps-Shadow. `tls`: the folder with this pod's own certificate,
        if it has one."""
        self._mark = mark
        self._tls = tls
        self._peer = know_peer(tls) if url.startswith("https:") else UNKNOWN
        self._counts = counts
        self._relative = relative
        self._queue: asyncio.Queue[Copy] = asyncio.Queue(MAX_COPIES)
        self._bytes = 0
        self._session = aiohttp.ClientSession(
            url,
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=TIMEOUT,
        )
        self._senders = [asyncio.create_task(self._send_on()) for _ in range(CONNECTIONS)]

    def offer(self, path: str, head: Head, parsed: bytes, answer: Reply, credential: bytes = b"") -> None:
        """Never waits: what does not fit is dropped and counted."""
        copy = Copy(path, head, parsed, answer, credential)
        if self._queue.full() or self._bytes + copy.size > MAX_BYTES:
            self._counts.results["dropped"] += 1
            return
        self._bytes += copy.size
        self._queue.put_nowait(copy)

    async def close(self) -> None:
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._session.close()

    async def _send_on(self) -> None:
        while True:
            copy = await self._queue.get()
            self._bytes -= copy.size
            try:
                comparison = await self._compare(copy, await self._ask(copy))
            except aiohttp.ClientConnectorCertificateError:  # a ValueError, too
                self._peer = await asyncio.to_thread(renewed, self._peer, self._tls)
                self._counts.results["failed"] += 1
                await asyncio.sleep(REST_SECONDS)
            except (aiohttp.ClientResponseError, ValueError):
                self._counts.results["failed"] += 1
            except (aiohttp.ClientError, OSError):  # a timeout is an OSError
                self._counts.results["failed"] += 1
                await asyncio.sleep(REST_SECONDS)
            else:
                self._counts.add(comparison.equal, comparison.difference)

    async def _ask(self, copy: Copy) -> Reply:
        request = self._session.post(
            copy.path,
            data=copy.parsed,
            headers=copy.headers(self._mark(copy.head.request_id)),
            allow_redirects=False,
            ssl=self._peer.context,
            server_hostname=self._peer.name,
        )
        async with request as response:
            response.raise_for_status()
            return Reply(await response.read(), response.headers)

    async def _compare(self, copy: Copy, theirs: Reply) -> Comparison:
        if copy.size + len(theirs.body) <= INLINE_BYTES:
            return compare(copy.answer, theirs, relative=self._relative)
        return await asyncio.to_thread(compare, copy.answer, theirs, relative=self._relative)
