"""A small HeartModel, an MLflow store that is quickly there, and one process for each fit."""

from pathlib import Path

import pytest
import yaml


@pytest.fixture(autouse=True)
def one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests themselves already run on every core."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables take seconds to make: once, then copied."""
    from heart_trainer.mlflow.client import Store

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    Store(f"sqlite:///{path}").experiment("Default")
    return path


@pytest.fixture
def tracking_uri(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An SQLite store of its own; artifacts go below the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A HeartModel on the synthetic cohort that trains in seconds."""
    columns = {
        "age": {},
        "sex": {"type": "category", "values": [0, 1], "sensitive": True},
        "thalach": {},
        "oldpeak": {},
    }
    features = [{"name": name, "type": "number", "required": False, **more} for name, more in columns.items()]
    spec = {
        "dataset": {"uri": "builtin://heart-synthetic?rows=200&seed=3"},
        "target": {"name": "num", "positiveAbove": 0, "labels": ["no disease", "disease"]},
        "features": features,
        "training": {
            "algorithms": ["logistic-regression"],
            "tuning": {"trials": 0},
            "crossValidation": {"folds": 3},
            "calibration": "none",
        },
    }
    document = {
        "apiVersion": "heartops.dev/v1alpha1",
        "kind": "HeartModel",
        "metadata": {"name": "small", "namespace": "clinic"},
        "spec": spec,
    }
    path = tmp_path / "heartmodel.yaml"
    path.write_text(yaml.safe_dump(document))
    return path
