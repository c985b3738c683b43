"""Few rows of three features, of which none may be missing, and targets of every task."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_trainer.conversion.convert import convert
from heart_trainer.fit.onnx_export import run_onnx
from heart_trainer.values import Table
from tests.support.trainer.requests import number, table

FEATURES = tuple(number(name) for name in "abc")


@dataclass(frozen=True)
class Problem:
    table: Table
    features: tuple[Feature, ...] = FEATURES

    @property
    def x(self) -> NDArray[np.float32]:
        return self.table.x

    @property
    def names(self) -> NDArray[Any]:
        return np.array(self.table.classes)[self.table.y]

    def served(self, model: Any) -> NDArray[np.float32]:
        """What the converted model answers to the rows."""
        return run_onnx(convert(model, self.table, self.features, seed=0), self.x)


def made(task: str) -> Problem:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(50, 10, 150), rng.uniform(100, 400, 150), rng.integers(0, 5, 150)])
    score = (x[:, 0] - 50) / 10 + (x[:, 1] - 250) / 100 + rng.normal(0, 0.7, 150)
    classes: dict[str, tuple[str, ...]] = {
        "binary": ("no disease", "disease"),
        "multiclass": ("low", "middle", "high"),
        "regression": (),
    }
    y = {
        "binary": (score > 0).astype(np.int64),
        "multiclass": np.digitize(score, [-0.7, 0.7]),
        "regression": 1990 + 10 * score,
    }[task]
    rows = table(x.astype(np.float32), y, len(classes[task]))
    return Problem(Table(**{**vars(rows), "classes": classes[task]}))


@pytest.fixture(scope="session")
def binary() -> Problem:
    return made("binary")


@pytest.fixture(scope="session")
def multiclass() -> Problem:
    return made("multiclass")


@pytest.fixture(scope="session")
def regression() -> Problem:
    return made("regression")
