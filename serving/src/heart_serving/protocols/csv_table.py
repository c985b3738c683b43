"""CSV to records of the contract, as MLflow's server reads it: a header of column names, then a line per row."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any

from heart_api.contract import Feature
from heart_serving.errors import Problem
from heart_serving.protocols.tables import Records

MISSING = frozenset({"", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "NULL", "None", "n/a", "null"}) | frozenset(
    {"NaN", "-NaN", "nan", "-nan", "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN"}
)
"""What pandas reads as a missing value."""
BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}
Reader = Callable[[str], Any]


def read_csv(body: bytes, features: Sequence[Feature]) -> Records:
    """One record per line, by the header's names; what is not of its feature's type stays text. Raises Problem 400."""
    try:
        lines = list(csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError:
        raise Problem(400, "the CSV must be encoded in UTF-8") from None
    except csv.Error as error:
        raise Problem(400, f"the body is not CSV: {error}") from None
    names, *rows = lines or [[]]
    if not names or len(set(names)) != len(names):
        raise Problem(400, "the CSV must begin with a line of different column names")
    known = {feature.name: reader_of(feature) for feature in features}
    readers = [(name, known[name], position) for position, name in enumerate(names) if name in known]
    return [_record(row, len(names), readers, number) for number, row in enumerate(rows, 2) if row]


def _record(row: list[str], width: int, readers: Sequence[tuple[str, Reader, int]], line: int) -> dict[str, Any]:
    if len(row) != width:
        raise Problem(400, f"line {line} of the CSV must have {width} values, one per column")
    found = {name: read(row[position]) for name, read, position in readers}
    return {name: value for name, value in found.items() if value is not None}


def reader_of(feature: Feature) -> Reader:
    """Text to a value that the contract checks; None is a missing value."""
    if feature.type == "category":
        return _category(feature)
    return _boolean if feature.type == "boolean" else _number


def _category(feature: Feature) -> Reader:
    values: Mapping[str, Any] = {str(value): value for value in (*(feature.codes or ()), *(feature.values or ()))}

    def read(text: str) -> Any:
        return values[text] if text in values else _number(text)  # a column of numbers may be written as 1.0

    return read


def _boolean(text: str) -> Any:
    return None if text in MISSING else BOOLEANS.get(text.strip().lower(), text)


def _number(text: str) -> Any:
    if text in MISSING:
        return None
    try:
        value = float(text.replace("_", "?"))  # Python's own separator is nobody else's
    except ValueError:
        return text
    return None if isnan(value) else value
