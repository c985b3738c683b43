"""Fetching from a real MLflow server: its REST interface is what this product believes it to be."""

from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from heart_api.handover import Env
from heart_serving import fetch
from heart_serving.settings import Settings
from tests.support.registry.mlflow import running_mlflow
from tests.support.serving.tiny_model import TinyModel, tiny_model

NAME = "clinic.heart"


@pytest.fixture
def mlflow_server(tmp_path: Path) -> Iterator[str]:
    """Its artifacts are proxied, as the chart runs it."""
    folder = tmp_path / "mlflow"
    folder.mkdir()
    with running_mlflow(folder) as uri:
        yield uri


def register(uri: str, model: TinyModel) -> str:
    """As the trainer does; returns the version."""
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)  # another test of this process may have named another one
    with mlflow.start_run():
        # With requirements given, MLflow does not find them out by running the model in processes of its own.
        options = {"name": "onnx", "registered_model_name": NAME, "pip_requirements": ["onnxruntime"]}
        logged = mlflow.onnx.log_model(onnx.load_from_string(model.data), **options)
    return str(logged.registered_model_version)


@pytest.mark.slow
def test_the_registered_file_arrives_byte_by_byte(mlflow_server: str, tmp_path: Path) -> None:
    model = tiny_model()
    version = register(mlflow_server, model)
    settings = Settings("heart", "clinic", version, model.sha256, tmp_path / "model.onnx")
    source = fetch.fetch(settings, {Env.TRACKING_URI: mlflow_server, Env.REGISTRY_NAME: NAME})
    assert source.startswith("MLflow at")
    assert settings.file.read_bytes() == model.data
