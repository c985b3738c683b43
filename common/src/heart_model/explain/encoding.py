"""Records as the estimator gets them: missing values filled, a category as one column of 0 or 1 for each value."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heart_api.explanation import Explanation

Matrix = npt.NDArray[np.float32]


class Encoding:
    """`features` [columns]: the feature that each column belongs to."""

    def __init__(self, explanation: Explanation) -> None:
        self.features = np.array([column.feature for column in explanation.columns], np.int64)
        self._codes = np.array([as_float(column.code) for column in explanation.columns], np.float32)
        self._fills = np.array(explanation.fills, np.float32)

    def __call__(self, rows: Matrix) -> Matrix:
        """[rows, features] → [rows, columns]."""
        values = np.where(np.isnan(rows), self._fills, rows)[:, self.features]
        return np.where(np.isnan(self._codes), values, values == self._codes).astype(np.float32)


def as_rows(rows: Sequence[Sequence[float | None]]) -> Matrix:
    return np.array([[as_float(value) for value in row] for row in rows], np.float32)


def as_float(value: float | None) -> float:
    return np.nan if value is None else float(value)
