"""KServe's own server with a scikit-learn pipeline, written as its documentation shows: predict on instances."""

import os
from typing import Any

import joblib
import numpy as np
from kserve import Model, ModelServer


class Pipeline(Model):
    def load(self) -> bool:
        self._pipeline = joblib.load(os.environ["BENCH_PIPELINE"])
        self.ready = True
        return True

    def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
        rows = np.array(payload["instances"], np.float32)
        return {"predictions": self._pipeline.predict_proba(rows).tolist()}


if __name__ == "__main__":
    model = Pipeline("heart")
    model.load()
    port = int(os.environ["BENCH_PORT"])
    ModelServer(http_port=port, enable_grpc=False, enable_latency_logging=False, workers=1).start([model])
