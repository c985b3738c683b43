"""Predictions of a fitted model in one form, whatever its family."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def predict(model: Any, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The model's outputs: probabilities [rows, classes], or values [rows, 1] for a regression."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(x), dtype=np.float64)
    return np.asarray(model.predict(x), dtype=np.float64).reshape(len(x), -1)
