"""What API keys cost: requests through a real connection, without callers and with them, by processor time.

    python -m benchmarks.apikeys

Prints microseconds per request and the share of the rate that is kept; exit code 1 when it is below the bound. One
request is a record as JSON; with keys it carries one more header. Rounds alternate, so that a slow moment of the
machine meets both.
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import uvloop

from heart_serving.http.connection import Connection
from heart_serving.server import Server
from tests.support.serving.app import in_process_server
from tests.support.serving.callers import KEY, with_key
from tests.support.serving.tiny_model import RECORD, tiny_model

BOUND = 0.95
ROUNDS, REQUESTS = 41, 2000
BODY = json.dumps(RECORD).encode()
HEAD = b"POST /predict HTTP/1.1\r\nHost: heart\r\nContent-Type: application/json\r\nContent-Length: %d\r\n" % len(BODY)
USUAL = b"Accept: */*\r\nAccept-Encoding: gzip\r\nUser-Agent: bench\r\n"
PLAIN = HEAD + USUAL + b"\r\n" + BODY
WITH_KEY = HEAD + USUAL + b"Authorization: Bearer %b\r\n\r\n" % KEY.encode() + BODY


class Sink:
    """A transport that keeps the last response."""

    response = b""

    def write(self, data: bytes) -> None:
        self.response = data

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


async def cost(server: Server, request: bytes, status: int) -> float:
    """Seconds of processor time for one request."""
    sink = Sink()
    connection = Connection(server.config, server.server_state, {})
    connection.connection_made(sink)  # type: ignore[arg-type]
    began = time.thread_time()
    for _ in range(REQUESTS):
        connection.data_received(request)
        await asyncio.sleep(0)  # the next pass of the event loop, as between two reads
    seconds = time.thread_time() - began
    assert sink.response.startswith(b"HTTP/1.1 %d" % status), sink.response
    connection.connection_lost(None)
    return seconds / REQUESTS


async def compare(folder: Path) -> tuple[float, float, float]:
    """(without callers, with a key, denied), each the median of its rounds."""
    model = tiny_model()
    (folder / "off").mkdir()
    (folder / "on").mkdir()
    off = in_process_server(model, folder / "off", connection_seconds=3600)
    on = in_process_server(model, folder / "on", connection_seconds=3600, auth=with_key(folder))
    gc.collect()
    gc.freeze()  # as the server does
    rounds = [
        (await cost(off, PLAIN, 200), await cost(on, WITH_KEY, 200), await cost(on, PLAIN, 401)) for _ in range(ROUNDS)
    ]
    without, keyed, denied = (median(times) for times in zip(*rounds[1:], strict=True))
    return without, keyed, denied


def main() -> int:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        off, on, denied = runner.run(compare(Path(folder)))
    share = off / on
    print(f"without callers {off * 1e6:.1f} µs, with an API key {on * 1e6:.1f} µs per request: {share:.1%} of the rate")
    print(f"a denied request {denied * 1e6:.1f} µs")
    print(f"bound {BOUND:.0%}: {'kept' if share >= BOUND else 'MISSED'}")
    return 0 if share >= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
