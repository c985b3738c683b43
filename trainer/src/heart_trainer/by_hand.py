"""For notebooks: a model of your own as a version that HeartOps can serve.

    rows = read_rows("heartmodel.yaml", data="heart.csv")
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(rows.x, rows.y)
    package_and_register(model, rows, tracking_uri="http://localhost:5000")

The operator finds the new version and measures it in a Job of its own before anything is served (docs/registering.md).
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from heart_api.handover import Tag, TrainingRequest
from heart_api.package import ONNX_INPUT, ONNX_OUTPUT
from heart_trainer.conversion.convert import convert
from heart_trainer.data.load import load
from heart_trainer.errors import NotServable
from heart_trainer.evaluation.bootstrap import Sample
from heart_trainer.evaluation.evaluate import estimates
from heart_trainer.evaluation.findings import better_than_chance
from heart_trainer.manifest import read_manifest
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.registry import claim, create_version
from heart_trainer.mlflow.tracking import log_model
from heart_trainer.package.example import typical_record
from heart_trainer.package.from_outside import packaged
from heart_trainer.package.profile import feature_profiles
from heart_trainer.package.servable import answers, open_model
from heart_trainer.values import Table


@dataclass(frozen=True)
class Rows:
    """The rows of a HeartModel's dataset, checked and encoded as a training Job does it."""

    request: TrainingRequest
    table: Table

    @property
    def x(self) -> NDArray[Any]:
        """float32 [rows, features] in the contract's order: a category as its index, a missing value as NaN."""
        return self.table.x

    @property
    def y(self) -> NDArray[Any]:
        """[rows]: index of each row's class in the table's `classes`, or its value for a regression."""
        return self.table.y

    @property
    def classes(self) -> tuple[int | str, ...]:
        """What the class indices stand for, of two the positive one last; empty for regression."""
        return self.table.classes


def read_rows(manifest: str | Path, data: str | Path | None = None) -> Rows:
    """Rows that pass the contract in this HeartModel file; `data`: a local file in place of spec.dataset.uri.

    Raises BadManifest or TrainerError.
    """
    request = read_manifest(Path(manifest), trigger="by-hand")
    return Rows(request, load(request, os.environ, data=Path(data) if data else None))


def package_and_register(model: Any, rows: Rows, tracking_uri: str, algorithm: str = "by-hand") -> str:
    """Register a fitted model and return the version's number. Raises TrainerError before anything is registered.

    `model`: an estimator of scikit-learn, XGBoost, LightGBM or CatBoost that was fitted on `rows.x` and `rows.y` (or
    the names of the classes), or an ONNX file (ModelProto or bytes) with one input of float32 [rows, features], which
    gives the probability of each class of `rows.classes`, or the value.
    """
    request, table = rows.request, rows.table
    converted = convert(model, table, request.features, request.training.seed)
    data = _package(converted, request, table, algorithm)
    _check_answers(answers(open_model(data, advice=""), table), table)
    store = Store(tracking_uri)
    claim(store, request)
    owner = {Tag.MODEL: f"{request.namespace}/{request.name}"}
    with store.run(store.experiment(request.registry_name), "by-hand", owner) as run_id:
        model_id = log_model(store, run_id, data, table)
        return create_version(store, request.registry_name, run_id, model_id, tags=owner)


def _check_answers(output: NDArray[Any], table: Table) -> None:
    """Raises NotServable for a model that is certainly worse than chance on the rows that it was made from."""
    sample = Sample(table.task, table.y, output, table.groups)
    failed = [found for found in better_than_chance(estimates(sample, seed=0)) if found.verdict == "Failed"]
    if failed:
        raise NotServable(f"The model is not registered: {failed[0].message}")


def _package(converted: bytes, request: TrainingRequest, table: Table, algorithm: str) -> bytes:
    form = f"{ONNX_INPUT} (float32 [rows, {len(request.features)}]) in, {ONNX_OUTPUT} (float32) out"
    example = typical_record(request.features, feature_profiles(table, request.features))
    return packaged(converted, table, request, algorithm, f"The ONNX file cannot be run as {form}", example=example)
