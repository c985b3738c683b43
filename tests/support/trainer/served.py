"""A HeartModel in YAML and a file, trained as a Job does and opened as a serving pod does; no registry between."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from heart_trainer.data.load import load
from heart_trainer.fit.nested_cv import fit
from heart_trainer.fit.onnx_export import attach_package
from heart_trainer.job_training import build_package
from heart_trainer.manifest import read_manifest
from heart_trainer.package.profile import build_profile
from heart_trainer.values import Fitted, Table
from tests.support.serving.app import in_process
from tests.support.serving.tiny_model import TinyModel

MANIFEST = """
apiVersion: heartops.dev/v1alpha1
kind: HeartModel
metadata: {{name: case}}
spec:
  dataset: {{uri: "pvc://data/file"{dataset}}}
  target: {target}
  features: {features}
  training: {training}
"""
QUICK = "{algorithms: [logistic-regression], tuning: {trials: 0}, holdout: 0.3}"
QUICK_REGRESSION = "{task: regression, algorithms: [ridge], tuning: {trials: 0}, holdout: 0.3}"


@dataclass(frozen=True)
class Trained:
    table: Table
    fitted: Fitted
    model: TinyModel

    def client(self, folder: Path, **settings: Any) -> httpx.AsyncClient:
        """Of the application with the trained model."""
        return in_process(self.model, folder, **settings).client


def trained(
    folder: Path, data: bytes, target: str, features: str, *, training: str = QUICK, dataset: str = ""
) -> Trained:
    """`target`, `features`, `training`, `dataset` (further fields): YAML in one line each.

    Raises BadManifest or TrainerError.
    """
    manifest, file = folder / "heartmodel.yaml", folder / "file"
    more = f", {dataset}" if dataset else ""
    manifest.write_text(MANIFEST.format(dataset=more, target=target, features=features, training=training))
    file.write_bytes(data)
    request = read_manifest(manifest, trigger="test")
    table = load(request, {"HEARTOPS_ROW_KEY": "test"}, data=file)
    fitted = fit(table, request, lambda _: None)
    package = build_package(request, table, fitted, {}, build_profile(table, request.features, fitted.oof))
    return Trained(table, fitted, TinyModel(attach_package(fitted.onnx, package), package))
