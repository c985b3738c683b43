"""Tables and predictions with known properties; no model is fitted for them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray

from heart_operator.api.contract import Feature
from heart_trainer.values import Fitted, FoldChoice, OutOfFoldResult, Table

FEATURES = (
    Feature(name="age", type="number", minimum=0, maximum=120, unit="years", sensitive=True),
    Feature(name="sex", type="category", values=("female", "male"), sensitive=True, description="Recorded sex"),
    Feature(name="pain", type="boolean", required=False),
)


@pytest.fixture
def features() -> tuple[Feature, ...]:
    return FEATURES


@pytest.fixture
def make_table() -> Callable[..., Table]:
    def make(y: NDArray[np.generic], classes: tuple[int | str, ...] = ("healthy", "ill"), seed: int = 0) -> Table:
        rng = np.random.default_rng(seed)
        rows = len(y)
        x = np.column_stack([rng.uniform(20, 90, rows), rng.integers(0, 2, rows), rng.integers(0, 2, rows)])
        x[:: max(rows // 7, 1), 2] = np.nan
        task = "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"
        return Table(
            rows=pd.DataFrame(x, columns=[feature.name for feature in FEATURES]),
            x=x.astype(np.float32),
            y=y,
            classes=classes,
            keys=tuple(f"key-{seed}-{row}" for row in range(rows)),
            groups=np.arange(rows),
            raw_sha256="sha256:" + "d" * 64,
            synthetic=False,
            task=task,
            duplicates=0,
        )

    return make


@pytest.fixture
def binary() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """300 outcomes and probabilities that are right about them: logistic noise, AUC near 0.85."""
    rng = np.random.default_rng(1)
    score = rng.normal(0, 2, 300)
    p = 1 / (1 + np.exp(-score))
    return (rng.random(300) < p).astype(np.int64), np.column_stack([1 - p, p])


def out_of_fold(output: NDArray[np.float64], folds: int = 5) -> OutOfFoldResult:
    choice = FoldChoice("logistic-regression", {}, "none")
    return OutOfFoldResult(output, np.arange(len(output)) % folds, (choice,) * folds)


@pytest.fixture
def make_oof() -> Callable[..., OutOfFoldResult]:
    return out_of_fold


@pytest.fixture
def make_fitted() -> Callable[..., Fitted]:
    def make(output: NDArray[np.float64]) -> Fitted:
        return Fitted("logistic-regression", {"C": 1.0}, "none", None, out_of_fold(output), b"", 2e-7)

    return make


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's tables take seconds to make: once, then copied."""
    from heart_trainer.mlflow_store import Store

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
