"""A trainer of one's own for HeartOps, in twenty lines (docs/own-trainer.md). Needs numpy and pyarrow alone.

    class Mine(Trainer):
        def fit(self, rows, task):
            return LGBMClassifier(**task.parameters).fit(rows.x, rows.y)

        def predict(self, model, x):
            return model.predict_proba(x)

        def to_onnx(self, model, task):
            return convert_lightgbm(model, …).SerializeToString()

    if __name__ == "__main__":
        Mine().run()

Copy this file into your image; it is one module, so that nothing else of HeartOps has to be there.
"""

import json
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CONTRACT = 1
FOLD = "heartops.fold"


@dataclass(frozen=True)
class Task:
    """What is asked for. `task`: binary, multiclass or regression. `features`: name, type, values and bounds of each.

    `classes`: what the numbers in the target stand for, of two the positive one last; empty for a regression.
    `parameters`: spec.training.parameters of the HeartModel. `seconds`: after so many the program is ended.
    """

    task: str
    features: tuple[dict[str, Any], ...]
    target: str
    classes: tuple[Any, ...]
    parameters: dict[str, Any]
    seed: int
    seconds: int

    @property
    def names(self) -> list[str]:
        return [feature["name"] for feature in self.features]

    @property
    def outputs(self) -> int:
        """Columns of a prediction."""
        return max(1, len(self.classes))


@dataclass(frozen=True)
class Rows:
    """`x`: float32 [rows, features] in the contract's order; a category is the index of its value, missing is NaN.

    `y`: index of the class, or the value. `fold`: a fold for your own search; equal rows share one.
    """

    x: Any
    y: Any
    fold: Any


class Trainer(ABC):
    """Three methods, and `run` does the rest. Equal rows and an equal seed should give an equal model."""

    @abstractmethod
    def fit(self, rows: Rows, task: Task) -> Any:
        """The fitted model."""

    @abstractmethod
    def predict(self, model: Any, x: Any) -> Any:
        """[rows, classes] probabilities (of two classes: both), or [rows, 1] values."""

    @abstractmethod
    def to_onnx(self, model: Any, task: Task) -> bytes:
        """The model as one ONNX file: a float32 input [rows, features], an output as `predict` gives it."""

    def run(self) -> None:
        """Read what HeartOps has prepared, fit, and write what it judges."""
        given, results = Path(os.environ["HEARTOPS_ROWS"]), Path(os.environ["HEARTOPS_RESULTS"])
        task = read_task(given)
        rows = read_rows(given, task)
        print(f"{len(rows.y)} rows, {len(task.features)} features, {task.task}", flush=True)
        model = self.fit(rows, task)
        answers = np.asarray(self.predict(model, read_probes(given, task)), dtype=np.float64)
        write_predictions(results, answers.reshape(len(answers), -1))
        (results / "model.onnx").write_bytes(self.to_onnx(model, task))


def read_task(folder: Path) -> Task:
    found = json.loads((folder / "task.json").read_text())
    if found["contract"] != CONTRACT:
        raise SystemExit(
            f"HeartOps speaks contract {found['contract']}, this module {CONTRACT}: take its newer version"
        )
    return Task(
        task=found["task"],
        features=tuple(found["features"]),
        target=found["target"],
        classes=tuple(found["classes"]),
        parameters=found["parameters"],
        seed=found["seed"],
        seconds=found["seconds"],
    )


def read_rows(folder: Path, task: Task) -> Rows:
    table = pq.read_table(folder / "rows.parquet")
    return Rows(matrix(table, task), table[task.target].to_numpy(), table[FOLD].to_numpy())


def read_probes(folder: Path, task: Task) -> Any:
    """Rows that the model's own predictions are asked for, to compare them with those of its ONNX file."""
    return matrix(pq.read_table(folder / "probes.parquet"), task)


def matrix(table: Any, task: Task) -> Any:
    return np.column_stack([table[name].to_numpy(zero_copy_only=False) for name in task.names]).astype(np.float32)


def write_predictions(folder: Path, answers: Any) -> None:
    columns = {f"output_{k}": answers[:, k] for k in range(answers.shape[1])}
    pq.write_table(pa.table(columns), folder / "predictions.parquet")
