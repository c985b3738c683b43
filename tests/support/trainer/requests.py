"""Requests and tables for tests of the trainer."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import TrainingRequest
from heart_api.training import Training
from heart_trainer.data.load import load
from heart_trainer.data.rows import equal_rows, row_keys
from heart_trainer.values import Table


def number(name: str, **more: Any) -> Feature:
    return Feature(name=name, type="number", **more)


def category(name: str, *values: int | str, **more: Any) -> Feature:
    return Feature(name=name, type="category", values=values, **more)


HEART = (
    number("age", minimum=0, maximum=120, unit="years"),
    category("sex", 0, 1, sensitive=True),
    category("cp", 1, 2, 3, 4),
    number("trestbps", minimum=50, maximum=300),
    number("chol", minimum=50, maximum=700),
    Feature(name="fbs", type="boolean"),
    category("restecg", 0, 1, 2),
    number("thalach", minimum=40, maximum=250),
    Feature(name="exang", type="boolean"),
    number("oldpeak", minimum=0, maximum=10),
    category("slope", 1, 2, 3),
    Feature(name="ca", type="integer", minimum=0, maximum=3, required=False),
    category("thal", 3, 6, 7, required=False),
)

HEART_TARGET = Target(name="num", positive_above=0)


def heart_request(**training: Any) -> TrainingRequest:
    """For the UCI Cleveland file."""
    dataset = Dataset(
        uri="https://data.example.org/processed.cleveland.data",
        sha256="a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
        columns=(*(feature.name for feature in HEART), "num"),
        missing_values=("?",),
    )
    return request(HEART, HEART_TARGET, dataset, **training)


def synthetic_patients() -> Table:
    """The synthetic cohort: the Cleveland file's columns, in as many rows."""
    return load(request(HEART, HEART_TARGET, Dataset(uri="builtin://heart-synthetic")), {"HEARTOPS_ROW_KEY": "test"})


def request(
    features: tuple[Feature, ...],
    target: Target = Target(name="target"),  # noqa: B008  frozen
    dataset: Dataset = Dataset(uri="https://data.example.org/rows.csv"),  # noqa: B008  frozen
    **training: Any,
) -> TrainingRequest:
    return TrainingRequest(
        namespace="clinic",
        name="model",
        registry_name="clinic.model",
        trigger="test",
        dataset=dataset,
        features=features,
        target=target,
        training=Training.model_validate(training),
    )


MIXED = (
    number("a", required=False),
    number("b"),
    Feature(name="c", type="boolean", required=False),
    category("d", 1, 2, 7, required=False),
    category("e", "low", "high"),
)


def mixed_rows(rows: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Encoded rows of MIXED with missing values, and a score that depends on most columns."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(50, 10, rows), rng.normal(0, 0.1, rows)
    c, d, e = (rng.integers(0, top, rows) for top in (2, 3, 2))
    score = 0.1 * (a - 50) + 5 * b + c + (d == 1) * 2 - e + rng.logistic(0, 0.5, rows)
    x = np.column_stack([a, b, c, d, e]).astype(np.float32)
    x[rng.random(rows) < 0.1, 0] = np.nan
    x[rng.random(rows) < 0.1, 3] = np.nan
    return x, score


def noise(rows: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of MIXED and classes that have nothing to do with them."""
    x, _ = mixed_rows(rows, seed)
    return x, np.random.default_rng(seed + 1).integers(0, 2, rows)


def table(x: NDArray[np.float32], y: NDArray[Any], classes: int) -> Table:
    """`classes`: 0 for regression."""
    frame = pd.DataFrame(x)
    return Table(
        rows=frame,
        x=x,
        y=y,
        classes=tuple(range(classes)),
        keys=row_keys(frame.set_axis([f"f{i}" for i in frame], axis=1).assign(target=y), b"test"),
        groups=equal_rows(x),
        raw_sha256="sha256:" + "0" * 64,
        synthetic=False,
        task="multiclass" if classes > 2 else "binary" if classes else "regression",
        duplicates=0,
    )
