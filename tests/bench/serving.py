"""Cold start, memory, throughput and the share of inference: the server on one core, the load on the other."""

import json
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from heart_operator.api.contract import Feature
from tests.bench.load import Result, generate
from tests.support.serving import Running, environment, free_port, start, wait_ready
from tests.support.tiny_model import tiny_model

SECONDS = 4.0
WARM_UP = 1.0
CONNECTIONS = 16
INFERENCE_BOUND = 0.2
NAMES = ["age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal"]
"""Thirteen numbers, like the heart-disease data."""


@dataclass(frozen=True)
class Row:
    label: str
    busy: Result
    alone: Result
    cpu: float
    """Seconds of processor time per request."""
    inference: float
    """Share of the server's time per request, saturated, that the ONNX run took."""


def main() -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})
    with tempfile.TemporaryDirectory() as folder:
        print(f"server on core {cores[-1]}, load on core {cores[0]}, {SECONDS:g} s per figure\n")
        if len(cores) == 1:
            print("warning: there is one core only, load and server share it\n")
        measure(Path(folder), cores[-1])


def measure(folder: Path, core: int) -> None:
    server, cold = launch(folder, core)
    try:
        idle = resident(server)
        rows = [measure_load(server, f"{records} record{'s' * (records > 1)}", records) for records in (1, 100)]
        report(cold, idle, resident(server), rows)
    finally:
        server.process.kill()
        server.process.wait()


def launch(folder: Path, core: int) -> tuple[Running, float]:
    """The second start, so that files are cached; seconds from exec to the first prediction."""
    model = tiny_model(tuple(Feature(name=name, type="number", minimum=0, maximum=600) for name in NAMES))
    port = free_port()
    variables = environment(model.write(folder), model.sha256, port)
    pin = [shutil.which("taskset") or "taskset", "-c", str(core)]
    for attempt in (1, 2):
        began = time.perf_counter()
        server = Running(start(variables, folder / "log", *pin), port, folder / "log")
        wait_ready(server)
        httpx.post(f"{server.url}/predict", json=record()).raise_for_status()
        cold = time.perf_counter() - began
        if attempt == 1:
            server.process.kill()
            server.process.wait()
    return server, cold


def record() -> dict[str, Any]:
    return {name: 1.5 + index for index, name in enumerate(NAMES)}


def measure_load(server: Running, label: str, records: int) -> Row:
    body = json.dumps(record() if records == 1 else [record()] * records).encode()
    head = "POST /predict HTTP/1.1\r\nHost: heart\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    generate(server.port, request, CONNECTIONS, WARM_UP)
    before, cpu_before = predict_seconds(server), cpu_seconds(server)
    busy = generate(server.port, request, CONNECTIONS, SECONDS)
    after, cpu_after = predict_seconds(server), cpu_seconds(server)
    alone = generate(server.port, request, 1, SECONDS / 2)
    per_run = (after[0] - before[0]) / (after[1] - before[1])
    return Row(label, busy, alone, (cpu_after - cpu_before) / len(busy.latencies), per_run * busy.rate)


def predict_seconds(server: Running) -> tuple[float, float]:
    """(sum of seconds in ONNX runs, number of runs) so far."""
    text = httpx.get(f"{server.url}/metrics").text
    found = [re.search(rf"^request_predict_seconds_{part}\S* (\S+)$", text, re.MULTILINE) for part in ("sum", "count")]
    return float(found[0][1]), float(found[1][1])  # type: ignore[index]


def cpu_seconds(server: Running) -> float:
    """User and system time so far (fields 14 and 15 of /proc/…/stat)."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(server: Running) -> float:
    """Resident memory in MB. taskset replaces itself by the server, so that the pid is the server's."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def report(cold: float, idle: float, loaded: float, rows: list[Row]) -> None:
    print(f"exec to first answer  {cold:6.2f} s")
    print(f"resident memory       {idle:6.1f} MB, {loaded:.1f} MB after the load\n")
    print("POST /predict   requests/s   records/s        p50        p99  p50 alone     cpu  inference")
    for row in rows:
        records, rate = int(row.label.split()[0]), row.busy.rate
        seconds = (row.busy.percentile(0.5), row.busy.percentile(0.99), row.alone.percentile(0.5))
        times = "".join(f"{1000 * value:>8.2f} ms" for value in seconds) + f"{1e6 * row.cpu:>5.0f} µs"
        failed = f"  {row.busy.failures} failed" if row.busy.failures else ""
        print(f"{row.label:14}{rate:>12.0f}{rate * records:>12.0f}{times}{row.inference:>11.1%}{failed}")
    worst = max(row.inference for row in rows)
    verdict = "kept" if worst <= INFERENCE_BOUND else "MISSED"
    print(f"\ninference is {worst:.1%} of a request; bound {INFERENCE_BOUND:.0%}: {verdict}")
