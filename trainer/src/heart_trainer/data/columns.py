"""One column of a file, as it came: text, or numbers of the file's own type."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from heart_api.contract import Precision

GREATEST = float(np.finfo(np.float32).max)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Column:
    """`values`: stripped text with NaN for no cell (a CSV), or a numeric type (Parquet); `decimal`: the text's mark."""

    values: "pd.Series[Any]"
    decimal: str = "."

    @property
    def is_text(self) -> bool:
        """Return whether its cells came as text, and not as numbers."""
        return not pd.api.types.is_numeric_dtype(self.values.dtype)

    @property
    def precision(self) -> Precision:
        """Return the precision of its numbers as they came."""
        return {"float32": 32, "float16": 16}.get(str(self.values.dtype), 64)  # type: ignore[return-value]

    @cached_property
    def numbers(self) -> "pd.Series[float]":
        """Return its cells as float64; NaN where there is no number that a float32 can hold."""
        found = self._from_text() if self.is_text else _widened(self.values)
        return found.where(found.abs() <= GREATEST)

    @cached_property
    def texts(self) -> "pd.Series[str]":
        """Return its cells as text, NaN for missing; the numbers of a column of numbers get decimal points."""
        if not self.is_text:
            return pd.Series(self.values.map(number_text, na_action="ignore"), dtype="str")
        filled = self.values.notna() & (self.values != "")
        if self.decimal == "." or not self.numbers.notna().eq(filled).all():
            return self.values
        return pd.Series(self.numbers.map(number_text, na_action="ignore"), dtype="str")

    def equals(self, spelling: str) -> "pd.Series[bool]":
        """Return where a cell is `spelling`: a number by its value (`-9` is also `-9.0` and `-09`), text as it is
        written.
        """
        exact = self.values == spelling if self.is_text else pd.Series(False, index=self.values.index)
        return exact | (self.numbers == float(spelling)) if _NUMBER.fullmatch(spelling) else exact

    def _from_text(self) -> "pd.Series[float]":
        texts = self.values
        if self.decimal == ",":
            # A point in such a file stands between thousands: read as a decimal mark it would be a silent error.
            texts = texts.str.replace(".", "?", regex=False).str.replace(",", ".", regex=False)
        try:
            return _parse_quickly(texts)
        except pa.ArrowInvalid:
            return pd.to_numeric(texts, errors="coerce").astype(np.float64)


def text_column(values: Iterable[Any], decimal: str = ".") -> Column:
    """Return a Column of cells that are text already; None for missing. `decimal`: the mark of its numbers."""
    return Column(pd.Series(list(values), dtype="str"), decimal)


def numbers(texts: "pd.Series[Any]") -> "pd.Series[float]":
    """Return texts as float64; NaN where one is missing or no number that a float32 can hold."""
    return Column(texts).numbers


def number_text(value: Any) -> str:
    """Return the shortest text of a number; a whole one has no fraction."""
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    return str(int(value)) if np.isfinite(value) and value == int(value) else str(value)


def _parse_quickly(texts: "pd.Series[Any]") -> "pd.Series[float]":
    """Five times as fast as pandas. Raises pa.ArrowInvalid where a text is neither empty nor a plain number."""
    array = pa.array(texts, pa.large_string())
    numbers = pc.cast(pc.if_else(pc.equal(array, ""), None, array), pa.float64())
    return pd.Series(numbers.to_numpy(zero_copy_only=False), index=texts.index, dtype=np.float64)


def _widened(values: "pd.Series[Any]") -> "pd.Series[float]":
    """Numbers of less precision as their shortest decimal: float32 130.1 is 130.1, like the same cell of a CSV."""
    if str(values.dtype) not in ("float32", "float16"):
        return values.astype(np.float64)
    if str(values.dtype) == "float16":
        return values.map(lambda value: float(str(value)), na_action="ignore").astype(np.float64)
    decimal = pc.cast(pc.cast(pa.array(values.to_numpy()), pa.string()), pa.float64())
    return pd.Series(decimal.to_numpy(zero_copy_only=False), index=values.index)
