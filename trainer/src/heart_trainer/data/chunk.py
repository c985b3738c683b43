"""A few rows of a dataset that is read in parts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from heart_trainer.data.columns import Column
from heart_trainer.data.contract import CheckedRows, Contract, check_rows
from heart_trainer.errors import DataInvalid

ROWS = 65_536
"""Rows of a chunk at most."""


@dataclass(frozen=True)
class Chunk:
    """`columns` by the contract's names. `where`: file and row group. `before`: rows of the file above the chunk."""

    columns: Mapping[str, Column]
    where: str
    before: int

    def check(self, contract: Contract) -> CheckedRows:
        """Return the rows, checked by the contract. Raises DataInvalid, which names the place."""
        try:
            return check_rows(self.columns, contract, self.before)
        except DataInvalid as error:
            message = f"{self.where}: {error.message} Nothing below was read."
            raise DataInvalid(message) from None


def check_all(chunks: Iterable[Chunk], contract: Contract) -> CheckedRows:
    """Return the rows of at least one chunk together. Each is checked as its own file has it: a column may be text in
    one and numbers in another. Raises DataInvalid.
    """
    parts = [chunk.check(contract) for chunk in chunks]
    unused = [value for value in parts[0].unused if all(value in part.unused for part in parts)]
    encoded = pd.concat([part.encoded for part in parts], ignore_index=True)
    return CheckedRows(encoded, pd.concat([part.target for part in parts], ignore_index=True), tuple(unused))
