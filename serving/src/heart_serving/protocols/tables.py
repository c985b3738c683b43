"""Tables to records: rows by position and columns by name, as protocols for data frames and tensors send them.

What a value may be is the contract's to judge; here only the form is checked. `None` is a missing value.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from heart_serving.errors import Problem

Records = list[dict[str, Any]]


def from_rows(rows: Any, names: Sequence[str], where: str) -> Records:
    """One record per row, a list of one value per name. Raises Problem 400 that begins with `where`."""
    if type(rows) is not list or not all(type(row) is list and len(row) == len(names) for row in rows):
        raise Problem(400, f"{where}: must be a list of rows with {len(names)} values each, one per column")
    return [_record(names, row) for row in rows]


def from_columns(columns: Mapping[str, Sequence[Any]]) -> Records:
    """One record for each row of columns, which must have equal lengths."""
    return [_record(columns, row) for row in zip(*columns.values(), strict=True)]


def _record(names: Sequence[str] | Mapping[str, Any], row: Sequence[Any]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, row, strict=True) if value is not None}
