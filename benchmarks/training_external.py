"""`python -m benchmarks.training_external [--rows N]`: the most memory of a training from sums, beside its time.

Writes a Parquet file of the synthetic cohort (13 features) row group by row group, then trains on it in a process of
its own with `spec.training.scale.mode: External`. Prints one line of JSON.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from heart_trainer.data.sources.cohort import COLUMNS, heart_cohort

GROUP = 250_000
CATEGORIES = {"cp": [1, 2, 3, 4], "restecg": [0, 1, 2], "slope": [1, 2, 3], "thal": [3, 6, 7]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--keep", type=Path, help="folder for the files")
    parser.add_argument("--algorithm", choices=("logistic-regression", "xgboost"), default="logistic-regression")
    parser.add_argument("--trials", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        data = folder / f"cohort-{options.rows}.parquet"
        if not data.exists():
            write(data, options.rows)
        (folder / "model.yaml").write_text(yaml.safe_dump(manifest(options.algorithm, options.trials)))
        about = {"rows": options.rows, "bytes": data.stat().st_size, "algorithm": options.algorithm}
        print(json.dumps({**about, **train(folder, data)}))


def write(path: Path, rows: int) -> None:
    """Numbers change by a little from row to row, so that few rows are equal."""
    writer = None
    for start in range(0, rows, GROUP):
        table = pa.Table.from_pandas(heart_cohort(min(GROUP, rows - start), seed=start), preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


def manifest(algorithm: str, trials: int) -> dict[str, object]:
    features = [
        {"name": name, "type": "category", "values": CATEGORIES[name]}
        if name in CATEGORIES
        else {"name": name, "type": "number"}
        for name in COLUMNS
    ]
    return {
        "apiVersion": "heartops.dev/v1alpha1",
        "kind": "HeartModel",
        "metadata": {"name": "large", "namespace": "bench"},
        "spec": {
            "dataset": {"uri": "pvc://data/cohort.parquet", "format": "parquet"},
            "target": {"name": "num", "positiveAbove": 0},
            "features": features,
            "training": {"scale": {"mode": "External"}, "algorithms": [algorithm], "tuning": {"trials": trials}},
        },
    }


def train(folder: Path, data: Path) -> dict[str, float]:
    started = time.monotonic()
    command = ["-m", "heart_trainer", "model.yaml", "--data", str(data), "--out", "out"]
    command += ["--tracking-uri", f"sqlite:///{folder}/mlflow.db"]
    subprocess.run([sys.executable, *command], check=True, cwd=folder, stdout=sys.stderr)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    metrics = json.loads((folder / "out/evaluation/evaluation.json").read_text())["metrics"]
    return {
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": round(used.ru_maxrss / 1024),
        "roc_auc": metrics["roc_auc"]["estimate"],
    }


if __name__ == "__main__":
    main()
