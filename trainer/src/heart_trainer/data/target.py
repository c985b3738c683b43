"""The target column: which task it makes, and the number of each row's class."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import Target
from heart_api.evaluation import Task
from heart_api.training import Training
from heart_trainer.data.columns import numbers
from heart_trainer.errors import DataInvalid
from heart_trainer.values import Integers

MAX_CLASSES = 64
LEAST_ROWS = 30
LEAST_PER_CLASS = 10

Encoded = tuple[Task, NDArray[Any], tuple[int | str, ...]]


def encode_target(texts: pd.Series, target: Target, training: Training) -> Encoded:
    """(task, y, classes) from text without missing values. Raises DataInvalid."""
    if training.task == "regression":
        return _regression(texts, target)
    return _positive_above(texts, target) if target.positive_above is not None else _classes(texts, target)


def check_enough(y: NDArray[Any], groups: Integers, classes: tuple[int | str, ...], folds: int) -> None:
    """Distinct rows in all and for each class; nested folds need every class in each of them."""
    distinct = len(np.unique(groups))
    if distinct < max(LEAST_ROWS, 2 * folds):
        raise DataInvalid(f"The file has {distinct} distinct rows; training needs {max(LEAST_ROWS, 2 * folds)}.")
    needed = max(LEAST_PER_CLASS, 2 * folds)
    for index, name in enumerate(classes):
        count = len(np.unique(groups[y == index]))
        if count < needed:
            raise DataInvalid(
                f"Class {name} of the target has {count} distinct rows; {folds} folds need {needed}. "
                "Add rows, merge classes, or lower spec.training.crossValidation.folds."
            )


def _regression(texts: pd.Series, target: Target) -> Encoded:
    if target.labels or target.positive_above is not None:
        raise DataInvalid(
            "spec.target: labels and positiveAbove belong to classification; spec.training.task is regression."
        )
    values = numbers(texts)
    wrong = np.flatnonzero(values.isna())
    if len(wrong):
        rows = ", ".join(str(i + 1) for i in wrong[:10])
        raise DataInvalid(f"The target {target.name} is not a number in {len(wrong)} rows (first: {rows}).")
    if values.nunique() < 2:
        raise DataInvalid(f"The target {target.name} has the same value in every row: there is nothing to learn.")
    return "regression", values.to_numpy(np.float64), ()


def _positive_above(texts: pd.Series, target: Target) -> Encoded:
    y = (numbers(texts) > target.positive_above).to_numpy(np.int64)
    if len(np.unique(y)) < 2:
        side = "above" if y.all() else "at or below"
        raise DataInvalid(f"Every row's {target.name} is {side} spec.target.positiveAbove: there is nothing to learn.")
    return "binary", y, _named((0, 1), target)


def _classes(texts: pd.Series, target: Target) -> Encoded:
    values: pd.Series = numbers(texts)
    if values.notna().all():
        if (values != values.round()).any() or values.nunique() > MAX_CLASSES:
            raise DataInvalid(
                f"The target {target.name} is a measured number, not a class: set spec.training.task to regression, "
                "or spec.target.positiveAbove."
            )
        values = values.astype(np.int64)
    else:
        values = texts
    found, y = np.unique(values.to_numpy(), return_inverse=True)
    if not 2 <= len(found) <= MAX_CLASSES:
        raise DataInvalid(
            f"The target {target.name} has {len(found)} classes; classification takes 2 to {MAX_CLASSES}."
        )
    plain = tuple(int(v) if isinstance(v, np.integer) else str(v) for v in found)
    return "binary" if len(found) == 2 else "multiclass", y.astype(np.int64), _named(plain, target)


def _named(classes: tuple[int | str, ...], target: Target) -> tuple[int | str, ...]:
    if target.labels is None:
        return classes
    if len(target.labels) != len(classes):
        raise DataInvalid(
            f"spec.target.labels names {len(target.labels)} classes, the file has {len(classes)} in {target.name}."
        )
    return target.labels
