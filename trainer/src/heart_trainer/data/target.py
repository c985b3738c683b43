"""The target column: which task it makes, and the number of each row's class."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.contract import MAX_CLASSES, Target
from heart_api.evaluation import Task
from heart_api.training import Training
from heart_trainer.data.classes import name_classes, threshold_names
from heart_trainer.data.columns import numbers
from heart_trainer.errors import DataInvalid
from heart_trainer.values import Integers

LEAST_ROWS = 30
LEAST_PER_CLASS = 10

Encoded = tuple[Task, NDArray[Any], tuple[int | str, ...]]


def encode_target(texts: pd.Series, target: Target, training: Training) -> Encoded:
    """Return task, y and classes from text without missing values. Raises DataInvalid."""
    if training.task == "regression":
        return _regression(texts, target)
    return _positive_above(texts, target) if target.positive_above is not None else _classes(texts, target)


def check_enough(y: NDArray[Any], groups: Integers, classes: tuple[int | str, ...], folds: int) -> None:
    """Raise DataInvalid if there are too few distinct rows, in all or of a class: nested folds need every class in each
    of them.
    """
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
    if target.labels or target.positive is not None or target.positive_above is not None:
        raise DataInvalid(
            "spec.target: labels, positive and positiveAbove are for classification; spec.training.task is regression."
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
    return "binary", y, threshold_names(target)


def _classes(texts: pd.Series, target: Target) -> Encoded:
    values = _values(texts, target)
    found, place = np.unique(values.to_numpy(), return_inverse=True)
    if not 2 <= len(found) <= MAX_CLASSES:
        raise DataInvalid(
            f"The target {target.name} has {len(found)} classes; classification takes 2 to {MAX_CLASSES}."
        )
    plain = tuple(_plain(value) for value in found)
    classes = name_classes(plain, target)
    index = np.array([classes.values.index(value) for value in plain], dtype=np.int64)
    return "binary" if len(found) == 2 else "multiclass", index[place], classes.names


def _values(texts: pd.Series, target: Target) -> pd.Series:
    """Whole numbers where every text is one, else the text."""
    values: pd.Series = numbers(texts)
    if values.isna().any():
        return texts
    if (values != values.round()).any() or values.nunique() > MAX_CLASSES:
        raise DataInvalid(
            f"The target {target.name} is a measured number, not a class: set spec.training.task to regression, "
            "or spec.target.positiveAbove."
        )
    return values.astype(np.int64)


def _plain(value: Any) -> int | str:
    return int(value) if isinstance(value, np.integer) else str(value)


def texts_of_classes(texts: pd.Series, target: Target, training: Training) -> dict[str, str]:
    """Return for each class, by name, the text that the target's column has for it; empty for a regression."""
    if training.task == "regression":
        return {}
    if target.positive_above is not None:
        sides = target.positive_above, target.positive_above + 1
        return {str(name): f"{side:.17g}" for name, side in zip(threshold_names(target), sides, strict=True)}
    classes = name_classes(tuple(_plain(value) for value in np.unique(_values(texts, target).to_numpy())), target)
    return {str(name): str(value) for name, value in zip(classes.names, classes.values, strict=True)}
