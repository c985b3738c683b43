"""`python -m benchmarks.training`: what a training costs beside a bare scikit-learn script of the same search.

Each figure is one process of its own with its workers: seconds from its start to its end, processor seconds (which
say more where the machine is not quiet), and the most memory at a time. The smallest case, which has a goal by the
clock, is run several times in turn with the bare script; its figures are medians.
Writes docs/benchmarks-training.md. `--largest ROWS` leaves out greater files.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import yaml

from benchmarks.machine import busy_share, cpu_seconds, describe, resident

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/benchmarks-training.md"
BARE = "benchmarks.training_bare"
SAMPLE_SECONDS = 0.2
LARGER = "## Larger than memory"
GOAL_RATIO, GOAL_SECONDS, GOAL_ROWS = 1.3, 15.0, 303
PAIRS = 5
"""How often the case with that goal is measured."""


@dataclass(frozen=True)
class Case:
    rows: int
    features: int
    algorithms: tuple[str, ...]
    trials: int
    holdout: float = 0.0

    @property
    def search(self) -> str:
        how = f"holdout {self.holdout:g}" if self.holdout else "5 folds"
        return f"{', '.join(self.algorithms)}; {self.trials} trials; {how}"


@dataclass(frozen=True)
class Cost:
    seconds: float
    cpu: float
    gib: float


@dataclass(frozen=True)
class Row:
    case: Case
    ours: Cost
    bare: Cost


CASES = (
    Case(303, 13, ("logistic-regression", "random-forest"), 5),
    Case(10_000, 20, ("logistic-regression",), 5),
    Case(100_000, 20, ("logistic-regression",), 0, holdout=0.2),
    Case(1_000_000, 20, ("logistic-regression",), 0, holdout=0.2),
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--largest", type=int, default=CASES[-1].rows, help="rows of the greatest file")
    options = parser.parse_args(arguments)
    busy = busy_share()
    rows = list(measure_all([case for case in CASES if case.rows <= options.largest]))
    PAGE.write_text(write_page(rows, busy, describe(), datetime.now(UTC)) + measured_apart(PAGE.read_text()))
    print(f"written: {PAGE.relative_to(ROOT)}")


def measure_all(cases: Sequence[Case]) -> Iterator[Row]:
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), case)
            trainer = [
                "heart_trainer",
                "heartmodel.yaml",
                "--data",
                "data.csv",
                "--tracking-uri",
                "sqlite:///mlflow.db",
            ]
            script = [BARE, json.dumps(vars(case))]
            pairs = [(run(script, Path(folder)), run(trainer, Path(folder))) for _ in range(repetitions(case))]
            row = Row(case, median([ours for _, ours in pairs]), median([bare for bare, _ in pairs]))
        print(f"{case.rows} x {case.features}: {row.ours.seconds:.1f} s, bare {row.bare.seconds:.1f} s", flush=True)
        yield row


def repetitions(case: Case) -> int:
    return PAIRS if case.rows == GOAL_ROWS else 1


def median(costs: Sequence[Cost]) -> Cost:
    """Of each figure by itself."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("seconds", "cpu", "gib")))


def prepare(folder: Path, case: Case) -> None:
    """The HeartModel, its file, and an MLflow store that is there already, as a server's is."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(case.rows, case.features)).round(5)
    y = (x[:, 0] + rng.normal(size=case.rows) > 0).astype(int)
    names = [f"x{index}" for index in range(case.features)]
    formats = ["%.5f"] * case.features + ["%d"]
    np.savetxt(
        folder / "data.csv",
        np.column_stack([x, y]),
        delimiter=",",
        fmt=formats,
        header=",".join([*names, "outcome"]),
        comments="",
    )
    training = {"algorithms": list(case.algorithms), "tuning": {"trials": case.trials}, "holdout": case.holdout}
    spec = {
        "dataset": {"uri": "pvc://data/data.csv"},
        "target": {"name": "outcome"},
        "features": [{"name": name, "type": "number"} for name in names],
        "training": training,
    }
    document = {
        "apiVersion": "heartops.dev/v1alpha1",
        "kind": "HeartModel",
        "metadata": {"name": "bench"},
        "spec": spec,
    }
    (folder / "heartmodel.yaml").write_text(yaml.safe_dump(document))
    store = "from heart_trainer.mlflow.client import Store; Store('sqlite:///mlflow.db').experiment('Default')"
    subprocess.run([sys.executable, "-c", store], cwd=folder, check=True, capture_output=True, env=environment())


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "HEARTOPS_ROW_KEY": "benchmark"}


def run(command: Sequence[str], folder: Path) -> Cost:
    """One process, and the most that it and its workers held at once."""
    started = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
        most, spent = 0.0, 0.0
        while process.poll() is None:
            most, spent = max(most, resident(process.pid)), max(spent, cpu_seconds(process.pid))
            time.sleep(SAMPLE_SECONDS)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed:\n{(folder / 'log').read_text()[-2000:]}")
    return Cost(time.monotonic() - started, spent, most / 1024)


def write_page(rows: Sequence[Row], busy: float, computer: str, when: datetime) -> str:
    return "\n\n".join([introduction(busy, computer, when), table(rows), goals(rows), reading()]) + "\n"


def measured_apart(page: str) -> str:
    """What the page says of data larger than memory: measured by `benchmarks.training_large`, and kept."""
    start = page.find(LARGER)
    return "" if start < 0 else f"\n{page[start:]}"


def introduction(busy: float, computer: str, when: datetime) -> str:
    return (
        "# What a training costs\n\n"
        f"Written by `make bench-training` on {when:%d %B %Y} ({computer}; {busy:.0%} of it in use by others at the "
        "start, so that processor time says more than the clock). Each figure is one process with its workers; for "
        f"{GOAL_ROWS} rows the median of {PAIRS} in turn with the bare script. The "
        "bare script (`benchmarks/training_bare.py`) reads the same file with pandas and does the same search, nested "
        "as ours, and the same comparison of families out of fold, with scikit-learn and Optuna alone: it checks "
        "nothing, measures one ROC-AUC of each family and writes one pickle."
    )


def table(rows: Sequence[Row]) -> str:
    head = "| rows x features | search | HeartOps: CPU | time | memory | bare: CPU | time | memory | CPU ratio | more |"
    lines = [" | ".join(["", *cells(row), ""]).strip() for row in rows]
    return "\n".join([head, "|---:|---|" + "---:|" * 8, *lines])


def cells(row: Row) -> list[str]:
    ours, bare = row.ours, row.bare
    return [
        f"{row.case.rows:,} x {row.case.features}",
        row.case.search,
        *(
            text
            for cost in (ours, bare)
            for text in (f"{cost.cpu:.1f} s", f"{cost.seconds:.1f} s", f"{cost.gib:.2f} GiB")
        ),
        f"{ours.cpu / bare.cpu:.2f}",
        f"{ours.cpu - bare.cpu:+.1f} s",
    ]


def goals(rows: Sequence[Row]) -> str:
    lines = [line for row in rows if row.case.rows == GOAL_ROWS for line in overhead(row)]
    most = max(rows, key=lambda row: row.case.rows)
    lines.append(
        f"- {most.case.rows:,} rows in at most 4 GiB: {most.ours.gib:.2f} GiB: "
        f"{'met' if most.ours.gib <= 4 else '**missed**'}."
    )
    return "## Goals\n\n" + "\n".join(lines)


def overhead(row: Row) -> list[str]:
    """The goal of the smallest case, by processor time and by the clock."""
    goal = f"{GOAL_ROWS} rows: at most {GOAL_RATIO:g} times the bare script and {GOAL_SECONDS:g} s more"
    figures = ("processor time", row.ours.cpu, row.bare.cpu), ("the clock", row.ours.seconds, row.bare.seconds)
    return [
        f"- {goal}, by {what}: {ours / bare:.2f} times, {ours - bare:+.1f} s: "
        f"{'met' if ours <= GOAL_RATIO * bare and ours - bare <= GOAL_SECONDS else '**missed**'}."
        for what, ours, bare in figures
    ]


def reading() -> str:
    return (
        "## How to read it\n\n"
        "What HeartOps does beside the search: the data contract for each cell, a keyed hash of each row, a trial of "
        "the ONNX export before the search, bootstrap intervals of every metric, checks for leaks, plots and the model "
        "card, the ONNX comparison, MLflow. All of it grows with rows times features at most; the checks for leaks "
        "look at 10,000 rows whatever a file holds, and a bootstrap of many rows draws fewer resamples (at least 200)."
    )


if __name__ == "__main__":
    main()
