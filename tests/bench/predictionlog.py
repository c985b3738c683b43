"""What the prediction log costs: the same load with it off and on (`python -m tests.bench.predictionlog`).

The server has a core of its own; load and database share the others. Throughput can only be compared when the server is
what limits it: on two cores the load and PostgreSQL are often too slow for that, and then there is no verdict.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from heart_log.database import open_database
from heart_log.migrate import migrate
from heart_operator.api.contract import Feature
from heart_operator.api.handover import Env
from tests.bench.load import Result, generate
from tests.support.kube_api import poll
from tests.support.postgres import running_postgres
from tests.support.serving import Running, environment, free_port, start, wait_ready
from tests.support.tiny_model import tiny_model

FEATURES = tuple(Feature(name=f"feature_{number}", type="number", minimum=0, maximum=600) for number in range(13))
RECORD = {feature.name: 1.5 + number for number, feature in enumerate(FEATURES)}
CONNECTIONS = 16
WARM_UP = 1.0
BOUND = 0.9
SATURATED = 0.8
"""Share of a core."""


@dataclass(frozen=True)
class Side:
    """A server with the log on or off under full load."""

    result: Result
    cpu: float
    """Processor seconds per request."""
    written: int
    dropped: int

    @property
    def busy(self) -> float:
        """Share of its core that the server used."""
        return self.cpu * self.result.rate


@dataclass(frozen=True)
class Comparison:
    records: int
    off: Side
    on: Side

    def verdict(self) -> tuple[str, bool]:
        """In words, and whether the bound is missed."""
        if min(self.off.busy, self.on.busy) < SATURATED:
            return f"{self.records} records: the server was not saturated, so throughput says nothing of it", False
        share = self.on.result.rate / self.off.result.rate
        kept = "kept" if share >= BOUND else "MISSED"
        return (
            f"{self.records} records: {share:.1%} of the throughput with the log on; bound {BOUND:.0%}: {kept}",
            share < BOUND,
        )


def main() -> int:
    seconds = float(os.environ.get("HEARTOPS_BENCH_SECONDS", "5"))
    *others, core = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or {core})  # load and database; the server is pinned to the last one
    compared = [compare(records, seconds, core) for records in (1, 100)]
    print("records    log    requests/s   cpu/request    of a core    written    dropped")
    for each in compared:
        for name, side in (("off", each.off), ("on", each.on)):
            rate, cpu = side.result.rate, 1e6 * side.cpu
            busy = f"{side.busy:>13.0%}{side.written:>11}{side.dropped:>11}"
            print(f"{each.records:7}{name:>7}{rate:>14.0f}{cpu:>11.1f} µs{busy}")
    verdicts = [each.verdict() for each in compared]
    print("", *(verdict for verdict, _ in verdicts), sep="\n")
    return any(failed for _, failed in verdicts)


def compare(records: int, seconds: float, core: int) -> Comparison:
    """Off, on, off, on: what else the machine does falls on both sides."""
    with running_postgres() as postgres:
        engine = open_database(postgres.url)
        with engine.begin() as connection:
            migrate(connection)
        engine.dispose()
        with served({}, core) as off, served({Env.DATABASE_URL: postgres.url}, core) as on:
            sides = [measure(server, records, seconds / 2) for server in (off, on, off, on)]
    return Comparison(records, merge(sides[0], sides[2]), merge(sides[1], sides[3]))


def merge(first: Side, second: Side) -> Side:
    result = Result(first.result.seconds + second.result.seconds, first.result.latencies + second.result.latencies)
    cpu = (first.cpu + second.cpu) / 2
    return Side(result, cpu, second.written, second.dropped)


@contextmanager
def served(variables: dict[str, str], core: int) -> Iterator[Running]:
    model = tiny_model(FEATURES)
    pin = [shutil.which("taskset") or "taskset", "-c", str(core)]
    with tempfile.TemporaryDirectory() as folder:
        port, log = free_port(), Path(folder) / "log"
        process = start(environment(model.write(Path(folder)), model.sha256, port, **variables), log, *pin)
        server = Running(process, port, log)
        try:
            wait_ready(server)
            if Env.DATABASE_URL in variables:
                wait_written(server)
            yield server
        finally:
            process.kill()
            process.wait()


def wait_written(server: Running) -> None:
    """The first row makes the writer load its libraries, which is not the load's to pay."""
    httpx.post(f"{server.url}/predict", json=RECORD).raise_for_status()
    poll("a row is written", lambda: total(metrics(server), "prediction_log_written_total"), 30)


def metrics(server: Running) -> str:
    return httpx.get(f"{server.url}/metrics", timeout=30).text


def measure(server: Running, records: int, seconds: float) -> Side:
    body = json.dumps(RECORD if records == 1 else [RECORD] * records).encode()
    head = "POST /predict HTTP/1.1\r\nHost: heart\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    generate(server.port, request, CONNECTIONS, WARM_UP)
    before = cpu_seconds(server)
    result = generate(server.port, request, CONNECTIONS, seconds)
    cpu = (cpu_seconds(server) - before) / max(len(result.latencies), 1)
    text = metrics(server)
    return Side(result, cpu, total(text, "prediction_log_written_total"), total(text, "prediction_log_dropped_total"))


def total(text: str, metric: str) -> int:
    return round(sum(float(value) for value in re.findall(rf"^{metric}\S* (\S+)$", text, re.M)))


def cpu_seconds(server: Running) -> float:
    """User and system time of all its threads so far (fields 14 and 15 of /proc/…/stat)."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
