"""What a trainer of one's own is given and what it returns: files in two folders. Version 1.

| folder | file | content |
|---|---|---|
| rows | `task.json` | `Task`: what is asked for |
| rows | `rows.parquet` | rows to learn from: a float32 column for each feature, the target, and `heartops.fold` |
| rows | `probes.parquet` | rows without a target, some of which never were |
| results | `model.onnx` | float32 [rows, features] in; out: probabilities [rows, classes], or values [rows, 1] |
| results | `predictions.parquet` | what the program's own model answers to the probes, in the model's columns |
| results | `report.json` | written by the launcher: how the program ended |
"""

from typing import Any, Literal

from pydantic import Field

from heart_api.base import Frozen, FrozenLenient
from heart_api.contract import Feature
from heart_api.handover import TrainingRequest
from heart_api.owntrainer import program_seconds
from heart_trainer.values import Table

VERSION = 1
TASK, ROWS, PROBES = "task.json", "rows.parquet", "probes.parquet"
MODEL, PREDICTIONS = "model.onnx", "predictions.parquet"
FOLD = "heartops.fold"
"""No feature's name has a dot."""
FOLDS = 5


class OwnTask(Frozen):
    """`task.json`. `classes`: what the target's numbers stand for, of two the positive one last."""

    contract: int = VERSION
    task: Literal["binary", "multiclass", "regression"]
    features: tuple[Feature, ...]
    target: str
    classes: tuple[int | str, ...]
    parameters: dict[str, Any]
    seed: int
    rows: int
    dataset_sha256: str
    seconds: int = Field(description="After so many the program is ended.")


class Report(FrozenLenient):
    """`report.json`. The program could have written it itself: it is shown to people, and nothing else follows."""

    exit_code: int
    timed_out: bool = False
    last_lines: str = ""
    seconds: float = 0


def task_of(request: TrainingRequest, table: Table, learnt: int) -> OwnTask:
    """`learnt`: how many rows the program gets."""
    return OwnTask(
        task=table.task,
        features=request.features,
        target=request.target.name,
        classes=table.classes,
        parameters=request.training.parameters or {},
        seed=request.training.seed,
        rows=learnt,
        dataset_sha256=table.raw_sha256,
        seconds=program_seconds(request.training.timeout_seconds),
    )
