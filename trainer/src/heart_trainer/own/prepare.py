"""Rows for a trainer of one's own: checked, encoded, and without those that will judge it."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.handover import TrainingRequest
from heart_trainer.data.rows import held_out, worth_learning
from heart_trainer.fit.nested_cv import outer_folds
from heart_trainer.fit.onnx_export import random_rows
from heart_trainer.own.contract import FOLD, FOLDS, PROBES, ROWS, TASK, task_of
from heart_trainer.values import Integers, Table

LEARNT_PROBES = 500
"""Of the probes so many are rows to learn from, where there are so many; the others never were."""


def prepare(table: Table, request: TrainingRequest, folder: Path) -> None:
    """Writes TASK, ROWS and PROBES. Raises DataInvalid where `holdout` leaves too few rows on either side."""
    rows = learnt_rows(table, request)
    names = [feature.name for feature in request.features]
    frame = pd.DataFrame(table.x[rows], columns=names)
    frame[request.target.name] = table.y[rows]
    frame[FOLD] = inner_folds(table)[rows]
    frame.to_parquet(folder / ROWS, index=False)
    pd.DataFrame(probes(table, rows, request), columns=names).to_parquet(folder / PROBES, index=False)
    (folder / TASK).write_text(task_of(request, table, len(rows)).model_dump_json(by_alias=True, exclude_none=True))


def learnt_rows(table: Table, request: TrainingRequest) -> Integers:
    """Rows (indices) that the program gets, in an order that does not depend on the file's."""
    rows = worth_learning(table.x, table.y)
    return np.asarray(rows[outer_folds(table, rows, request.training) < 0])


def judged_rows(table: Table, request: TrainingRequest) -> NDArray[np.bool_]:
    """[rows]: those that it never gets."""
    return held_out(table.keys, table.groups, request.training.holdout)


def inner_folds(table: Table) -> Integers:
    """[rows] → a fold for the program's own search, by the keyed hash of the row; equal rows share one."""
    drawn = pd.Series([int(key[8:16], 16) % FOLDS for key in table.keys])
    return np.asarray(drawn.groupby(table.groups).transform("min"), dtype=np.int64)


def probes(table: Table, rows: Integers, request: TrainingRequest) -> NDArray[np.float32]:
    """What the program's own model and its ONNX file have to agree on; no row that judges is among them."""
    required = np.array([feature.required for feature in request.features])
    made_up = random_rows(table.x[rows], request.training.seed, required=required)
    return np.vstack([table.x[rows[:LEARNT_PROBES]], made_up])
