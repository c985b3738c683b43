"""Tables and predictions with known properties; no model is fitted for them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_trainer.values import Fitted, FoldChoice, OutOfFoldResult, Parity, Table

FEATURES = (
    Feature(name="age", type="number", minimum=0, maximum=120, unit="years", sensitive=True),
    Feature(name="sex", type="category", values=("female", "male"), sensitive=True, description="Recorded sex"),
    Feature(name="pain", type="boolean", required=False),
)


def make_table(y: NDArray[np.generic], classes: tuple[int | str, ...] = ("healthy", "ill"), seed: int = 0) -> Table:
    """Rows of FEATURES at random, with these outcomes; without classes a regression."""
    rng = np.random.default_rng(seed)
    rows = len(y)
    x = np.column_stack([rng.uniform(20, 90, rows), rng.integers(0, 2, rows), rng.integers(0, 2, rows)])
    x[:: max(rows // 7, 1), 2] = np.nan
    return Table(
        rows=pd.DataFrame(x, columns=[feature.name for feature in FEATURES]),
        x=x.astype(np.float32),
        y=y,
        classes=classes,
        keys=tuple(f"key-{seed}-{row}" for row in range(rows)),
        groups=np.arange(rows),
        raw_sha256="sha256:" + "d" * 64,
        synthetic=False,
        task="regression" if not classes else "binary" if len(classes) == 2 else "multiclass",
        duplicates=0,
    )


def outcomes() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """300 outcomes and probabilities that are right about them: logistic noise, AUC near 0.85."""
    rng = np.random.default_rng(1)
    score = rng.normal(0, 2, 300)
    p = 1 / (1 + np.exp(-score))
    return (rng.random(300) < p).astype(np.int64), np.column_stack([1 - p, p])


def make_oof(output: NDArray[np.float64], folds: int = 5) -> OutOfFoldResult:
    """These predictions, as if each fold had been left out in turn."""
    choice = FoldChoice("logistic-regression", {}, "none")
    return OutOfFoldResult(output, np.arange(len(output)) % folds, (choice,) * folds)


def make_fitted(output: NDArray[np.float64]) -> Fitted:
    """A model without a pipeline and without bytes, that has these predictions out of fold."""
    return Fitted("logistic-regression", {"C": 1.0}, "none", None, make_oof(output), b"", Parity(2e-7, 1e-5))
