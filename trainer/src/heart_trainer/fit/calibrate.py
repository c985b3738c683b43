"""Calibration: a monotone map from a model's probabilities to truer ones, learnt on out-of-fold probabilities.

Both maps work on log-odds. Sigmoid: Platt (1999) as logistic recalibration, intercept and slope (Cox 1958). Isotonic:
Zadrozny and Elkan (2002), read off at fixed knots and joined by lines: scikit-learn's own steps can be so steep that a
float32 model lands on the other side of one (.09 in probability).
Several classes: one map for each class against the others, then normalised.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from heart_trainer.values import Floats, Integers

Method = Literal["none", "sigmoid", "isotonic"]
Matrix = NDArray[np.float64]

LEAST = 1e-4
"""Probabilities are kept this far from 0 and 1, where log-odds of float32 numbers are noise."""
CONFIDENT = 1.64
"""Standard errors by which a calibrated Brier score must win (paired, one-sided, 95%)."""
ISOTONIC_ROWS = 1000
KNOT_STEP = 0.25
KNOTS = np.arange(-9.25, 9.25, KNOT_STEP)
"""Left ends of the line pieces, in log-odds; they span the log-odds of LEAST and 1 - LEAST."""


@dataclass(frozen=True)
class SigmoidMap:
    slope: float
    intercept: float

    def __call__(self, log_odds: Matrix) -> Matrix:
        return np.asarray(1 / (1 + np.exp(-(self.slope * log_odds + self.intercept))))


@dataclass(frozen=True)
class IsotonicMap:
    start: float
    """Probability at the first knot."""
    slopes: tuple[float, ...]
    """Rise in probability per unit of log-odds, for each piece."""

    def __call__(self, log_odds: Matrix) -> Matrix:
        return np.asarray(self.start + np.clip(log_odds[:, None] - KNOTS, 0, KNOT_STEP) @ np.array(self.slopes))


Map = SigmoidMap | IsotonicMap


@dataclass(frozen=True)
class Calibrator:
    """One map (binary: for class 1) or one for each class."""

    method: Method
    maps: tuple[Map, ...]

    def __call__(self, probabilities: Floats) -> Matrix:
        """Calibrated probabilities [rows, classes] of uncalibrated ones; rows add up to 1."""
        scores = log_odds(probabilities)
        if len(self.maps) == 1:
            positive = self.maps[0](scores[:, 1])
            return np.column_stack([1 - positive, positive])
        mapped = np.column_stack([m(scores[:, k]) for k, m in enumerate(self.maps)])
        return np.asarray(mapped / mapped.sum(axis=1, keepdims=True))


class CalibratedModel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn classifier: a fitted pipeline whose probabilities go through a calibrator."""

    def __init__(self, pipeline: Pipeline, calibrator: Calibrator) -> None:
        self.pipeline, self.calibrator = pipeline, calibrator
        self.classes_ = pipeline.classes_

    def predict_proba(self, x: Floats) -> Matrix:
        return self.calibrator(self.pipeline.predict_proba(x))

    def predict(self, x: Floats) -> Integers:
        return np.asarray(self.classes_[self.predict_proba(x).argmax(axis=1)])


def log_odds(probabilities: Floats) -> Matrix:
    p = np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(p) - np.log(1 - p))


def methods(wanted: Literal["auto", "none", "sigmoid", "isotonic"], rows: int) -> tuple[Method, ...]:
    """What to choose from; isotonic needs rows, and below that sigmoid takes its place."""
    enough = rows >= ISOTONIC_ROWS
    if wanted == "auto":
        return ("none", "sigmoid", "isotonic") if enough else ("none", "sigmoid")
    if wanted == "isotonic" and not enough:
        return ("sigmoid",)
    return (wanted,)


def learn(method: Method, probabilities: Floats, y: Integers, weight: Matrix | None = None) -> Calibrator | None:
    """From out-of-fold probabilities [rows, classes] and classes [rows]; None for no calibration.

    `weight` [rows]: how many rows each one stands for.
    """
    if method == "none":
        return None
    classes = probabilities.shape[1]
    fit = _sigmoid if method == "sigmoid" else _isotonic
    scores = log_odds(probabilities)
    mapped = [1] if classes == 2 else range(classes)
    return Calibrator(method, tuple(fit(scores[:, k], y == k, weight) for k in mapped))


def choose(
    candidates: tuple[Method, ...], probabilities: Floats, y: Integers, fold: Integers, weight: Matrix | None = None
) -> Method:
    """The method whose cross-fitted Brier score beats the first one's by more than CONFIDENT standard errors."""
    rows = np.ones(len(y)) if weight is None else weight
    truth = np.eye(probabilities.shape[1])[y]
    losses = {
        method: ((_cross_fitted(method, probabilities, y, fold, weight) - truth) ** 2).sum(axis=1)
        for method in candidates
    }
    best = candidates[0]
    for method in candidates[1:]:
        gain = losses[best] - losses[method]
        mean = np.average(gain, weights=rows)
        if mean > CONFIDENT * np.sqrt(np.average((gain - mean) ** 2, weights=rows) / rows.sum()):
            best = method
    return best


def _cross_fitted(method: Method, probabilities: Floats, y: Integers, fold: Integers, weight: Matrix | None) -> Matrix:
    """Calibrated probabilities of each row by a map that did not see it."""
    result = np.array(probabilities, dtype=np.float64)
    for k in np.unique(fold):
        others = fold != k
        calibrator = learn(method, probabilities[others], y[others], None if weight is None else weight[others])
        if calibrator:
            result[fold == k] = calibrator(probabilities[fold == k])
    return result


def _sigmoid(scores: Matrix, positive: NDArray[np.bool_], weight: Matrix | None) -> SigmoidMap:
    model = LogisticRegression(C=100.0).fit(scores[:, None], positive, sample_weight=weight)
    return SigmoidMap(slope=float(model.coef_[0, 0]), intercept=float(model.intercept_[0]))


def _isotonic(scores: Matrix, positive: NDArray[np.bool_], weight: Matrix | None) -> IsotonicMap:
    isotonic = IsotonicRegression(y_min=LEAST, y_max=1 - LEAST, out_of_bounds="clip")
    model = isotonic.fit(scores, positive, sample_weight=weight)
    ends = model.predict(np.append(KNOTS, KNOTS[-1] + KNOT_STEP))
    return IsotonicMap(start=float(ends[0]), slopes=tuple(float(s) for s in np.diff(ends) / KNOT_STEP))
