"""Fetching from a real MLflow server: its REST interface is what this product believes it to be."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from heart_operator.api.handover import Env
from heart_serving import fetch
from heart_serving.settings import Settings
from tests.support.serving import free_port
from tests.support.tiny_model import TinyModel, tiny_model

NAME = "clinic.heart"


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SQLite and a local artifact root, proxied, as the chart runs it."""
    folder = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += [
        "--backend-store-uri",
        f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "1"})
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    ends = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < ends:
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("MLflow did not start")


def register(uri: str, model: TinyModel) -> str:
    """As the trainer does; returns the version."""
    import mlflow

    mlflow.set_tracking_uri(uri)
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
