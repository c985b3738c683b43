"""The families of models that are offered: one scikit-learn pipeline each, and the settings worth trying.

Every pipeline takes `Table.x` (float32, categories as indices, NaN for missing): impute → (scale) → one-hot → model.
Nothing is scaled before trees: their thresholds lose bits as float32, which costs .01 to .05 in probability (ONNX).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from heart_api.contract import Feature
from heart_api.training import LINEAR, Algorithm
from heart_trainer.data.rows import EqualRowsTogether
from heart_trainer.fit.boosted import BoostedClassifier, BoostedRegressor

Params = Mapping[str, Any]
Space = Callable[[Any], dict[str, Any]]
"""An Optuna trial → the settings to try."""

SIMPLEST_FIRST: tuple[Algorithm, ...] = (
    "logistic-regression",
    "ridge",
    "random-forest",
    "gradient-boosting",
    "xgboost",
    "stacking",
)
CLASSIFIERS: tuple[Algorithm, ...] = (
    "logistic-regression",
    "random-forest",
    "gradient-boosting",
    "xgboost",
    "stacking",
)
REGRESSORS: tuple[Algorithm, ...] = ("ridge", *CLASSIFIERS[1:])
ON_REQUEST = frozenset[Algorithm]({"xgboost"})
"""Tried only where `algorithms` names them: gradient-boosting finds the same, and a second search takes its time."""
STACK_FOLDS = 3


@dataclass(frozen=True)
class Setting:
    """What a model is built from besides its family and settings."""

    features: tuple[Feature, ...]
    regression: bool
    seed: int


def build(algorithm: Algorithm, params: Params, setting: Setting) -> Pipeline:
    """An unfitted pipeline; for stacking `params` maps each member to its own settings."""
    scale = algorithm in LINEAR
    steps = [("prepare", prepare(setting.features, scale)), ("model", _model(algorithm, params, setting))]
    return Pipeline(steps)


def defaults(algorithm: Algorithm) -> dict[str, Any]:
    """Settings that do well untuned; the search starts from them."""
    return dict(_DEFAULTS[algorithm])


def space(algorithm: Algorithm) -> Space | None:
    """What the search may try; None: nothing to tune (a stack takes the tuned settings of its members)."""
    return _SPACES.get(algorithm)


def by_default(regression: bool) -> tuple[Algorithm, ...]:
    """The algorithms that are tried where none is named."""
    return tuple(name for name in (REGRESSORS if regression else CLASSIFIERS) if name not in ON_REQUEST)


def members(regression: bool) -> tuple[Algorithm, ...]:
    """The algorithms that a stacking ensemble combines."""
    return by_default(regression)[:-1]


def prepare(features: Sequence[Feature], scale: bool) -> ColumnTransformer:
    """Impute and encode: medians for numbers, the most frequent value for booleans and categories (then one-hot)."""
    kinds = {
        "number": [i for i, f in enumerate(features) if f.type in ("number", "integer")],
        "boolean": [i for i, f in enumerate(features) if f.type == "boolean"],
        "category": [i for i, f in enumerate(features) if f.type == "category"],
    }
    steps = {
        "number": [("impute", _imputer("median")), *([("scale", StandardScaler())] if scale else [])],
        "boolean": [("impute", _imputer("most_frequent"))],
        "category": [("impute", _imputer("most_frequent")), ("encode", _one_hot(features))],
    }
    return ColumnTransformer([(kind, Pipeline(steps[kind]), columns) for kind, columns in kinds.items() if columns])


def _imputer(strategy: str) -> SimpleImputer:
    # A column without any value in a fold stays, as zeros: every fold has the same columns.
    return SimpleImputer(strategy=strategy, keep_empty_features=True)


def _one_hot(features: Sequence[Feature]) -> OneHotEncoder:
    # Categories come from the contract, not from the rows: a value that a fold lacks still has its column.
    categories = [np.arange(len(f.values or ()), dtype=np.float32) for f in features if f.type == "category"]
    return OneHotEncoder(categories=categories, handle_unknown="ignore", sparse_output=False)


def _model(algorithm: Algorithm, params: Params, setting: Setting) -> Any:
    if algorithm == "logistic-regression":
        return LogisticRegression(max_iter=2000, **params)
    if algorithm == "ridge":
        return Ridge(**params)
    if algorithm == "stacking":
        return _stack(params, setting)
    seeded = {**_FIXED[algorithm], **params, "random_state": setting.seed}
    if algorithm == "xgboost":
        return (BoostedRegressor if setting.regression else BoostedClassifier)(**seeded)
    if algorithm == "random-forest":
        return (RandomForestRegressor if setting.regression else RandomForestClassifier)(**seeded)
    return (HistGradientBoostingRegressor if setting.regression else HistGradientBoostingClassifier)(**seeded)


def _stack(params: Params, setting: Setting) -> Any:
    # Preparation stays outside (a prepared member does not convert to ONNX); the linear member scales its own input.
    chosen = [(name, _member(name, params.get(name, defaults(name)), setting)) for name in members(setting.regression)]
    folds = EqualRowsTogether(STACK_FOLDS, setting.seed, stratify=not setting.regression)
    if setting.regression:
        return StackingRegressor(chosen, final_estimator=Ridge(), cv=folds)
    final = LogisticRegression(max_iter=2000)
    return StackingClassifier(chosen, final_estimator=final, cv=folds, stack_method="predict_proba")


def _member(algorithm: Algorithm, params: Params, setting: Setting) -> Any:
    model = _model(algorithm, params, setting)
    if algorithm in ("logistic-regression", "ridge"):
        return Pipeline([("scale", StandardScaler()), ("model", model)])
    return model


# A leaf bound keeps the ONNX file small: fully grown trees on 20,000 rows make hundreds of megabytes.
# Early stopping would hold rows out by position, and equal rows on both sides of it.
_FIXED: dict[str, dict[str, Any]] = {
    "random-forest": {"n_estimators": 150, "max_leaf_nodes": 1024},
    "gradient-boosting": {"early_stopping": False, "max_bins": 255},
    "xgboost": {},
}

_DEFAULTS: dict[str, dict[str, Any]] = {
    "logistic-regression": {"C": 0.1},
    "ridge": {"alpha": 1.0},
    "random-forest": {"min_samples_leaf": 5, "max_features": "sqrt"},
    "gradient-boosting": {
        "learning_rate": 0.1,
        "max_iter": 100,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 20,
        "l2_regularization": 1e-3,
    },
    "xgboost": {
        "learning_rate": 0.1,
        "n_estimators": 100,
        "max_depth": 4,
        "min_child_weight": 5.0,
        "reg_lambda": 1.0,
    },
    "stacking": {},
}


def _forest(trial: Any) -> dict[str, Any]:
    return {
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 20, log=True),
        "max_features": trial.suggest_categorical("max_features", ["sqrt", 0.5, 1.0]),
    }


def _boosting(trial: Any) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "max_iter": trial.suggest_int("max_iter", 40, 400, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 3, 63, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 50, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 1e-3, 10.0, log=True),
    }


def _xgboost(trial: Any) -> dict[str, Any]:
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "n_estimators": trial.suggest_int("n_estimators", 40, 400, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 8),
        "min_child_weight": trial.suggest_float("min_child_weight", 1.0, 50.0, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 1e-3, 10.0, log=True),
    }


_SPACES: dict[str, Space] = {
    "logistic-regression": lambda trial: {"C": trial.suggest_float("C", 1e-3, 1e2, log=True)},
    "ridge": lambda trial: {"alpha": trial.suggest_float("alpha", 1e-3, 1e3, log=True)},
    "random-forest": _forest,
    "gradient-boosting": _boosting,
    "xgboost": _xgboost,
}
