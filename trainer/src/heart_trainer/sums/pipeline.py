"""A fitted scikit-learn pipeline from summed figures: what families.build would be after a fit on all the rows."""

from collections.abc import Sequence

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from heart_api.contract import Feature
from heart_trainer.fit import families
from heart_trainer.fit.families import Setting
from heart_trainer.sums.describe import NUMBERS, Preparation
from heart_trainer.sums.linear import LinearModel


def fitted_pipeline(model: LinearModel, setting: Setting, penalty: float) -> Pipeline:
    """For a classifier with classes 0 and 1, or (with an offset) a regression; the offset is not part of it."""
    name, params = named(setting.regression, penalty)
    pipeline = families.build(name, params, setting)  # type: ignore[arg-type]
    pipeline.fit(_placeholder(setting.features), np.array([0, 1]))  # gives every attribute its shape
    _fill(pipeline["prepare"], model.preparation)
    estimator, coefficients = pipeline["model"], model.coefficients
    if setting.regression:
        estimator.coef_, estimator.intercept_ = coefficients[:-1], float(coefficients[-1])
    else:
        estimator.coef_, estimator.intercept_ = coefficients[None, :-1], coefficients[-1:]
    return pipeline


def fitted_preparation(preparation: Preparation, setting: Setting, scale: bool) -> ColumnTransformer:
    """The first step of a pipeline, as it would be after a fit on all the rows."""
    step = families.prepare(setting.features, scale)
    step.fit(_placeholder(setting.features))
    _fill(step, preparation)
    return step


def named(regression: bool, penalty: float) -> tuple[str, dict[str, float]]:
    """(family, its settings) for a penalty."""
    return ("ridge", {"alpha": penalty}) if regression else ("logistic-regression", {"C": 1 / penalty})


def _placeholder(features: Sequence[Feature]) -> np.ndarray:
    """Two rows that keep every contract: the values are replaced by what was learnt."""
    return np.array([np.zeros(len(features)), [1.0 if f.type in NUMBERS else 0.0 for f in features]], np.float32)


def _fill(step: ColumnTransformer, preparation: Preparation) -> None:
    for _, steps, columns in step.transformers_:
        if not isinstance(steps, Pipeline):
            continue
        steps["impute"].statistics_ = np.array(preparation.fills)[columns]
        if "scale" in steps.named_steps:
            scaler = steps["scale"]
            scaler.mean_, scaler.scale_ = np.array(preparation.mean)[columns], np.array(preparation.scale)[columns]
            scaler.var_ = scaler.scale_**2
