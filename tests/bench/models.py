"""The pipelines that every server opens: made by the trainer's own code, as ONNX for us and as joblib for the peers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib

from heart_operator.api.training import Algorithm
from heart_serving.contract import Contract
from heart_serving.schemas import example_record
from tests.support.tiny_model import TinyModel
from tests.support.trained_model import train_model
from tests.support.trainer import HEART

ROWS = 303
FOREST: dict[str, Any] = {"n_estimators": 200, "min_samples_leaf": 5}
MODELS: dict[str, tuple[str, Algorithm, dict[str, Any]]] = {
    "logistic": ("logistic regression", "logistic-regression", {}),
    "forest": ("forest of 200 trees", "random-forest", FOREST),
}


@dataclass(frozen=True)
class BenchModel:
    key: str
    title: str
    served: TinyModel
    onnx: Path
    pipeline: Path
    record: dict[str, Any]
    """As a client of ours sends it."""
    row: list[float]
    """The same, encoded: what the pipeline takes."""


def make_model(key: str, folder: Path) -> BenchModel:
    title, algorithm, params = MODELS[key]
    trained = train_model(HEART, "binary", algorithm, params, ROWS)
    place = folder / key
    place.mkdir()
    joblib.dump(trained.pipeline, place / "model.joblib")
    record = example_record(HEART)
    row = Contract.of(HEART, 1).rows([record])[0].tolist()
    return BenchModel(key, title, trained.served, trained.served.write(place), place / "model.joblib", record, row)
