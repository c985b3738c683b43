"""A load generator of one process: keep-alive connections, each with one request in flight."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import uvloop


@dataclass
class Result:
    """Latencies in seconds of all requests answered with 200, and what else happened."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Client(asyncio.Protocol):
    """Sends the request again as soon as the answer is complete."""

    def __init__(self, request: bytes, result: Result, gone: asyncio.Queue[None]) -> None:
        self._request, self._result, self._gone = request, result, gone
        self._received = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._received = b""
        self._started = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        if head.startswith(b"HTTP/1.1 200"):
            self._result.latencies.append(time.perf_counter() - self._started)
        else:
            self._result.failures += 1
        if b"connection: close" not in head:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.put_nowait(None)


def generate(port: int, request: bytes, connections: int, seconds: float) -> Result:
    """Closed-loop load for that long."""
    result = Result(seconds)
    uvloop.run(_generate(port, request, connections, result))
    return result


async def _generate(port: int, request: bytes, connections: int, result: Result) -> None:
    loop = asyncio.get_running_loop()
    gone: asyncio.Queue[None] = asyncio.Queue()
    for _ in range(connections):
        gone.put_nowait(None)
    transports = []
    try:
        async with asyncio.timeout(result.seconds):
            while True:  # a connection that the server closes for its age is replaced
                await gone.get()
                pair = await loop.create_connection(lambda: Client(request, result, gone), "127.0.0.1", port)
                transports.append(pair[0])
    except TimeoutError:
        for transport in transports:
            transport.abort()
