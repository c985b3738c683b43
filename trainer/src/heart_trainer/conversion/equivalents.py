"""Models that skl2onnx converts wrongly or not at all, as models that give the same answers and convert well.

What comes of them is compared with the original, so that a mistake here ends as a refusal and never as a wrong answer.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder, MaxAbsScaler, StandardScaler


def equivalent(model: Any) -> Any:
    """A model with the same predictions that skl2onnx converts; `model` itself where none is needed."""
    if isinstance(model, Pipeline):
        *before, (name, last) = model.steps
        return Pipeline([*((step, _preparation(each)) for step, each in before), (name, equivalent(last))])
    if isinstance(model, FrozenEstimator):
        return equivalent(model.estimator)
    if isinstance(model, LinearDiscriminantAnalysis):
        return _logistic(model.classes_, model.coef_, model.intercept_)
    if isinstance(model, CalibratedClassifierCV):
        members = [_calibrated(model, one) for one in model.calibrated_classifiers_]
        return members[0] if len(members) == 1 else _vote(members, model.classes_)
    if isinstance(model, VotingClassifier) and model.voting == "soft":
        return _vote([equivalent(member) for member in model.estimators_], model.classes_, model._weights_not_none)
    return model


def without_target_scaling(model: Any) -> tuple[Any, Sequence[tuple[str, tuple[float, ...]]]]:
    """(the model inside a TransformedTargetRegressor, how its answers are scaled back), for a linear transformer."""
    before, last = (model.steps[:-1], model[-1]) if isinstance(model, Pipeline) else ([], model)
    if not isinstance(last, TransformedTargetRegressor):
        return model, ()
    points = np.array([[0.0], [1.0], [-3.0], [1e3]])
    found = np.asarray(last.transformer_.inverse_transform(points), np.float64).ravel()
    offset, scale = float(found[0]), float(found[1] - found[0])
    if not np.allclose(found, scale * points.ravel() + offset, rtol=1e-12):
        return model, ()
    inner = Pipeline([*before, ("model", last.regressor_)]) if before else last.regressor_
    return inner, (("Mul", (scale,)), ("Add", (offset,)))


def _preparation(step: Any) -> Any:
    """Scaling by the greatest value as a division, which lands on the same side of a tree's threshold."""
    if not isinstance(step, MaxAbsScaler) or getattr(step, "clip", False):
        return step
    scaler = StandardScaler(with_mean=False)
    scaler.scale_, scaler.var_, scaler.mean_ = step.scale_, step.scale_**2, None
    scaler.n_features_in_ = step.n_features_in_
    return scaler


def _calibrated(model: CalibratedClassifierCV, one: Any) -> Any:
    """One of its calibrated models, with calibration as part of the last step."""
    inner = one.estimator.estimator if isinstance(one.estimator, FrozenEstimator) else one.estimator
    before, last = (inner.steps[:-1], inner[-1]) if isinstance(inner, Pipeline) else ([], inner)
    linear = hasattr(last, "coef_") and not hasattr(last, "predict_proba")
    if linear and one.method == "sigmoid" and len(one.calibrators) == 1:
        calibrated = _sigmoid(last, one.calibrators[0])
    else:
        calibrated, single = copy.copy(model), copy.copy(one)
        single.estimator = last
        calibrated.calibrated_classifiers_ = [single]
        calibrated.estimator = last
    return Pipeline([*before, ("calibrated", calibrated)]) if before else calibrated


def _sigmoid(linear: Any, calibrator: Any) -> LogisticRegression:
    """Platt's sigmoid of a linear function of two classes is a logistic regression: 1 / (1 + exp(a f + b))."""
    coefficients = -calibrator.a_ * np.atleast_2d(linear.coef_)
    intercepts = -(calibrator.a_ * np.atleast_1d(linear.intercept_) + calibrator.b_)
    return _logistic(linear.classes_, coefficients, intercepts)


def _logistic(classes: NDArray[Any], coefficients: NDArray[Any], intercepts: NDArray[Any]) -> LogisticRegression:
    model = LogisticRegression()
    model.classes_, model.coef_, model.intercept_ = classes, coefficients, intercepts
    model.n_features_in_ = coefficients.shape[1]
    return model


def _vote(members: Sequence[Any], classes: NDArray[Any], weights: Sequence[float] | None = None) -> VotingClassifier:
    """A fitted classifier with the (weighted) mean of fitted members' probabilities; `classes` are common to all."""
    named = [(f"member_{index}", member) for index, member in enumerate(members)]
    shares = None if weights is None else np.asarray(weights, np.float64)
    vote = VotingClassifier(named, voting="soft", flatten_transform=False, weights=shares)
    vote.estimators_, vote.classes_ = list(members), classes
    vote.named_estimators_, vote.le_ = dict(named), LabelEncoder().fit(classes)
    return vote
