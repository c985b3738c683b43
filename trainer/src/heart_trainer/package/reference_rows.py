"""Rows for serving's self-check: built from each column on its own, so that no patient's row leaves in the artifact."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_api.package import ReferenceRows
from heart_trainer.fit.onnx_export import TOLERANCE, output_scale, run_onnx
from heart_trainer.values import Table

ROWS = 16
ACROSS_MACHINES = 3
"""Twice what the ONNX file may differ by from the estimator, since either machine may, and some more."""
QUANTILES = np.linspace(0.05, 0.95, ROWS)
FEW = 32
"""A column with at most so many different values is a code: its values are taken as they are."""


def reference_rows(converted: bytes, table: Table, features: Sequence[Feature] = ()) -> ReferenceRows:
    """16 rows and this very file's outputs: every column's range, every category, some values missing, one row all.

    What `features` require is never missing.
    """
    x = made_up_rows(table.x, np.array([feature.required for feature in features], dtype=bool))
    inputs = tuple(tuple(None if np.isnan(value) else float(value) for value in row) for row in x)
    answers = run_onnx(converted, x)
    outputs = tuple(tuple(float(value) for value in row) for row in answers)
    scale = output_scale(table) if table.task == "regression" else None
    return ReferenceRows(inputs=inputs, outputs=outputs, tolerance=ACROSS_MACHINES * TOLERANCE, scale=scale)


def made_up_rows(x: NDArray[np.float32], required: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """[rows, features] → [16, features]; each column is shuffled by itself. The last rows have missing values.

    `required` [features]: columns that are never missing.
    """
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.permutation(_spread(column)) for column in x.T]).astype(np.float32)
    missing = np.zeros(rows.shape, dtype=bool)
    missing[-4:-1] = rng.random((3, rows.shape[1])) < 0.3
    missing[-1] = True
    if required is not None and len(required):
        missing[:, required] = False
    rows[missing] = np.nan
    return rows


def _spread(column: NDArray[np.float32]) -> NDArray[np.float64]:
    known = column[~np.isnan(column)].astype(np.float64)
    if not len(known):
        return np.full(ROWS, np.nan)
    values = np.unique(known)
    if len(values) <= FEW:
        return np.asarray(values[np.linspace(0, len(values) - 1, ROWS).round().astype(int)])
    return np.asarray(np.quantile(known, QUANTILES))
