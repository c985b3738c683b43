"""What serving needs to explain this model's predictions, taken from the fitted pipeline and the training rows.

linear: coefficients, with the scaling folded in. tree: the trees stand in the ONNX file, only the meaning of their
columns is added. Everything else (calibrated, stacked) is asked for its outputs as it is: kernel.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline

from heart_api.contract import Feature
from heart_api.evaluation import Task
from heart_api.explanation import EncodedColumn, Explanation, Unit
from heart_trainer.fit.boosted import Boosted
from heart_trainer.fit.boosted_graph import nodes_of
from heart_trainer.fit.calibrate import CalibratedModel
from heart_trainer.fit.offset import ShiftedModel
from heart_trainer.package.background import background_rows
from heart_trainer.values import Table

Vector = NDArray[np.float64]
LINEAR = (LogisticRegression, Ridge)
FORESTS = (RandomForestClassifier, RandomForestRegressor)
BOOSTED = (HistGradientBoostingClassifier, HistGradientBoostingRegressor, Boosted)
MARGINS: dict[Task, Unit] = {"binary": "log-odds", "multiclass": "logit", "regression": "target"}
OUTPUTS: dict[Task, Unit] = {"binary": "probability", "multiclass": "probability", "regression": "target"}


def build_explanation(model: Any, table: Table, features: Sequence[Feature]) -> Explanation:
    """For a fitted pipeline of families.py, or a CalibratedModel or ShiftedModel of one."""
    pipeline = model.pipeline if isinstance(model, CalibratedModel | ShiftedModel) else model
    offset = model.offset if isinstance(model, ShiftedModel) else 0.0
    estimator, columns = pipeline[-1], encoded_columns(pipeline, features)
    if isinstance(model, CalibratedModel) or not isinstance(estimator, LINEAR + FORESTS + BOOSTED):
        return by_answers(table, _unused(estimator, columns, features))
    units = OUTPUTS if isinstance(estimator, FORESTS) else MARGINS
    exact = Explanation(
        method="linear" if isinstance(estimator, LINEAR) else "tree",
        unit=units[table.task],
        background=background_rows(table.x),
        fills=_fills(pipeline, features),
        columns=columns,
    )
    if isinstance(estimator, LINEAR):
        return exact.model_copy(update=_unscaled(pipeline, offset))
    # In float32 the offset is part of the trees' own base value.
    apart = isinstance(model, ShiftedModel) and model.double
    return exact.model_copy(update={"intercepts": (offset,)}) if apart else exact


def by_answers(table: Table, unused: tuple[str, ...] = ()) -> Explanation:
    """For any model of these rows; nothing is known of what happens inside."""
    return Explanation(method="kernel", unit=OUTPUTS[table.task], background=background_rows(table.x), unused=unused)


def encoded_columns(pipeline: Pipeline, features: Sequence[Feature]) -> tuple[EncodedColumn, ...]:
    """What each column that the estimator gets stands for, in its order."""
    return tuple(
        EncodedColumn(feature=index, code=code)
        for kind, _, indices in _prepared(pipeline)
        for index in indices
        for code in (range(len(features[index].values or ())) if kind == "category" else [None])
    )


def _prepared(pipeline: Pipeline) -> Iterator[tuple[str, Pipeline, list[int]]]:
    """(kind, its steps, the features of that kind), in the order of their columns."""
    for kind, steps, indices in pipeline[0].transformers_:
        if isinstance(steps, Pipeline):
            yield kind, steps, list(indices)


def _fills(pipeline: Pipeline, features: Sequence[Feature]) -> tuple[float, ...]:
    fills = np.zeros(len(features))
    for _, steps, indices in _prepared(pipeline):
        fills[indices] = steps["impute"].statistics_
    return tuple(map(float, fills))


def _unscaled(pipeline: Pipeline, offset: float) -> dict[str, Any]:
    """Coefficients and intercepts for columns as they are before scaling; `offset` is added to every answer."""
    estimator = pipeline[-1]
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    mean, scale = _scaling(pipeline, coefficients.shape[1])
    coefficients = coefficients / scale
    intercepts = np.atleast_1d(estimator.intercept_) - coefficients @ mean + offset
    return {"coefficients": tuple(map(tuple, coefficients.tolist())), "intercepts": tuple(intercepts.tolist())}


def _scaling(pipeline: Pipeline, columns: int) -> tuple[Vector, Vector]:
    mean, scale = np.zeros(columns), np.ones(columns)
    place = pipeline[0].output_indices_
    for kind, steps, _ in _prepared(pipeline):
        if "scale" in steps.named_steps:
            mean[place[kind]], scale[place[kind]] = steps["scale"].mean_, steps["scale"].scale_
    return mean, scale


def _unused(estimator: Any, columns: tuple[EncodedColumn, ...], features: Sequence[Feature]) -> tuple[str, ...]:
    """Features that no part of the model reads: sampled contributions would give them a little of the noise."""
    used = {columns[place].feature for place in np.flatnonzero(_columns_read(estimator, len(columns)))}
    return tuple(feature.name for index, feature in enumerate(features) if index not in used)


def _columns_read(estimator: Any, columns: int) -> NDArray[np.bool_]:
    if isinstance(estimator, StackingClassifier | StackingRegressor):
        read = [_columns_read(member, columns) for member in estimator.estimators_]
        return np.asarray(np.any(read, axis=0))
    if isinstance(estimator, Pipeline):  # a member that scales its own input
        return _columns_read(estimator[-1], columns)
    if isinstance(estimator, LINEAR):
        return np.asarray(np.any(np.atleast_2d(estimator.coef_) != 0, axis=0))
    split = np.zeros(columns, dtype=bool)
    split[np.concatenate(list(_split_columns(estimator)))] = True
    return split


def _split_columns(estimator: Any) -> Iterator[NDArray[np.int64]]:
    """For each tree of a forest or boosting ensemble the feature index of each of its splits."""
    if isinstance(estimator, FORESTS):
        yield from (tree.tree_.feature[tree.tree_.feature >= 0] for tree in estimator.estimators_)
    elif isinstance(estimator, Boosted):
        nodes = nodes_of(estimator)
        yield nodes.column[~nodes.leaf]
    else:
        for trees in estimator._predictors:
            yield from (tree.nodes["feature_idx"][tree.nodes["is_leaf"] == 0].astype(np.int64) for tree in trees)
