"""A load generator of one process: keep-alive connections, each with at most one request in flight.

The process never sleeps: in a virtual machine, waking another core costs the sender of a packet tens of microseconds,
and a server that is slower than its load would be charged for it.

Closed loop: every connection sends again as soon as it has its answer. Paced: requests are due at fixed times, whatever
the server does, and their latency counts from then, so that a server which stalls cannot hide it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvloop

PACED_CONNECTIONS = 64


@dataclass
class Result:
    """Latencies in seconds of all requests answered with 200, and what else happened."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)
    """Latencies of answers 429 and 503."""
    failures: int = 0
    unsent: int = 0
    """Paced requests that were due and found no free connection until the end."""

    @property
    def rate(self) -> float:
        """Answers 200 per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies) or [float("nan")]
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Client(asyncio.Protocol):
    """One connection; `idle` is called when it may send."""

    def __init__(self, request: bytes, result: Result, idle: Callable[["Client"], None]) -> None:
        self._request, self._result, self._idle = request, result, idle
        self._received = b""
        self.gone = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._idle(self)

    def send(self, due: float) -> None:
        self._received, self._due = b"", due
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        head = head.lower()
        if not end or len(body) < int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        latency = time.perf_counter() - self._due
        if head.startswith(b"http/1.1 200"):
            self._result.latencies.append(latency)
        elif head.startswith((b"http/1.1 503", b"http/1.1 429")):
            self._result.rejected.append(latency)
        else:
            self._result.failures += 1
        if b"connection: close" not in head:
            self._idle(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)


def generate(port: int, request: bytes, connections: int, seconds: float) -> Result:
    """Closed-loop load for that long."""
    result = Result(seconds)
    uvloop.run(_run(port, request, connections, result, lambda client: client.send(time.perf_counter())))
    return result


def generate_paced(
    port: int, request: bytes, rate: float, seconds: float, connections: int = PACED_CONNECTIONS
) -> Result:
    """`rate` requests per second for that long."""
    result = Result(seconds)
    uvloop.run(_run_paced(port, request, rate, connections, result))
    return result


async def _run_paced(port: int, request: bytes, rate: float, connections: int, result: Result) -> None:
    pace = Pace(rate, connections)
    spinning = asyncio.create_task(pace.spin())
    try:
        await _run(port, request, connections, result, pace.idle)
    finally:
        spinning.cancel()
    result.unsent = len(pace.late)


class Pace:
    """Hands due times to free connections, once all are open: accepting them is not what the latency is about.

    It spins, for timers are not exact enough; the load has its own core.
    """

    def __init__(self, rate: float, connections: int) -> None:
        self._step = 1 / rate
        self._connections = connections
        self._free: list[Client] = []
        self.late: deque[float] = deque()

    def idle(self, client: Client) -> None:
        if self.late:
            client.send(self.late.popleft())
        else:
            self._free.append(client)

    async def spin(self) -> None:
        while len(self._free) < self._connections:  # noqa: ASYNC110  it spins
            await asyncio.sleep(0)
        due = time.perf_counter()
        while True:
            while due <= time.perf_counter():
                self._take(due)
                due += self._step
            await asyncio.sleep(0)

    def _take(self, due: float) -> None:
        while self._free:
            client = self._free.pop()
            if not client.transport.is_closing():
                client.send(due)
                return
        self.late.append(due)


async def _run(port: int, request: bytes, connections: int, result: Result, idle: Callable[[Client], None]) -> None:
    spinning = asyncio.create_task(_spin())
    keepers = [asyncio.create_task(_keep(port, request, result, idle)) for _ in range(connections)]
    await asyncio.sleep(result.seconds)
    for task in (spinning, *keepers):
        task.cancel()
    await asyncio.gather(spinning, *keepers, return_exceptions=True)


async def _spin() -> None:
    while True:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def _keep(port: int, request: bytes, result: Result, idle: Callable[[Client], None]) -> None:
    """A connection that the server closes, for its age or otherwise, is replaced."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            transport, client = await loop.create_connection(lambda: Client(request, result, idle), "127.0.0.1", port)
        except OSError:
            result.failures += 1
            await asyncio.sleep(0.1)
            continue
        try:
            await client.gone
        finally:
            transport.abort()
