"""Tables to records: rows by position and columns by name, as protocols for data frames and tensors send them.

What a value may be is the contract's to judge; here only the form is checked. `None` is a missing value.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from heart_api.contract import Feature
from heart_serving.errors import Problem

Records = list[dict[str, Any]]


def from_rows(rows: Any, names: Sequence[str], features: Sequence[Feature], where: str) -> Records:
    """One record per row, a list of one value per name. Raises Problem 400 that begins with `where`."""
    if type(rows) is not list or not all(type(row) is list and len(row) == len(names) for row in rows):
        raise Problem(400, f"{where}: must be a list of rows with {len(names)} values each, one per column")
    readers = list(zip(names, _readers(names, features), strict=True))
    return [
        {name: read(value) for (name, read), value in zip(readers, row, strict=True) if value is not None}
        for row in rows
    ]


def from_columns(columns: Mapping[str, Sequence[Any]], features: Sequence[Feature]) -> Records:
    """One record per row, from columns of equal length."""
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not None}
        for row in zip(
            *(map(read, column) for read, column in zip(_readers(columns, features), columns.values(), strict=True)),
            strict=True,
        )
    ]


def _readers(names: Sequence[str] | Mapping[str, Any], features: Sequence[Feature]) -> list[Callable[[Any], Any]]:
    booleans = {feature.name for feature in features if feature.type == "boolean"}
    return [_as_boolean if name in booleans else _as_is for name in names]


def _as_boolean(value: Any) -> Any:
    """A numeric table writes a boolean as 0 or 1."""
    return bool(value) if type(value) in (int, float) and value in (0, 1) else value


def _as_is(value: Any) -> Any:
    return value
