"""Small models of every family, made by the trainer's own code for any contract."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from heart_api.contract import Feature, Target
from heart_api.evaluation import Task
from heart_api.package import ServingPackage
from heart_api.training import Algorithm
from heart_trainer.fit import families
from heart_trainer.fit import search as tune
from heart_trainer.fit.families import Setting
from heart_trainer.fit.onnx_export import attach_package, export
from heart_trainer.fit.predict import predict
from heart_trainer.package.reference_rows import reference_rows
from tests.support.serving.tiny_model import TinyModel
from tests.support.trainer.requests import table

ROWS = 90
CLASSES: dict[Task, tuple[int | str, ...]] = {
    "binary": (0, 1),
    "multiclass": ("low", "middle", "high"),
    "regression": (),
}
SMALL: dict[Algorithm, dict[str, Any]] = {
    "random-forest": {"n_estimators": 10, "min_samples_leaf": 2},
    "gradient-boosting": {"max_iter": 10, "min_samples_leaf": 5},
    "xgboost": {"n_estimators": 10, "min_child_weight": 1.0},
}
OFFERED: list[tuple[Task, Algorithm]] = [
    (task, algorithm)
    for task in CLASSES
    for algorithm in (families.REGRESSORS if task == "regression" else families.CLASSIFIERS)
]


@dataclass(frozen=True)
class TrainedModel:
    """The pipeline, and what is served of it."""

    pipeline: Any
    served: TinyModel

    def scores(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Of encoded rows: [rows, classes] probabilities, or [rows, 1]."""
        with threadpool_limits(1):
            return predict(self.pipeline, x)


@cache
def trained_model(contract: tuple[Feature, ...], task: Task, algorithm: Algorithm) -> TrainedModel:
    """Raises ExportFailed as a training would, where a family cannot be converted exactly enough."""
    params = SMALL.get(algorithm, {}) if algorithm != "stacking" else SMALL
    return train_model(contract, task, algorithm, params, ROWS)


def train_model(
    contract: tuple[Feature, ...], task: Task, algorithm: Algorithm, params: dict[Any, Any], count: int
) -> TrainedModel:
    """The same with settings of one's own, on `count` rows."""
    x, y = made_up(contract, task, count)
    rows = table(x, y, len(CLASSES[task]))
    with threadpool_limits(1):  # as in a training; threads cost more than these few rows
        pipeline = tune.fit_one(algorithm, dict(params), Setting(contract, task == "regression", seed=0), x, y)
        converted, _ = export(pipeline, rows, seed=0)
    package = ServingPackage(
        registry_name="clinic.model",
        task=task,
        algorithm=algorithm,
        features=contract,
        target=Target(name="target"),
        classes=CLASSES[task],
        reference=reference_rows(converted, rows),
    )
    return TrainedModel(pipeline, TinyModel(attach_package(converted, package), package))


def made_up(contract: tuple[Feature, ...], task: Task, rows: int = ROWS) -> tuple[NDArray[np.float32], NDArray[Any]]:
    """Encoded rows that keep the contract, and a target that depends on every column."""
    rng = np.random.default_rng(len(contract))
    x = np.column_stack([column(feature, rows, rng) for feature in contract]).astype(np.float32)
    spread = np.nanstd(x, axis=0)
    score = np.nansum((x - np.nanmean(x, axis=0)) / np.where(spread > 0, spread, 1), axis=1) + rng.normal(0, 0.5, rows)
    if task == "regression":
        return x, score
    edges = np.quantile(score, [0.5] if task == "binary" else [1 / 3, 2 / 3])
    return x, np.searchsorted(edges, score)


def column(feature: Feature, rows: int, rng: np.random.Generator) -> NDArray[np.float64]:
    low = -1e6 if feature.minimum is None else feature.minimum
    high = 1e6 if feature.maximum is None else feature.maximum
    if feature.type == "number":
        values = rng.uniform(low, high, rows)
    else:
        top = {"boolean": 1, "category": len(feature.values or ()) - 1}.get(feature.type)
        values = rng.integers(int(low) if top is None else 0, int(high) if top is None else top, rows, endpoint=True)
    missing = (rng.random(rows) < 0.1) & (not feature.required)
    return np.where(missing, np.nan, values.astype(np.float64))
