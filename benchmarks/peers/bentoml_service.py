"""A BentoML service with a scikit-learn pipeline, written as its documentation shows."""

import os

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Heart:
    def __init__(self) -> None:
        self._pipeline = joblib.load(os.environ["BENCH_PIPELINE"])

    @bentoml.api
    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self._pipeline.predict_proba(rows.astype(np.float32))
