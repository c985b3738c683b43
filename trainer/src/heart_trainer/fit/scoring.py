"""The metric that the search optimises, so that greater is always better."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from heart_api.evaluation import Task
from heart_trainer.errors import DataInvalid

Score = Callable[[NDArray[Any], NDArray[np.float64]], float]
"""(y [rows], output [rows, classes] or [rows, 1]) → score."""

DEFAULT: dict[Task, str] = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "rmse"}


def scorer(name: str | None, task: Task) -> tuple[str, Score]:
    """(metric, score); raises DataInvalid for a metric that the task does not have."""
    known = _REGRESSION if task == "regression" else _BINARY if task == "binary" else _MULTICLASS
    metric = name or DEFAULT[task]
    if metric not in known:
        raise DataInvalid(f"spec.training.scoring is {metric}; a {task} model has {', '.join(known)}.")
    return metric, known[metric]


def _brier(y: NDArray[Any], p: NDArray[np.float64]) -> float:
    return -float(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1).mean())


def _log_loss(y: NDArray[Any], p: NDArray[np.float64]) -> float:
    # Some families answer in float32, whose rows sum to one but for rounding: scikit-learn would warn of each.
    return -float(metrics.log_loss(y, p / p.sum(axis=1, keepdims=True), labels=range(p.shape[1])))


_BINARY: dict[str, Score] = {
    "roc_auc": lambda y, p: float(metrics.roc_auc_score(y, p[:, 1])),
    "pr_auc": lambda y, p: float(metrics.average_precision_score(y, p[:, 1])),
    "accuracy": lambda y, p: float(metrics.accuracy_score(y, p.argmax(axis=1))),
    "f1": lambda y, p: float(metrics.f1_score(y, p.argmax(axis=1), zero_division=0)),
    "brier": _brier,
    "log_loss": _log_loss,
}
_MULTICLASS: dict[str, Score] = {
    "roc_auc": lambda y, p: float(metrics.roc_auc_score(np.eye(p.shape[1])[y], p)),
    "pr_auc": lambda y, p: float(metrics.average_precision_score(np.eye(p.shape[1])[y], p)),
    "accuracy": lambda y, p: float(metrics.accuracy_score(y, p.argmax(axis=1))),
    "f1": lambda y, p: float(metrics.f1_score(y, p.argmax(axis=1), average="macro", zero_division=0)),
    "brier": _brier,
    "log_loss": _log_loss,
}
_REGRESSION: dict[str, Score] = {
    "rmse": lambda y, p: -float(metrics.root_mean_squared_error(y, p[:, 0])),
    "mae": lambda y, p: -float(metrics.mean_absolute_error(y, p[:, 0])),
    "r2": lambda y, p: float(metrics.r2_score(y, p[:, 0])),
}
