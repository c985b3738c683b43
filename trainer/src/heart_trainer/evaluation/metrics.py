"""The figures of one sample, by scikit-learn where it has them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from heart_api.evaluation import Task

Array = NDArray[np.float64]
Figures = dict[str, float]

THRESHOLD = 0.5
ECE_BINS = 10
EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1 where a logarithm is taken."""

NAMES: dict[Task, tuple[str, ...]] = {
    "binary": (
        *("roc_auc", "pr_auc", "accuracy", "precision", "recall", "f1"),
        *("brier", "log_loss", "ece", "calibration_slope", "net_benefit"),
    ),
    "multiclass": ("roc_auc", "accuracy", "precision", "recall", "f1", "brier", "log_loss", "ece"),
    "regression": ("rmse", "mae", "r2"),
}


def point(task: Task, y: NDArray[np.generic], output: Array) -> Figures:
    """The metrics of one sample; those that it does not define (one class alone, …) are left out.

    `y`: class indices or values, `output`: [rows, classes] probabilities or [rows, 1] values.
    """
    compute: dict[Task, Callable[[NDArray[np.generic], Array], Figures]] = {
        "binary": _binary_point,
        "multiclass": _multiclass_point,
        "regression": _regression_point,
    }
    if len(y) < 2 or (task != "regression" and len(np.unique(y)) < 2):
        return {} if task == "regression" or not len(y) else _one_class_point(task, y, output)
    found = compute[task](y, output)
    return {name: float(found[name]) for name in NAMES[task] if name in found and np.isfinite(found[name])}


def _one_class_point(task: Task, y: NDArray[np.generic], output: Array) -> Figures:
    """Of a sample with a single class only what is a mean over rows can be said."""
    if task == "multiclass":
        return {"accuracy": float(np.mean(output.argmax(axis=1) == y))}
    flagged = output[:, 1] >= THRESHOLD
    figures = {"accuracy": float(np.mean(flagged == y)), "brier": float(np.mean((output[:, 1] - (y == 1)) ** 2))}
    return figures | ({"recall": float(flagged.mean())} if np.all(y == 1) else {})


def _binary_point(y: NDArray[np.generic], output: Array) -> Figures:
    p = output[:, 1]
    flagged = (p >= THRESHOLD).astype(int)
    return {
        "roc_auc": sk.roc_auc_score(y, p),
        "pr_auc": sk.average_precision_score(y, p),
        "accuracy": sk.accuracy_score(y, flagged),
        "precision": sk.precision_score(y, flagged, zero_division=np.nan),
        "recall": sk.recall_score(y, flagged),
        "f1": sk.f1_score(y, flagged),
        "brier": sk.brier_score_loss(y, p),
        "log_loss": sk.log_loss(y, np.clip(p, EDGE, 1 - EDGE)),
        "ece": expected_calibration_error(p, y == 1),
        "calibration_slope": calibration_slope(y, p),
        "net_benefit": net_benefit(y, p, THRESHOLD),
    }


def _multiclass_point(y: NDArray[np.generic], output: Array) -> Figures:
    p = output / output.sum(axis=1, keepdims=True)
    chosen = p.argmax(axis=1)
    labels = np.arange(p.shape[1])
    figures = {
        "accuracy": sk.accuracy_score(y, chosen),
        "precision": sk.precision_score(y, chosen, average="macro", labels=labels, zero_division=0),
        "recall": sk.recall_score(y, chosen, average="macro", labels=labels, zero_division=0),
        "f1": sk.f1_score(y, chosen, average="macro", labels=labels, zero_division=0),
        "brier": sk.brier_score_loss(y, p, labels=labels),
        "log_loss": sk.log_loss(y, off_zero(p), labels=labels),
        "ece": expected_calibration_error(p.max(axis=1), chosen == y),
    }
    if len(np.unique(y)) == len(labels):
        figures["roc_auc"] = sk.roc_auc_score(y, p, multi_class="ovr")
    return figures


def _regression_point(y: NDArray[np.generic], output: Array) -> Figures:
    predicted = output[:, 0]
    figures = {"rmse": sk.root_mean_squared_error(y, predicted), "mae": sk.mean_absolute_error(y, predicted)}
    return figures | {"r2": sk.r2_score(y, predicted)}


def net_benefit(y: NDArray[np.generic], p: Array, threshold: float) -> float:
    """True positives less false positives at the threshold's odds, per row (Vickers and Elkin 2006)."""
    flagged = p >= threshold
    return float(np.mean(flagged & (y == 1)) - np.mean(flagged & (y == 0)) * threshold / (1 - threshold))


def expected_calibration_error(confidence: Array, correct: NDArray[np.bool_]) -> float:
    """Mean distance between stated and observed share over ten bins of equal width (Guo et al. 2017)."""
    distance = np.bincount(bins(confidence), weights=confidence - correct, minlength=ECE_BINS)
    return float(np.abs(distance).sum() / len(confidence))


def wilson(share: Array | float, rows: NDArray[np.int64] | int) -> tuple[Array, Array]:
    """95% interval of a share of `rows` rows (Wilson 1927)."""
    z2 = 1.959964**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = np.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2))) / (1 + z2 / rows)
    return np.minimum(centre - half, share), np.maximum(centre + half, share)


def calibration_slope(y: NDArray[np.generic], p: Array) -> float:
    """Slope of the outcome's log odds on the predicted log odds; below 1: too sure of itself (Cox 1958)."""
    model = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(log_odds(p)[:, None], y)
    return float(model.coef_[0, 0])


def log_odds(p: Array) -> Array:
    """Log odds of probabilities, which are kept EDGE away from 0 and 1."""
    return np.asarray(logit(np.clip(p, EDGE, 1 - EDGE)))


def off_zero(p: Array) -> Array:
    """[rows, classes] probabilities of which a logarithm can be taken; rows still add up to 1."""
    clipped = np.maximum(p, EDGE)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def bins(confidence: Array) -> NDArray[np.intp]:
    """The bin of equal width that each confidence falls into."""
    return np.minimum((confidence * ECE_BINS).astype(np.intp), ECE_BINS - 1)
