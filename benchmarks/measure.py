"""One server with one model: cold start, memory, and load of one and of a hundred records."""

import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.contenders import Contender
from benchmarks.load import Result, generate, generate_paced
from benchmarks.models import BenchModel
from hack.cluster.ports import free_port

CONNECTIONS = 16
COLD_SECONDS = 90.0
WINDOWS = 5


class NotMeasured(Exception):
    """A server that did not come up or answered wrongly; the message is for the page."""


@dataclass(frozen=True)
class Effort:
    """How long each figure is measured, in seconds."""

    warm_up: float = 1.0
    full: float = 4.0
    half: float = 1.5
    """Of each window at half load."""
    turn: float = 0.5
    turns: int = 24
    """How often ours and the empty servers are compared."""


QUICK = Effort(0.3, 1.0, 0.3, 0.2, 5)


@dataclass(frozen=True)
class Figures:
    """One server, one model, one size of request."""

    server: str
    model: str
    records: int
    full: Result
    """Closed loop, CONNECTIONS at a time."""
    half_p99: float
    """Seconds, paced at half of what it reached: the median of WINDOWS, for a virtual machine stalls now and then."""
    half_cpu: float
    """Seconds of processor time per request at half load: more than at full load, for each finds the server asleep."""
    cpu: float
    """The same at full load."""
    cold: float
    """Seconds from exec to the first answer."""
    memory: float
    """MB after the load."""


def measure(contender: Contender, model: BenchModel, sizes: tuple[int, ...], effort: Effort) -> list[Figures]:
    """Raises NotMeasured. The second start counts: files are cached by then."""
    with tempfile.TemporaryDirectory() as folder:
        with running(contender, model, Path(folder)):
            pass
        with running(contender, model, Path(folder)) as (pid, port, cold):
            return [measure_size(contender, model, records, effort, (pid, port, cold)) for records in sizes]


def measure_size(
    contender: Contender, model: BenchModel, records: int, effort: Effort, server: tuple[int, int, float]
) -> Figures:
    pid, port, cold = server
    request = contender.request(model, records)
    generate(port, request, CONNECTIONS, effort.warm_up)
    before = machine.cpu_seconds(pid)
    full = generate(port, request, CONNECTIONS, effort.full)
    cpu = (machine.cpu_seconds(pid) - before) / max(len(full.latencies), 1)
    if full.failures or not full.latencies:
        wrong = f"{full.failures} of its answers were not 200" if full.failures else "no answer came in time"
        raise NotMeasured(f"{records} records per request: {wrong}")
    before = machine.cpu_seconds(pid)
    windows = [generate_paced(port, request, full.rate / 2, effort.half) for _ in range(WINDOWS)]
    half_cpu = (machine.cpu_seconds(pid) - before) / max(sum(len(each.latencies) for each in windows), 1)
    p99 = median(each.percentile(0.99) for each in windows)
    return Figures(contender.title, model.key, records, full, p99, half_cpu, cpu, cold, machine.resident(pid))


def half_busy(figures: Figures) -> float:
    """Share of the core that half load takes."""
    return figures.half_cpu * figures.full.rate / 2


@contextlib.contextmanager
def running(contender: Contender, model: BenchModel, folder: Path) -> Iterator[tuple[int, int, float]]:
    """(pid, port, seconds from exec to the first answer)."""
    port, log = free_port(), folder / "server.log"
    start = contender.start(contender.place, model, folder, port)
    began = time.perf_counter()
    process = machine.start(start.command, start.environment, machine.SERVER_CORE, log, start.cwd)
    try:
        while not answers(port, contender.request(model, 1)):
            if process.poll() is not None or time.perf_counter() - began > COLD_SECONDS:
                raise NotMeasured(f"it did not come up: {last_line(log)}")
            time.sleep(0.005)
        yield process.pid, port, time.perf_counter() - began
    finally:
        machine.stop(process)


def answers(port: int, request: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(request)
            return connection.recv(65536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return json.dumps(lines[-1][:200]) if lines else "it said nothing"
