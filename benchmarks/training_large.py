"""`python -m benchmarks.training_large [--rows N]`: data in chunks beside what others do with the same file.

Each line is one process with all that it starts: in one process and in two workers by HeartOps, scikit-learn in memory,
and Dask with XGBoost on two workers. Prints a table for docs/benchmarks-training.md. `--only WORD` runs some of them.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.environments import peer
from benchmarks.machine import cpu_seconds, resident
from benchmarks.training_external import manifest, write
from hack.cluster.ports import free_port

HERE = Path(__file__).parent
EVERY = 0.2


@dataclass(frozen=True)
class Found:
    seconds: float
    cpu: float
    mib: tuple[float, ...]
    """Most memory of each process (with its children)."""
    auc: float


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--keep", type=Path, help="folder of the file")
    parser.add_argument("--only", default="", help="part of a name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = (options.keep or Path(temporary)) / f"cohort-{options.rows}.parquet"
        if not data.exists():
            write(data, options.rows)
        print("| rows | what | CPU | time | memory | ROC-AUC |\n|---:|---|---:|---:|---:|---:|", flush=True)
        for name, run in CONTENDERS.items():
            if options.only in name:
                print(line(options.rows, name, run(data)), flush=True)


def line(rows: int, name: str, found: Found) -> str:
    memory = " + ".join(f"{each:.0f}" for each in found.mib)
    return f"| {rows:,} | {name} | {found.cpu:.0f} s | {found.seconds:.0f} s | {memory} MiB | {found.auc:.4f} |"


def external(data: Path, algorithm: str = "xgboost", workers: int = 1) -> Found:
    spec: Any = manifest(algorithm, 0)
    if workers > 1:
        spec["spec"]["training"]["scale"] = {"mode": "Distributed", "workers": workers}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.yaml").write_text(yaml.safe_dump(spec))
        command = [sys.executable, "-m", "heart_trainer", "model.yaml", "--data", str(data), "--out", "out"]
        command += ["--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
        found = watch([(command, one) for one in places(workers)], Path(folder))
        figures = json.loads((Path(folder) / "out/evaluation/evaluation.json").read_text())["metrics"]
        return Found(*found, figures["roc_auc"]["estimate"])


def places(workers: int) -> list[dict[str, str]]:
    """The environment of each worker."""
    if workers == 1:
        return [{}]
    port = str(free_port())
    names = {"DMLC_TRACKER_URI": "127.0.0.1", "DMLC_TRACKER_PORT": port, "DMLC_NUM_WORKER": str(workers)}
    return [{**names, "DMLC_TASK_ID": str(rank)} for rank in range(workers)]


def script(data: Path, name: str) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        command = [peer("large").python, str(HERE / "peers" / name), str(data), "num"]
        found = watch([(command, {})], Path(folder))
        said = re.search(r"roc_auc=([0-9.]+)", (Path(folder) / "log-0").read_text())
        assert said, f"{name} ended without its ROC-AUC"
        return Found(*found, float(said[1]))


def watch(
    commands: Sequence[tuple[Sequence[str], dict[str, str]]], folder: Path
) -> tuple[float, float, tuple[float, ...]]:
    """(seconds, processor seconds, most MiB of each) of processes that run together."""
    started = time.monotonic()
    running = [start(command, more, folder / f"log-{rank}", folder) for rank, (command, more) in enumerate(commands)]
    most, spent = [0.0] * len(running), [0.0] * len(running)
    while any(process.poll() is None for process in running):
        for rank, process in enumerate(running):
            if process.poll() is None:
                most[rank] = max(most[rank], resident(process.pid))
                spent[rank] = max(spent[rank], cpu_seconds(process.pid))
        time.sleep(EVERY)
    for rank, process in enumerate(running):
        if process.returncode:
            raise SystemExit((folder / f"log-{rank}").read_text()[-3000:])
    return time.monotonic() - started, sum(spent), tuple(most)


def start(command: Sequence[str], more: dict[str, str], log: Path, folder: Path) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, **more, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with log.open("wb") as output:
        return subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=folder)


CONTENDERS: dict[str, Callable[[Path], Found]] = {
    "HeartOps, xgboost, External": external,
    "HeartOps, xgboost, Distributed, 2 workers": lambda data: external(data, workers=2),
    "HeartOps, logistic-regression, External": lambda data: external(data, "logistic-regression"),
    "scikit-learn, HistGradientBoosting, in memory": lambda data: script(data, "large_sklearn.py"),
    "Dask and XGBoost, 2 workers": lambda data: script(data, "large_dask.py"),
}


if __name__ == "__main__":
    main()
