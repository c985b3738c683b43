"""A table on a disk, row by row, in bounded memory."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from heart_api.contract import Csv
from heart_table.encodings import not_text
from heart_table.errors import UnreadableFile
from heart_table.kinds import HEAD_BYTES
from heart_table.layout import Expected, Layout, Row, detect, split_rows
from heart_table.unpack import packed, unpacked

LIMIT = 1 << 34
"""Bytes of an unpacked file: what would take hours is a mistake."""


@dataclass(frozen=True)
class Table:
    """`rows`: all of them, a header among them; each read once."""

    layout: Layout
    rows: Iterator[Row]


def open_table(path: Path, given: Csv) -> Table:
    """Raises UnreadableFile, also while the rows are read."""
    layout = detect(*_head(path), given, Expected())
    return Table(layout, _rows(path, layout))


def _head(path: Path) -> tuple[bytes, bool]:
    """(first bytes of the unpacked file, whether they are all)."""
    with _open(path) as stream:
        head = stream.read(HEAD_BYTES + 1)
    return head[:HEAD_BYTES], len(head) <= HEAD_BYTES


def _open(path: Path) -> IO[bytes]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}.") from None
    return unpacked(stream, packed(stream.peek(4)[:4]), None, LIMIT)


def _rows(path: Path, layout: Layout) -> Iterator[Row]:
    with _open(path) as stream, io.TextIOWrapper(stream, layout.encoding, newline="") as text:
        try:
            for row in split_rows(_lines(text, layout), layout):
                if any(cell.strip() for cell in row):
                    yield [cell.strip() for cell in row]
        except UnicodeDecodeError:
            raise UnreadableFile(not_text(layout.encoding, 0, None)) from None


def _lines(text: io.TextIOWrapper, layout: Layout) -> Iterator[str]:
    for line in islice(text, layout.skip, None):
        if not (layout.comment and line.startswith(layout.comment)):
            yield line
