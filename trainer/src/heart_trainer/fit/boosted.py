"""Gradient boosting by XGBoost as scikit-learn estimators: the same trees whether rows come from memory or from disk.

XGBoost is imported where it is used: families that do not need it must not pay for it. The sum of the trees begins at
a margin that is computed here, so that the ONNX form adds up the same numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from heart_trainer.values import Floats

MAX_BIN = 256
EXTREME = 1e-6
"""A share of class 1 is kept this far from 0 and 1."""


class Boosted(BaseEstimator):  # type: ignore[misc]
    """What both tasks share. `booster_`: a fitted xgboost.Booster, `margin_`: where the sum of its trees begins."""

    booster_: Any
    margin_: float
    outputs_: int
    """Numbers that the trees add up to for a row."""

    def __init__(
        self,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        max_depth: int = 4,
        min_child_weight: float = 5.0,
        reg_lambda: float = 1.0,
        random_state: int = 0,
    ) -> None:
        self.n_estimators, self.learning_rate, self.max_depth = n_estimators, learning_rate, max_depth
        self.min_child_weight, self.reg_lambda, self.random_state = min_child_weight, reg_lambda, random_state

    def settings(self) -> dict[str, Any]:
        """Parameters of xgboost.train. One thread: the order of sums, and so the last bits, depend on their number."""
        return {
            "tree_method": "hist",
            "max_bin": MAX_BIN,
            "nthread": 1,
            "verbosity": 0,
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.reg_lambda,
            "seed": self.random_state,
        }

    def fitted(self, booster: Any, margin: float, outputs: int) -> Any:
        """This estimator with the trees of a booster that was trained elsewhere."""
        self.booster_, self.margin_, self.outputs_ = booster, margin, outputs
        return self

    def margins(self, x: Floats) -> NDArray[np.float32]:
        """[rows, outputs]: what the trees add up to."""
        rows = np.ascontiguousarray(x, np.float32)
        found = self.booster_.inplace_predict(rows, predict_type="margin", validate_features=False)
        return np.asarray(found, np.float32).reshape(len(rows), self.outputs_)

    def _train(self, x: Floats, y: NDArray[Any], objective: Mapping[str, Any]) -> Any:
        import xgboost  # noqa: PLC0415  see above

        matrix = xgboost.QuantileDMatrix(np.ascontiguousarray(x, np.float32), y, max_bin=MAX_BIN, nthread=1)
        return xgboost.train({**self.settings(), **objective}, matrix, self.n_estimators)


class BoostedClassifier(ClassifierMixin, Boosted):  # type: ignore[misc]
    """Two classes or more. `decision_function`: log-odds of the second class, or one logit for each class."""

    def fit(self, x: Floats, y: NDArray[Any]) -> "BoostedClassifier":
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) == 2:
            share = float(codes.mean())
            booster = self._train(x, codes, binary_objective(share))
            return self.fitted(booster, margin_of(share), 1)  # type: ignore[no-any-return]
        several = {"objective": "multi:softprob", "num_class": len(self.classes_), "base_score": 0.0}
        return self.fitted(self._train(x, codes, several), 0.0, len(self.classes_))  # type: ignore[no-any-return]

    def decision_function(self, x: Floats) -> NDArray[np.float32]:
        margins = self.margins(x)
        return margins[:, 0] if self.outputs_ == 1 else margins

    def predict_proba(self, x: Floats) -> NDArray[np.float64]:
        margins = self.margins(x).astype(np.float64)
        if self.outputs_ > 1:
            return np.asarray(softmax(margins, axis=1))
        return np.asarray(expit(np.hstack([-margins, margins])))

    def predict(self, x: Floats) -> NDArray[Any]:
        return np.asarray(self.classes_[self.predict_proba(x).argmax(axis=1)])


class BoostedRegressor(RegressorMixin, Boosted):  # type: ignore[misc]
    """Of a target whose mean was subtracted (fit.offset): the sum begins at 0."""

    def fit(self, x: Floats, y: NDArray[Any]) -> "BoostedRegressor":
        return self.fitted(self._train(x, y, regression_objective()), 0.0, 1)  # type: ignore[no-any-return]

    def predict(self, x: Floats) -> NDArray[np.float32]:
        return self.margins(x)[:, 0]


def binary_objective(share: float) -> dict[str, Any]:
    """`share`: of class 1 among the rows."""
    return {"objective": "binary:logistic", "base_score": _inside(share)}


def regression_objective() -> dict[str, Any]:
    return {"objective": "reg:squarederror", "base_score": 0.0}


def margin_of(share: float) -> float:
    """Where the sum of a binary classifier's trees begins: the log-odds of `share`, as XGBoost has them (float32)."""
    inside = np.float32(_inside(share))
    return float(-np.log(np.float32(1) / inside - np.float32(1)))


def _inside(share: float) -> float:
    return float(np.float32(min(max(share, EXTREME), 1 - EXTREME)))
