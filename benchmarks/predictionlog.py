"""What the prediction log costs a saturated server: `python -m benchmarks.predictionlog`.

The application is called in process, as fast as it answers, with the log off and on. On a small machine a load
generator and a database are slower than the server, which then is never saturated. Spinning stands in for uvicorn.

Throughput is counted per second of processor time, so that other processes do not change it. The log's queue is full
throughout, so that its writer always works: what that thread uses is taken off the throughput with the log on, and the
two ways are measured in turns of half a second, for a machine with other guests is quick now and slow then. The
database keeps to the other cores.
"""

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from heart_api.contract import Feature
from heart_api.predictionlog import PredictionLog
from heart_log.database import open_database
from heart_log.migrate import migrate
from heart_serving.app import Application
from heart_serving.predictionlog.settings import LogSettings
from tests.support.apiserver.client import poll
from tests.support.registry.postgres import running_postgres
from tests.support.serving.app import in_process
from tests.support.serving.tiny_model import tiny_model

FEATURES = tuple(Feature(name=f"feature_{number}", type="number", minimum=0, maximum=600) for number in range(13))
RECORD = {feature.name: 1.5 + number for number, feature in enumerate(FEATURES)}
UVICORN_SECONDS = 15e-6
"""A request costs about 33 µs in the real server and 18 µs here."""
SECONDS, ROUNDS = 0.5, 60
BOUND = 0.9


@dataclass(frozen=True)
class Comparison:
    """Requests per second of processor time, median of the rounds; records written and dropped meanwhile."""

    records: int
    off: float
    on: float
    share: float
    """Median of on to off, each round by itself."""
    writer: float
    """The writer's part of the process's time."""
    written: int
    dropped: int


def main() -> int:
    *others, core = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or {core})
    with running_postgres() as postgres, applications(postgres.url) as (off, on):
        os.sched_setaffinity(0, {core})
        found = [compare(off, on, records) for records in (1, 100)]
    print("records   off, requests/s    on, requests/s   share  writer    written    dropped")
    for each in found:
        rates = f"{each.off:>18.0f}{each.on:>18.0f}{each.share:>8.1%}{each.writer:>8.1%}"
        print(f"{each.records:7}{rates}{each.written:>11}{each.dropped:>11}")
    kept = all(each.share >= BOUND for each in found)
    print(f"\nbound {BOUND:.0%}: {'kept' if kept else 'MISSED'}")
    return 0 if kept else 1


@contextmanager
def applications(url: str) -> Iterator[tuple[Application, Application]]:
    """With the log off, and on."""
    engine = open_database(url)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    off, on = (build(LogSettings(spec, url)) for spec in (PredictionLog(sink="None"), PredictionLog()))
    on.predictions.start()
    answer(on, 1, 0.1)
    poll("the writer has loaded its libraries", lambda: writer(on).written, 30)
    gc.collect()
    gc.freeze()  # as the server does
    yield off, on
    on.predictions.close()


def build(log: LogSettings) -> Application:
    with tempfile.TemporaryDirectory() as folder:
        return in_process(tiny_model(FEATURES), Path(folder), log=log).application


def writer(application: Application) -> Any:
    return application.predictions.writer


def drops(application: Application) -> int:
    return application.predictions.metrics.dropped.total()


def compare(off: Application, on: Application, records: int) -> Comparison:
    lost = drops(on)
    poll("the queue is full", lambda: answer(on, records, 0.5) and drops(on) > lost, 120)
    lost, written = drops(on), writer(on).written
    process, main = time.process_time(), time.thread_time()
    rounds = [(answer(off, records, SECONDS), answer(on, records, SECONDS)) for _ in range(ROUNDS)]
    process, main = time.process_time() - process, time.thread_time() - main
    kept = main / process
    return Comparison(
        records,
        off=median(without for without, _ in rounds),
        on=median(with_log for _, with_log in rounds) * kept,
        share=median(with_log / without for without, with_log in rounds) * kept,
        writer=1 - kept,
        written=writer(on).written - written,
        dropped=drops(on) - lost,
    )


def answer(application: Application, records: int, seconds: float) -> float:
    """Requests per second of this thread's processor time."""
    body = json.dumps(RECORD if records == 1 else [RECORD] * records).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "path": "/predict", "method": "POST", "headers": headers}

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        pass

    async def run() -> int:
        count, ends = 0, time.monotonic() + seconds
        while time.monotonic() < ends:
            await application.app(scope, receive, send)
            spin(UVICORN_SECONDS)
            count += 1
        return count

    began = time.thread_time()
    count = asyncio.run(run())
    return count / (time.thread_time() - began)


def spin(seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


if __name__ == "__main__":
    sys.exit(main())
