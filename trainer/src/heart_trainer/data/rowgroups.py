"""Parquet files to chunks, row group by row group. What breaks a rule is named with its file, and never guessed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from heart_table.kinds import PARQUET
from heart_table.unpack import packed
from heart_trainer.data.chunk import ROWS, Chunk
from heart_trainer.data.columns import Column
from heart_trainer.data.contract import Contract
from heart_trainer.data.header import Header, find_columns
from heart_trainer.data.read import plain
from heart_trainer.data.sources.stored import StoredFile
from heart_trainer.errors import ColumnsMissing, DataInvalid

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""What Hive and Spark call the folder of rows without a value."""


@dataclass(frozen=True)
class Share:
    """Which row groups one of several workers reads: every `of`-th, counted over all files, beginning with `number`."""

    number: int = 0
    of: int = 1


EVERYTHING = Share()


def parquet_chunks(files: tuple[StoredFile, ...], contract: Contract, share: Share) -> Iterator[Chunk]:
    """Yield every row of the share once, in the order of the files. Raises DataInvalid or SourceError."""
    if share.of > 1:
        _check_enough_groups(files, share)
    before, first = 0, None
    for file in files:
        opened = _Opened(file, contract)
        first = first or opened
        opened.check_target(first)
        groups = opened.parquet.num_row_groups
        yield from opened.chunks([k for k in range(groups) if (before + k) % share.of == share.number])
        before += groups


def _check_enough_groups(files: tuple[StoredFile, ...], share: Share) -> None:
    groups = sum(open_parquet(file).num_row_groups for file in files)
    if groups < share.of:
        raise DataInvalid(
            f"The dataset has {groups} row groups for {share.of} workers, which read whole ones: write smaller row"
            " groups (100,000 rows each, say), or lower spec.training.scale.workers."
        )


def open_parquet(file: StoredFile) -> pq.ParquetFile:
    """Return the file, of which only the footer is read yet. Raises DataInvalid or SourceError."""
    stream = file.open()
    try:
        _check_begin(file.name, stream.read(len(PARQUET)))
        return pq.ParquetFile(stream, page_checksum_verification=True)
    except (pa.ArrowException, ValueError, OSError):
        raise DataInvalid(f"{file.name} is damaged or incomplete: its Parquet footer cannot be read.") from None


def _check_begin(name: str, head: bytes) -> None:
    if not head:
        raise DataInvalid(f"{name} is empty: write it again, or take it away.")
    if kind := packed(head):
        raise DataInvalid(f"{name} is packed with {kind} as a whole: unpack it; Parquet packs its own columns.")
    if head != PARQUET:
        raise DataInvalid(f"{name} is not Parquet; is dataset.format right?")


class _Opened:
    """One file: where its columns are, and their rows."""

    def __init__(self, file: StoredFile, contract: Contract) -> None:
        self.name, self.parquet, self._target = file.name, open_parquet(file), contract.target.name
        self._stored = self.parquet.schema_arrow.names
        self._folders = {key: value for key, value in _folders(file.name) if key not in self._stored}
        try:
            names = (*(str(name).strip() for name in self._stored), *self._folders)
            self._places = find_columns(Header(names), contract)
        except ColumnsMissing as error:
            raise ColumnsMissing(f"{file.name}: {error.message}", error.columns) from None
        except DataInvalid as error:
            raise DataInvalid(f"{file.name}: {error.message}") from None

    def check_target(self, first: "_Opened") -> None:
        """Raise DataInvalid where true and 1 would be taken for different classes."""
        if self._says_true != first._says_true:
            kinds = {True: "true or false", False: "of another type"}
            raise DataInvalid(
                f"{self.name}: the target {self._target} is {kinds[self._says_true]}, in {first.name} it is"
                f" {kinds[first._says_true]}: write it in one type into all files."
            )

    @property
    def _says_true(self) -> bool:
        place = self._places[self._target]
        return place < len(self._stored) and pa.types.is_boolean(self.parquet.schema_arrow.field(place).type)

    def chunks(self, chosen: list[int]) -> Iterator[Chunk]:
        """Yield the rows of the chosen row groups."""
        wanted = sorted({self._stored[place] for place in self._places.values() if place < len(self._stored)})
        metadata = self.parquet.metadata
        for group in chosen:
            before = sum(metadata.row_group(earlier).num_rows for earlier in range(group))
            where = f"{self.name}, row group {group + 1} of {metadata.num_row_groups}"
            for batch in _Readable(self.parquet.iter_batches(ROWS, row_groups=[group], columns=wanted), where):
                frame = batch.to_pandas(ignore_metadata=True)
                yield Chunk({name: self._column(frame, place) for name, place in self._places.items()}, where, before)
                before += len(frame)

    def _column(self, frame: pd.DataFrame, place: int) -> Column:
        if place < len(self._stored):
            return Column(plain(frame[self._stored[place]]))
        text = list(self._folders.values())[place - len(self._stored)]
        return Column(pd.Series(np.full(len(frame), text, object), index=frame.index, dtype="str"))


def _folders(name: str) -> Iterator[tuple[str, str | None]]:
    """The columns that a partitioned dataset has in the names of its folders alone: `year=2024/month=01/…`."""
    for part in name.split("/")[:-1]:
        key, sign, value = part.partition("=")
        if key and sign:
            yield unquote(key), None if value == NO_VALUE else unquote(value)


class _Readable:
    """An iterator whose own errors say which part of which file is damaged."""

    def __init__(self, batches: Iterator[Any], where: str) -> None:
        self._batches, self._where = batches, where

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._batches)
        except (pa.ArrowException, ValueError, OSError):
            raise DataInvalid(f"{self._where} is damaged or incomplete: it cannot be read.") from None
