"""The metrics under a thousand row weightings at once: what the intervals rest on.

A resample is a weighting of the rows, so that a bootstrap is a few matrix products. Tests hold these figures to
scikit-learn's for rows that are repeated as often as they weigh.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from heart_api.evaluation import Task
from heart_trainer.evaluation.metrics import ECE_BINS, EDGE, THRESHOLD, Array, bins, log_odds, off_zero

Replicates = dict[str, Array]
"""Metric → [resamples]."""


def weighted(task: Task, y: NDArray[np.generic], output: Array, weights: Array) -> Replicates:
    """The metrics under each row weighting; `weights` [resamples, rows]. Undefined replicates are NaN."""
    compute: dict[Task, Callable[[NDArray[np.generic], Array, Array], Replicates]] = {
        "binary": _binary_weighted,
        "multiclass": _multiclass_weighted,
        "regression": _regression_weighted,
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        return compute[task](y, output, weights)


def _grouped(weights: Array, codes: NDArray[np.intp], groups: int, values: Array | None = None) -> Array:
    """[resamples, groups]: the sum of weight times value over the rows of each group."""
    cells = np.ones(len(codes)) if values is None else values
    return np.asarray(weights @ csr_matrix((cells, (np.arange(len(codes)), codes)), shape=(len(codes), groups)))


def _ranking(positive: NDArray[np.bool_], score: Array, weights: Array) -> tuple[Array, Array]:
    """Area under the ROC curve and average precision; rows of one score move together."""
    levels, codes = np.unique(-score, return_inverse=True)
    hit = _grouped(weights, codes, len(levels), positive.astype(np.float64))
    miss = _grouped(weights, codes, len(levels), (~positive).astype(np.float64))
    hits, misses = hit.cumsum(axis=1), miss.cumsum(axis=1)
    below = misses[:, -1:] - misses + miss / 2
    auc = (hit * below).sum(axis=1) / (hits[:, -1] * misses[:, -1])
    precision = np.divide(hits, hits + misses, out=np.zeros_like(hits), where=hits + misses > 0)
    return auc, (hit * precision).sum(axis=1) / hits[:, -1]


def _binary_weighted(y: NDArray[np.generic], output: Array, weights: Array) -> Replicates:
    return {**binary_rates(y, output, weights), "calibration_slope": _slope_weighted(y, output[:, 1], weights)}


def binary_rates(y: NDArray[np.generic], output: Array, weights: Array) -> Replicates:
    """All metrics of two classes but the calibration slope, which takes a fit."""
    p, positive = output[:, 1], np.asarray(y == 1)
    flagged, total = p >= THRESHOLD, weights.sum(axis=1)
    tp, fp = weights @ (flagged & positive), weights @ (flagged & ~positive)
    fn = weights @ positive - tp
    auc, average_precision = _ranking(positive, p, weights)
    surprise = -np.log(np.where(positive, np.clip(p, EDGE, 1 - EDGE), 1 - np.clip(p, EDGE, 1 - EDGE)))
    return {
        "roc_auc": auc,
        "pr_auc": average_precision,
        "accuracy": weights @ (flagged == positive) / total,
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "brier": weights @ (p - positive) ** 2 / total,
        "log_loss": weights @ surprise / total,
        "ece": _ece_weighted(p, positive, weights),
        "net_benefit": (tp - fp * THRESHOLD / (1 - THRESHOLD)) / total,
    }


def _ece_weighted(confidence: Array, correct: NDArray[np.bool_], weights: Array) -> Array:
    distance = _grouped(weights, bins(confidence), ECE_BINS, confidence - correct)
    return np.asarray(np.abs(distance).sum(axis=1) / weights.sum(axis=1))


def _slope_weighted(y: NDArray[np.generic], p: Array, weights: Array, steps: int = 5) -> Array:
    """A few Newton steps from the fit under the mean weights: enough for a bootstrap (Andrews 2002)."""
    x, positive = log_odds(p), np.asarray(y == 1, dtype=float)
    if len(np.unique(positive)) < 2:
        return np.full(len(weights), np.nan)
    start = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(x[:, None], y, sample_weight=weights.mean(axis=0))
    a, b = (np.full(len(weights), float(value)) for value in (start.intercept_[0], start.coef_[0, 0]))
    for _ in range(steps):
        fitted = expit(a[:, None] + b[:, None] * x)
        error, curve = weights * (positive - fitted), weights * fitted * (1 - fitted)
        g0, g1 = error.sum(axis=1), error @ x
        h0, h1, h2 = curve.sum(axis=1), curve @ x, curve @ x**2
        determinant = h0 * h2 - h1**2
        a, b = a + (h2 * g0 - h1 * g1) / determinant, b + (h0 * g1 - h1 * g0) / determinant
    return b


def _multiclass_weighted(y: NDArray[np.generic], output: Array, weights: Array) -> Replicates:
    p = output / output.sum(axis=1, keepdims=True)
    k, chosen, total = p.shape[1], p.argmax(axis=1), weights.sum(axis=1)
    truth = np.asarray(y, dtype=np.intp)
    actual, claimed = _grouped(weights, truth, k), _grouped(weights, chosen, k)
    right = _grouped(weights, truth, k, (chosen == truth).astype(np.float64))
    surprise = -np.log(off_zero(p)[np.arange(len(p)), truth])
    areas = [_ranking(truth == c, p[:, c], weights)[0] for c in range(k)]
    return {
        "roc_auc": np.mean(areas, axis=0),
        "accuracy": right.sum(axis=1) / total,
        "precision": _ratio(right, claimed).mean(axis=1),
        "recall": _ratio(right, actual).mean(axis=1),
        "f1": _ratio(2 * right, claimed + actual).mean(axis=1),
        "brier": weights @ ((p - np.eye(k)[truth]) ** 2).sum(axis=1) / total,
        "log_loss": weights @ surprise / total,
        "ece": _ece_weighted(p.max(axis=1), chosen == truth, weights),
    }


def _ratio(top: Array, bottom: Array) -> Array:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _regression_weighted(y: NDArray[np.generic], output: Array, weights: Array) -> Replicates:
    truth, total = np.asarray(y, dtype=float), weights.sum(axis=1)
    error = output[:, 0] - truth
    squares = weights @ error**2 / total
    mean = weights @ truth / total
    spread = weights @ truth**2 / total - mean**2
    return {"rmse": np.sqrt(squares), "mae": weights @ np.abs(error) / total, "r2": 1 - squares / spread}
