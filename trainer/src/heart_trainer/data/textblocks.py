"""A text file to chunks, block by block, by stricter rules than one that is read whole.

Cells are separated by one character, rows have one length, and no comment lines stand between them. What breaks a rule
is named, never guessed.
"""

import codecs
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv

from heart_api.contract import Csv
from heart_table.encodings import not_text
from heart_table.errors import UnreadableFile
from heart_table.kinds import HEAD_BYTES
from heart_table.layout import Expected, Layout, detect
from heart_table.unpack import packed, unpacked
from heart_trainer.data.chunk import ROWS, Chunk
from heart_trainer.data.columns import Column
from heart_trainer.data.contract import Contract
from heart_trainer.data.header import find_columns, name_columns
from heart_trainer.data.read import open_zstd
from heart_trainer.data.sources.stored import StoredFile
from heart_trainer.errors import DataInvalid

MOST_UNPACKED = 1 << 40
"""Bytes that come out of a packed text file: what would take days is a mistake, or an attack."""
BLOCK = 8 << 20
"""Bytes of a text file that are parsed at a time, and of a row at most."""
TOO_SHORT = "Could not skip initial"
"""How the library complains of a file that ends with its header."""
NOTHING = " \t\r\n\x1a"
"""Characters of a line that holds no cell: blanks, and the end of a file as DOS wrote it."""


def text_chunks(file: StoredFile, contract: Contract) -> Iterator[Chunk]:
    """Yield every row of the file, but blank ones at its end. Raises DataInvalid or SourceError."""
    layout = layout_of(file, contract)
    header = name_columns(layout, contract)
    places = find_columns(header, contract)
    used = sorted({str(place) for place in places.values()})
    before = 0
    for frame in _without_blank_end(_Frames(file, layout, header.lines, used)):
        columns = {name: Column(frame[str(place)], layout.decimal) for name, place in places.items()}
        yield Chunk(columns, file.name, before)
        before += len(frame)


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


def layout_of(file: StoredFile, contract: Contract) -> Layout:
    """Return how the file is read. Raises DataInvalid for one that is not read in chunks."""
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
    if obstacle := _obstacle(layout):
        raise DataInvalid(f"{file.name} {obstacle} in chunks.")
    return layout


def _obstacle(layout: Layout) -> str:
    if layout.separator == " ":
        return "is text separated by blanks: write it with commas, or as Parquet, to have it read"
    if layout.comment:
        return f"has comment lines ({layout.comment}): take them out, or write it as Parquet, to have it read"
    if layout.blank_before_quote:
        return "has blanks between separators and quotes: take them out, or write it as Parquet, to have it read"
    return ""


def _without_blank_end(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Spreadsheets leave rows of separators at the end; between other rows they are rows without values."""
    blank = 0
    for frame in frames:
        end = _filled(frame)
        if end:
            while blank:
                count = min(blank, ROWS)
                yield pd.DataFrame("", range(count), frame.columns, dtype="str")
                blank -= count
            yield frame[:end].reset_index(drop=True)
        blank += len(frame) - end


def _filled(frame: pd.DataFrame) -> int:
    """Return how many rows there are up to the last one that holds something."""
    if not len(frame) or (frame.iloc[-1] != "").any():
        return len(frame)
    filled = (frame != "").any(axis=1).to_numpy().nonzero()[0]
    return int(filled[-1]) + 1 if len(filled) else 0


class _Frames:
    """A text file's cells, so many rows at a time. The library's messages may hold values and are not shown."""

    def __init__(self, file: StoredFile, layout: Layout, header: int, columns: list[str]) -> None:
        self._file, self._layout, self._columns = file, layout, columns
        self._skip = layout.skip + (layout.first_lines if header else 0)
        self._rows, self._broken = 0, ""

    def __iter__(self) -> Iterator[pd.DataFrame]:
        with open_text(self._file) as stream:
            try:
                yield from self._read(stream)
            except (pa.ArrowException, UnicodeDecodeError) as error:
                if str(error).startswith(TOO_SHORT):
                    return
                raise DataInvalid(self._message(error)) from None

    def _read(self, stream: IO[bytes]) -> Iterator[pd.DataFrame]:
        for batch in self._open(stream):
            for start in range(0, batch.num_rows, ROWS):
                frame = batch.slice(start, ROWS).select(self._columns).to_pandas()
                yield frame.apply(lambda column: column.astype("str").str.strip())
            self._rows += batch.num_rows

    def _open(self, stream: IO[bytes]) -> Any:
        names, layout = [str(place) for place in range(self._layout.width)], self._layout
        return pacsv.open_csv(
            stream,
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
        if not row.text.strip(NOTHING):
            return "skip"
        self._broken = (
            f"row {row.number - self._skip}, at line {row.number} or below, has {row.actual_columns} cells instead of"
            f" {row.expected_columns}; a cell that holds the separator needs quotes; is a quote missing, or the file"
            " cut off?"
        )
        return "error"

    def _message(self, error: Exception) -> str:
        text = str(error)
        if not self._broken and (isinstance(error, UnicodeDecodeError) or "utf" in text.lower()):
            return f"{self._file.name}: {not_text(self._layout.encoding, self._undecodable(), None)}"
        long = f"a cell below row {self._rows} does not end within {BLOCK >> 20} MiB: is a quote missing?"
        return f"{self._file.name} is not proper CSV (read as {self._layout}): {self._broken or long}"

    def _undecodable(self) -> int:
        """Return the first line of another encoding."""
        decoder = codecs.getincrementaldecoder(self._layout.encoding)()
        lines = 0
        with open_text(self._file) as stream, suppress(UnicodeDecodeError):
            for line in stream:
                lines += 1
                decoder.decode(line)
        return lines
