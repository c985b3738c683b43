"""Linear models: a feature contributes its coefficient times its distance from the background's mean."""

import numpy as np

from heart_api.explanation import Explanation
from heart_model.explain.encoding import Encoding, as_rows
from heart_model.explain.explained import Explained, Floats, Matrix


class LinearExplainer:
    """Exact: without interactions, a Shapley value is the difference that the feature makes by itself."""

    def __init__(self, explanation: Explanation, features: int) -> None:
        self._encode = Encoding(explanation)
        self._features = features
        self._coefficients: Floats = np.array(explanation.coefficients, np.float64).T
        self._mean = self._encode(as_rows(explanation.background)).mean(axis=0, dtype=np.float64)
        self._base: Floats = np.array(explanation.intercepts, np.float64) + self._mean @ self._coefficients

    def outputs(self, rows: Matrix) -> Floats:
        return self(rows).outputs

    def __call__(self, rows: Matrix) -> Explained:
        moved = (self._encode(rows) - self._mean)[:, :, None] * self._coefficients
        contributions = np.zeros((len(rows), self._features, len(self._base)))
        np.add.at(contributions.swapaxes(0, 1), self._encode.features, moved.swapaxes(0, 1))
        return Explained(self._base + contributions.sum(axis=1), self._base, contributions)
