"""Text to values: what a feature's type makes of a cell, and None for what is not of that type."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from heart_api.contract import Feature

GREATEST = float(np.finfo(np.float32).max)
_BOOLEANS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}


def numbers(texts: pd.Series) -> pd.Series:
    """float64; NaN where the text is missing or no number that a float32 can hold."""
    values = pd.to_numeric(texts, errors="coerce").astype(np.float64)
    return values.where(values.abs() <= GREATEST)


def whole(texts: pd.Series) -> pd.Series:
    values = numbers(texts)
    return values.where(values == values.round())


def booleans(texts: pd.Series) -> pd.Series:
    """0.0 or 1.0, from 0/1 (also `1.0`) and true/false."""
    spelt = texts.map(lambda text: _BOOLEANS.get(text.lower()), na_action="ignore").astype(np.float64)
    return spelt.fillna(numbers(texts).where(lambda value: value.isin([0.0, 1.0])))


def category_index(texts: pd.Series, values: tuple[int | str, ...]) -> pd.Series:
    """float64 index into `values`; an integer value is matched as a number, so that `1.0` and `01` are 1."""
    index = texts.map({value: float(i) for i, value in enumerate(values) if isinstance(value, str)})
    coded = numbers(texts).map({float(value): float(i) for i, value in enumerate(values) if isinstance(value, int)})
    return index.astype(np.float64).fillna(coded.astype(np.float64))


def encode(texts: pd.Series, feature: Feature) -> pd.Series:
    """A column as `Feature` says the model gets it, NaN where missing or not of its type."""
    if feature.type == "category":
        return category_index(texts, feature.values or ())
    simple: dict[str, Callable[[pd.Series], pd.Series]] = {"number": numbers, "integer": whole, "boolean": booleans}
    return simple[feature.type](texts)
