"""A file's columns against the contract: encoded rows, or a message with rows, columns and bounds, never values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from heart_api.contract import Dataset, Feature, Target
from heart_trainer.data.cells import Cells, Fault, declared_missing, find_missing, read_cells
from heart_trainer.data.columns import Column
from heart_trainer.errors import DataInvalid

FIRST = 10
"""So many broken cells are named one by one; the rest is counted."""


@dataclass(frozen=True)
class Contract:
    """What a row has to be."""

    features: tuple[Feature, ...]
    target: Target
    dataset: Dataset

    @property
    def fields(self) -> tuple[Feature | Target, ...]:
        """Return features and target, in the order of the contract."""
        return *self.features, self.target


@dataclass(frozen=True)
class CheckedRows:
    """`encoded`: float64 by feature, NaN where missing. `target`: text. `unused`: missing values that do not occur."""

    encoded: pd.DataFrame
    target: "pd.Series[str]"
    unused: tuple[str, ...] = ()


def check_rows(columns: Mapping[str, Column], contract: Contract, before: int = 0) -> CheckedRows:
    """`columns` by the contract's names, `before`: rows of the file above them.

    Raises DataInvalid with the first broken cells and how many there are.
    """
    everywhere = contract.dataset.missing_values
    cells = {
        feature.name: read_cells(columns[feature.name], feature, {*everywhere, *feature.missing_values})
        for feature in contract.features
    }
    target = columns[contract.target.name]
    absent, unused = find_missing(target, everywhere)
    faults = [fault for found in cells.values() for fault in found.faults]
    faults += _target_faults(target, contract.target, absent)
    if faults:
        hints = [found.hint for found in cells.values()] + [declared_missing(target, contract.target.name, absent)]
        raise DataInvalid(_message(faults, list(filter(None, hints)), before))
    return CheckedRows(
        pd.DataFrame({name: found.values for name, found in cells.items()}),
        target.texts.astype(object),
        tuple(_unused(contract, cells, unused)),
    )


def _target_faults(column: Column, target: Target, missing: "pd.Series[bool]") -> list[Fault]:
    faults = [Fault(target.name, np.flatnonzero(missing), "is missing")]
    if target.positive_above is not None:
        wrong = column.numbers.isna() & ~missing
        faults.append(Fault(target.name, np.flatnonzero(wrong), "is not a number"))
    return [fault for fault in faults if len(fault.rows)]


def _unused(contract: Contract, cells: Mapping[str, Cells], target: frozenset[str]) -> list[str]:
    """`"-9" (age)` for a feature's own, `"?"` for one of the dataset's that no column has."""
    nowhere = [
        f'"{value}"'
        for value in contract.dataset.missing_values
        if value in target and all(value in found.unused for found in cells.values())
    ]
    own = [
        f'"{value}" ({feature.name})'
        for feature in contract.features
        for value in feature.missing_values
        if value in cells[feature.name].unused
    ]
    return nowhere + own


def _message(faults: Sequence[Fault], hints: Sequence[str], before: int) -> str:
    count = sum(len(fault.rows) for fault in faults)
    rows = len(np.unique(np.concatenate([fault.rows for fault in faults])))
    by_column: dict[str, int] = {}
    for fault in faults:
        by_column[fault.column] = by_column.get(fault.column, 0) + len(fault.rows)
    columns = ", ".join(f"{name} ({number})" for name, number in by_column.items())
    first = sorted((int(row), fault.column, fault.what) for fault in faults for row in fault.rows[:FIRST])[:FIRST]
    named = "; ".join(f"row {before + row + 1}: {column} {what}" for row, column, what in first)
    more = f"; and {count - FIRST} more" if count > FIRST else ""
    then = "; ".join(hints) or "Correct the file, or the contract in spec.features"
    return (
        f"{count} cells in {rows} rows break the data contract. By column: {_shortened(columns)}. {named}{more}. "
        f"Rows count from 1, after a header. {_shortened(then)}."
    )


def _shortened(text: str, most: int = 700) -> str:
    return text if len(text) <= most else text[:most] + " …"
