"""Cells to the numbers that a model gets, each read and checked once against its feature."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from heart_api.contract import Feature, at_precision
from heart_trainer.data.columns import Column
from heart_trainer.values import Integers

_BOOLEANS = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
_YES_NO = ({"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"}, {"ja", "nein"})
SHOWN_VALUES = 20


@dataclass(frozen=True)
class Fault:
    """Cells of one column that break the contract in one way. `rows`: positions from 0."""

    column: str
    rows: Integers
    what: str


@dataclass(frozen=True)
class Cells:
    """`values`: float64 as `Feature` says, NaN where missing. `unused`: declared missing values that do not occur."""

    values: "pd.Series[float]"
    faults: tuple[Fault, ...]
    unused: frozenset[str]
    hint: str = ""


def read_cells(column: Column, feature: Feature, missing_values: Iterable[str]) -> Cells:
    """Return a column's cells as numbers, with what is wrong with it.

    Faults name rows and bounds, never values.
    """
    missing, unused = find_missing(column, missing_values, own=feature.values or ())
    values = encode(column, feature).mask(missing)
    wrong = values.isna() & ~missing
    faults = [_fault(feature, wrong, _wrong_type(feature)), *_beyond(column, values, feature)]
    if feature.required:
        faults.append(_fault(feature, missing, "is missing"))
    kept = tuple(fault for fault in faults if len(fault.rows))
    hint = _yes_no(column, feature, missing) or _decimal_comma(column, feature, wrong) if wrong.any() else ""
    return Cells(values, kept, unused, hint)


def find_missing(
    column: Column, missing_values: Iterable[str], own: Iterable[int | str] = ()
) -> tuple["pd.Series[bool]", frozenset[str]]:
    """(where the column has no value, declared values that do not occur).

    `own`: values that the feature takes; one that is text is not taken for a missing number.
    """
    missing = column.values.isna()
    if column.is_text:
        missing = missing | (column.values == "")
    words = [value for value in own if isinstance(value, str)]
    unused = set()
    for spelling in missing_values:
        found = column.equals(spelling)
        if words:
            found &= ~column.values.isin(set(words) - {spelling})
        if not found.any():
            unused.add(spelling)
        missing = missing | found
    return missing, frozenset(unused)


def encode(column: Column, feature: Feature) -> "pd.Series[float]":
    """Return a column as the model gets it (float64, see `Feature`); NaN where a cell is missing or not of the type."""
    if feature.type == "category":
        return category_index(column, feature.values or ())
    numbers = column.numbers
    if feature.type == "integer":
        return numbers.where(numbers == numbers.round())
    return _booleans(column) if feature.type == "boolean" else numbers


def category_index(column: Column, values: tuple[int | str, ...]) -> "pd.Series[float]":
    """Return the index of each cell in `values` (float64, NaN for none). An integer value is matched as a number, so
    that `1.0` and `01` are 1.
    """
    codes = {float(value): float(index) for index, value in enumerate(values) if isinstance(value, int)}
    words = {value: float(index) for index, value in enumerate(values) if isinstance(value, str)}
    if not words:
        return column.numbers.map(codes).astype(np.float64)
    found = column.texts.map(words).astype(np.float64)
    return found.fillna(column.numbers.map(codes)) if codes else found


def _booleans(column: Column) -> "pd.Series[float]":
    """0.0 or 1.0, from 0/1 (also `1.0`) and true/false."""
    numbers = column.numbers.where(column.numbers.isin([0.0, 1.0]))
    if not column.is_text:
        return numbers
    return column.values.str.lower().map(_BOOLEANS).astype(np.float64).fillna(numbers)


def _beyond(column: Column, values: "pd.Series[float]", feature: Feature) -> list[Fault]:
    """Bounds are compared at the precision in which the values came."""
    given = values.astype(f"float{column.precision}").astype(np.float64) if column.precision in (16, 32) else values
    faults = []
    if feature.minimum is not None:
        below = given < at_precision(feature.minimum, column.precision)
        faults.append(_fault(feature, below, f"is below the minimum {feature.minimum:g}"))
    if feature.maximum is not None:
        above = given > at_precision(feature.maximum, column.precision)
        faults.append(_fault(feature, above, f"is above the maximum {feature.maximum:g}"))
    return faults


def _fault(feature: Feature, where: "pd.Series[bool]", what: str) -> Fault:
    return Fault(feature.name, np.flatnonzero(where.to_numpy()).astype(np.int64), what)


def _wrong_type(feature: Feature) -> str:
    if feature.type == "category":
        allowed = [str(value) for value in feature.values or ()]
        return f"is none of {', '.join(allowed[:SHOWN_VALUES])}{' …' if len(allowed) > SHOWN_VALUES else ''}"
    return {
        "number": "is not a number",
        "integer": "is not a whole number",
        "boolean": "is neither 0/1 nor true/false",
    }[feature.type]


def _yes_no(column: Column, feature: Feature, missing: "pd.Series[bool]") -> str:
    """The way out for a column of two words."""
    if feature.type != "boolean" or not column.is_text:
        return ""
    words = sorted(set(column.values[~missing].unique()))
    if len(words) != 2 or {word.lower() for word in words} not in _YES_NO:
        return ""
    quoted = ", ".join(f'"{word}"' for word in sorted(words, key=_affirms))
    return f"{feature.name} says {words[0]} and {words[1]}: make it a category with values: [{quoted}]"


def _decimal_comma(column: Column, feature: Feature, wrong: "pd.Series[bool]") -> str:
    """The way out for numbers with a comma in a file whose decimal mark is the point."""
    if feature.type not in ("number", "integer") or not column.is_text or column.decimal == ",":
        return ""
    if not column.values[wrong].str.fullmatch(r"[+-]?[\d.]*,\d+").all():
        return ""
    return (
        f"{feature.name} has numbers with a comma: set dataset.csv.decimal to ',' if it is decimal; commas between"
        " thousands have to be taken out of the file"
    )


def declared_missing(column: Column, name: str, missing: "pd.Series[bool]") -> str:
    """Return the way out where the target holds a value that `dataset.missingValues` declares missing; empty if it does
    not.
    """
    written = missing & column.values.notna()
    if column.is_text:
        written &= column.values != ""
    if not written.any():
        return ""
    return (
        f"{name} holds a value that is declared missing (dataset.missingValues holds for every column): declare it in"
        " features[].missingValues where it means missing"
    )


def _affirms(word: str) -> bool:
    return word.lower() in ("yes", "y", "t", "on", "ja")
