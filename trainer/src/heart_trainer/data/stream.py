"""Stored files to chunks of columns, so that only a chunk is in memory: batches of Parquet row groups, or of CSV.

A text file is read by stricter rules than one that is read whole: cells are separated by one character, rows have one
length, and no comment lines stand between them. What breaks a rule is named, never guessed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from heart_api.contract import Csv
from heart_table.errors import UnreadableFile
from heart_table.kinds import HEAD_BYTES, PARQUET
from heart_table.layout import Expected, Layout, detect
from heart_table.unpack import packed, unpacked
from heart_trainer.data.columns import Column
from heart_trainer.data.contract import CheckedRows, Contract, check_rows
from heart_trainer.data.header import Header, find_columns, name_columns
from heart_trainer.data.read import open_zstd, plain
from heart_trainer.data.sources.stored import StoredFile
from heart_trainer.errors import DataInvalid

ROWS = 65_536
"""Rows of a chunk at most."""
MOST_UNPACKED = 1 << 40
"""Bytes that come out of a packed text file: what would take days is a mistake, or an attack."""
BLOCK = 8 << 20
"""Bytes of a text file that are parsed at a time."""


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


@dataclass(frozen=True)
class Share:
    """Which row groups one of several workers reads: every `of`-th, counted over all files, beginning with `number`."""

    number: int = 0
    of: int = 1


EVERYTHING = Share()


def read_chunks(files: tuple[StoredFile, ...], contract: Contract, share: Share = EVERYTHING) -> Iterator[Chunk]:
    """Yield every row of the share once, in the order of the files; of text there is one share.

    Raises DataInvalid or SourceError.
    """
    is_parquet = contract.dataset.format == "parquet"
    found = False
    for chunk in _parquet_files(files, contract, share) if is_parquet else _csv_files(files, contract):
        found = True
        yield chunk
    if not found:
        raise DataInvalid("The file has no rows." if len(files) == 1 else "The files have no rows.")


def _csv_files(files: tuple[StoredFile, ...], contract: Contract) -> Iterator[Chunk]:
    for file in files:
        yield from _csv(file, contract)


def _parquet_files(files: tuple[StoredFile, ...], contract: Contract, share: Share) -> Iterator[Chunk]:
    if share.of > 1:
        _check_enough_groups(files, share)
    before = 0
    for file in files:
        opened = open_parquet(file)
        groups = range(opened.num_row_groups)
        yield from _parquet(file, opened, contract, [k for k in groups if (before + k) % share.of == share.number])
        before += len(groups)


def _check_enough_groups(files: tuple[StoredFile, ...], share: Share) -> None:
    groups = sum(open_parquet(file).num_row_groups for file in files)
    if groups < share.of:
        raise DataInvalid(
            f"The dataset has {groups} row groups for {share.of} workers, which read whole ones: write smaller row"
            " groups (100,000 rows each, say), or lower spec.training.scale.workers."
        )


def how_read(files: tuple[StoredFile, ...], contract: Contract) -> str:
    """Return how the files are read, for people: format, separator, encoding."""
    if contract.dataset.format == "parquet":
        return "Parquet in row groups" + (f" of {len(files)} files" if len(files) > 1 else "")
    return f"{_layout(files[0], contract)}, in chunks"


def open_parquet(file: StoredFile) -> pq.ParquetFile:
    """Return the file, of which only the footer is read yet. Raises DataInvalid."""
    stream = file.open()
    try:
        if stream.read(len(PARQUET)) != PARQUET:
            raise DataInvalid(f"{file.name} is not Parquet; is dataset.format right?")
        return pq.ParquetFile(stream)
    except (pa.ArrowException, ValueError, OSError):
        raise DataInvalid(f"{file.name} is damaged or incomplete: its Parquet footer cannot be read.") from None


def _parquet(file: StoredFile, opened: pq.ParquetFile, contract: Contract, chosen: list[int]) -> Iterator[Chunk]:
    """The chosen row groups of a file."""
    stored = opened.schema_arrow.names
    try:
        places = find_columns(Header(tuple(str(name).strip() for name in stored)), contract)
    except DataInvalid as error:
        raise DataInvalid(f"{file.name}: {error.message}") from None
    wanted = sorted({stored[place] for place in places.values()})
    groups = opened.num_row_groups
    for group in chosen:
        before = sum(opened.metadata.row_group(earlier).num_rows for earlier in range(group))
        where = f"{file.name}, row group {group + 1} of {groups}"
        batches = _Readable(opened.iter_batches(ROWS, row_groups=[group], columns=wanted), where)
        for batch in batches:
            frame = batch.to_pandas(ignore_metadata=True)
            columns = {name: Column(plain(frame[stored[place]])) for name, place in places.items()}
            yield Chunk(columns, where, before)
            before += len(frame)


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


@contextmanager
def open_text(file: StoredFile) -> Iterator[IO[bytes]]:
    """Yield the text of a file that may be packed (gzip, Zstandard), as it is unpacked. Raises DataInvalid."""
    try:
        with file.open() as stream:
            kind = packed(stream.read(4))
            stream.seek(0)
            yield unpacked(stream, kind, open_zstd, MOST_UNPACKED)
    except UnreadableFile as error:
        raise DataInvalid(f"{file.name}: {error}") from None


def _layout(file: StoredFile, contract: Contract) -> Layout:
    with open_text(file) as stream:
        head = stream.read(HEAD_BYTES)
    dataset = contract.dataset
    names = () if dataset.columns else tuple(sorted({field.file_column for field in contract.fields}))
    try:
        if kind := packed(head[:4]):
            raise UnreadableFile(f"{file.name} is packed twice ({kind}): unpack it once.")
        layout = detect(head, len(head) < HEAD_BYTES, dataset.csv or Csv(), Expected(names, len(dataset.columns or ())))
    except UnreadableFile as error:
        raise DataInvalid(str(error)) from None
    if layout.separator == " " or layout.comment:
        what = "separated by blanks" if layout.separator == " " else f"with comment lines ({layout.comment})"
        raise DataInvalid(
            f"{file.name} is text {what}, which is not read in chunks: write it with commas, or as Parquet."
        )
    return layout


def _csv(file: StoredFile, contract: Contract) -> Iterator[Chunk]:
    layout = _layout(file, contract)
    header = name_columns(layout, contract)
    places = find_columns(header, contract)
    before = 0
    with open_text(file) as stream:
        for batch in _CsvBatches(stream, file.name, layout, layout.skip + header.lines):
            for start in range(0, batch.num_rows, ROWS):
                frame = batch.slice(start, ROWS).select([str(place) for place in set(places.values())]).to_pandas()
                frame = frame.apply(lambda column: column.astype("str").str.strip())
                columns = {name: Column(frame[str(place)], layout.decimal) for name, place in places.items()}
                yield Chunk(columns, file.name, before)
                before += len(frame)


class _CsvBatches:
    """A text file's cells in batches. Raises DataInvalid; the library's messages may hold values and are not shown."""

    def __init__(self, stream: IO[bytes], name: str, layout: Layout, skip: int) -> None:
        self._stream, self._name, self._layout, self._skip = stream, name, layout, skip
        self._broken: list[str] = []

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._open()
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise DataInvalid(self._message(error)) from None

    def _open(self) -> Any:
        names, layout = [str(place) for place in range(self._layout.width)], self._layout
        return pacsv.open_csv(
            self._stream,
            pacsv.ReadOptions(
                use_threads=False,  # else rows have no numbers
                block_size=BLOCK,
                skip_rows=self._skip,
                column_names=names,
                encoding=layout.encoding,
            ),
            pacsv.ParseOptions(
                delimiter=layout.separator,
                quote_char=layout.quote,
                newlines_in_values=True,
                invalid_row_handler=self._note,
            ),
            pacsv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False),
        )

    def _note(self, row: Any) -> str:
        """Called by the library, which does not let an exception through."""
        self._broken.append(f"line {row.number} has {row.actual_columns} cells instead of {row.expected_columns}")
        return "error"

    def _message(self, error: Exception) -> str:
        start = f"{self._name} is not proper CSV (read as {self._layout}): "
        if self._broken:
            advice = "a cell that holds the separator needs quotes; is the file cut off?"
            return f"{start}{self._broken[0]}; {advice}"
        if isinstance(error, UnicodeDecodeError) or "utf" in str(error).lower():
            return f"{start}it holds other characters; name its encoding in dataset.csv.encoding."
        return f"{start}is a quote missing?"


def in_memory(chunks: Iterator[Chunk]) -> dict[str, Column]:
    """Return the columns of all chunks, by name."""
    parts = list(chunks)
    return {
        name: Column(pd.concat([part.columns[name].values for part in parts], ignore_index=True))
        for name in parts[0].columns
    }
