"""A fitted scikit-learn estimator (or one with its interface): what it answers, and what it lacks to be served."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from heart_api.contract import Feature
from heart_trainer.errors import NotServable
from heart_trainer.values import Floats, Table


def unwrap(model: Any) -> Any:
    """The estimator that a search over settings has chosen, else the model itself."""
    return getattr(model, "best_estimator_", model)


def check_estimator(model: Any, table: Table, features: tuple[Feature, ...]) -> None:
    """Raises NotServable with what is missing and the next step."""
    name = type(model).__name__
    if isinstance(model, type):
        raise NotServable(f"{model.__name__} is a class: make a model of it, and call fit(rows.x, rows.y).")
    if not hasattr(model, "predict"):
        raise NotServable(
            f"A {name} is no model: pass a fitted scikit-learn estimator, or an ONNX file (ModelProto or bytes)."
        )
    try:
        check_is_fitted(model)
    except NotFittedError:
        raise NotServable(f"The {name} is not fitted: call fit(rows.x, rows.y) first.") from None
    except (TypeError, AttributeError):  # not of scikit-learn: predict will tell
        pass
    _check_task(model, name, table)
    width = getattr(model, "n_features_in_", len(features))
    if width != len(features):
        raise NotServable(f"The {name} was fitted on {width} columns; the contract has {len(features)} features.")
    _check_order(model, name, features)


def _check_order(model: Any, name: str, features: tuple[Feature, ...]) -> None:
    """A data frame's columns have names, and rows.x has the contract's order."""
    own = list(map(str, getattr(model, "feature_names_in_", ())))
    for wanted in ([feature.name for feature in features], [feature.file_column for feature in features]):
        if own != wanted and sorted(own) == sorted(wanted):
            raise NotServable(
                f"The {name} was fitted on the columns {', '.join(own)}, and the contract has them in the order"
                f" {', '.join(wanted)}. Fit it on rows.x, or on the columns in this order."
            )


def _check_task(model: Any, name: str, table: Table) -> None:
    classes = getattr(model, "classes_", None)
    classifies = hasattr(model, "predict_proba") or (classes is not None and len(classes) > 0)
    if classifies and table.task == "regression":
        raise NotServable(f"The {name} is a classifier; spec.training.task is regression.")
    if not classifies and table.task != "regression":
        raise NotServable(f"The {name} is no classifier; spec.training.task is classification.")
    if isinstance(model, FixedThresholdClassifier | TunedThresholdClassifierCV):
        raise NotServable(
            f"The {name} has a threshold of its own, and what is served decides at 0.5: register the model inside "
            "(model.estimator_)."
        )
    if classifies and not hasattr(model, "predict_proba"):
        raise NotServable(f"The {name} has no predict_proba, and what is served are probabilities. {_next_step(model)}")


def _next_step(model: Any) -> str:
    last = model[-1] if isinstance(model, Pipeline) else model
    if isinstance(last, VotingClassifier):
        return 'Give it voting="soft".'
    return (
        "Calibrate its last step: CalibratedClassifierCV(model, ensemble=False), from sklearn.calibration, and fit it "
        "on rows.x and rows.y."
    )


def outputs(model: Any, x: Floats, table: Table, features: tuple[Feature, ...]) -> NDArray[np.float64]:
    """[rows, classes] in the model's own order of classes, or [rows, 1]. Raises NotServable."""
    name = type(model).__name__
    try:
        raw = model.predict(x) if table.task == "regression" else model.predict_proba(x)
    except Exception as error:  # the model may be of any library
        raise NotServable(_why(name, error, x, features)) from error
    if isinstance(raw, list):
        raise NotServable(f"The {name} predicts several targets; spec.target is one column.")
    answers = np.asarray(raw, dtype=np.float64)
    answers = answers.reshape(len(x), -1) if answers.ndim < 3 else answers
    if table.task == "regression" and answers.shape != (len(x), 1):
        raise NotServable(f"The {name} predicts {answers.shape[1:]} values for each row; spec.target is one column.")
    return answers


def _why(name: str, error: Exception, x: Floats, features: tuple[Feature, ...]) -> str:
    optional = [feature.name for feature in features if not feature.required]
    if np.isnan(x).any() and any(word in str(error).lower() for word in ("nan", "missing", "finite")):
        return (
            f"The {name} does not take missing values, and {', '.join(optional[:10])} may be missing (required: "
            "false). Put an imputer before it, as in make_pipeline(SimpleImputer(), model), or require the features."
        )
    return f"The {name} cannot predict float32 rows as rows.x has them ({type(error).__name__}: {error})"[:1000]
