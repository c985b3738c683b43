"""Rows for serving's self-check: built from each column on its own, so that no patient's row leaves in the artifact."""

import numpy as np
from numpy.typing import NDArray

from heart_api.package import ReferenceRows
from heart_trainer.fit.onnx_export import TOLERANCE, output_scale, run_onnx
from heart_trainer.values import Table

ROWS = 16
QUANTILES = np.linspace(0.05, 0.95, ROWS)
FEW = 32
"""A column with at most so many different values is a code: its values are taken as they are."""


def reference_rows(converted: bytes, table: Table) -> ReferenceRows:
    """16 rows and this very file's outputs: every column's range, every category, some values missing, one row all."""
    x = made_up_rows(table.x)
    inputs = tuple(tuple(None if np.isnan(value) else float(value) for value in row) for row in x)
    outputs = tuple(tuple(float(value) for value in row) for row in run_onnx(converted, x))
    return ReferenceRows(inputs=inputs, outputs=outputs, tolerance=TOLERANCE * output_scale(table))


def made_up_rows(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """[rows, features] → [16, features]; each column is shuffled by itself. The last rows have missing values."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.permutation(_spread(column)) for column in x.T]).astype(np.float32)
    rows[-4:-1][rng.random((3, rows.shape[1])) < 0.3] = np.nan
    rows[-1] = np.nan
    return rows


def _spread(column: NDArray[np.float32]) -> NDArray[np.float64]:
    known = column[~np.isnan(column)].astype(np.float64)
    if not len(known):
        return np.full(ROWS, np.nan)
    values = np.unique(known)
    if len(values) <= FEW:
        return np.asarray(values[np.linspace(0, len(values) - 1, ROWS).round().astype(int)])
    return np.asarray(np.quantile(known, QUANTILES))
