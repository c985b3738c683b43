"""Point estimates by scikit-learn; the same figures under a thousand row weightings at once for the bootstrap.

`weighted` is what the intervals rest on: tests hold it to the point estimates for weights of one.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit, logit
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression

from heart_operator.api.handover import Task

Array = NDArray[np.float64]
Figures = dict[str, float]
Replicates = dict[str, Array]
"""Metric → [resamples]."""

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


def weighted(task: Task, y: NDArray[np.generic], output: Array, weights: Array) -> Replicates:
    """The metrics under each row weighting; `weights` [resamples, rows]. Undefined replicates are NaN."""
    compute: dict[Task, Callable[[NDArray[np.generic], Array, Array], Replicates]] = {
        "binary": _binary_weighted,
        "multiclass": _multiclass_weighted,
        "regression": _regression_weighted,
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        return compute[task](y, output, weights)


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
        "log_loss": sk.log_loss(y, _off_zero(p), labels=labels),
        "ece": expected_calibration_error(p.max(axis=1), chosen == y),
    }
    if len(np.unique(y)) == len(labels):
        figures["roc_auc"] = sk.roc_auc_score(y, p, multi_class="ovr", average="macro", labels=labels)
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
    distance = np.bincount(_bins(confidence), weights=confidence - correct, minlength=ECE_BINS)
    return float(np.abs(distance).sum() / len(confidence))


def wilson(share: Array | float, rows: NDArray[np.int64] | int) -> tuple[Array, Array]:
    """95 % interval of a share of `rows` rows (Wilson 1927)."""
    z2 = 1.959964**2
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = np.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2))) / (1 + z2 / rows)
    return np.minimum(centre - half, share), np.maximum(centre + half, share)


def calibration_slope(y: NDArray[np.generic], p: Array) -> float:
    """Slope of the outcome's log odds on the predicted log odds; below 1: too sure of itself (Cox 1958)."""
    model = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(_log_odds(p)[:, None], y)
    return float(model.coef_[0, 0])


def _log_odds(p: Array) -> Array:
    return np.asarray(logit(np.clip(p, EDGE, 1 - EDGE)))


def _off_zero(p: Array) -> Array:
    clipped = np.clip(p, EDGE, 1)
    return np.asarray(clipped / clipped.sum(axis=1, keepdims=True))


def _bins(confidence: Array) -> NDArray[np.intp]:
    return np.minimum((confidence * ECE_BINS).astype(np.intp), ECE_BINS - 1)


def _grouped(weights: Array, codes: NDArray[np.intp], groups: int, values: Array | None = None) -> Array:
    """[resamples, groups]: the sum of weight times value over the rows of each group."""
    cells = np.ones(len(codes)) if values is None else values
    return np.asarray(weights @ csr_matrix((cells, (np.arange(len(codes)), codes)), shape=(len(codes), groups)))


def _ranking(positive: NDArray[np.bool_], score: Array, weights: Array) -> tuple[Array, Array]:
    """Area under the ROC curve and average precision; rows of one score move together."""
    levels, codes = np.unique(-score, return_inverse=True)
    hit = _grouped(weights, codes, len(levels), positive.astype(float))
    miss = _grouped(weights, codes, len(levels), (~positive).astype(float))
    hits, misses = hit.cumsum(axis=1), miss.cumsum(axis=1)
    below = misses[:, -1:] - misses + miss / 2
    auc = (hit * below).sum(axis=1) / (hits[:, -1] * misses[:, -1])
    precision = np.divide(hits, hits + misses, out=np.zeros_like(hits), where=hits + misses > 0)
    return auc, (hit * precision).sum(axis=1) / hits[:, -1]


def _binary_weighted(y: NDArray[np.generic], output: Array, weights: Array) -> Replicates:
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
        "calibration_slope": _slope_weighted(y, p, weights),
        "net_benefit": (tp - fp * THRESHOLD / (1 - THRESHOLD)) / total,
    }


def _ece_weighted(confidence: Array, correct: NDArray[np.bool_], weights: Array) -> Array:
    distance = _grouped(weights, _bins(confidence), ECE_BINS, confidence - correct)
    return np.asarray(np.abs(distance).sum(axis=1) / weights.sum(axis=1))


def _slope_weighted(y: NDArray[np.generic], p: Array, weights: Array, steps: int = 5) -> Array:
    """A few Newton steps from the whole sample's fit: enough for a bootstrap (Andrews 2002)."""
    x, positive = _log_odds(p), np.asarray(y == 1, dtype=float)
    if len(np.unique(positive)) < 2:
        return np.full(len(weights), np.nan)
    start = LogisticRegression(C=np.inf, max_iter=1000, tol=1e-8).fit(x[:, None], y)
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
    right = _grouped(weights, truth, k, (chosen == truth).astype(float))
    surprise = -np.log(_off_zero(p)[np.arange(len(p)), truth])
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
