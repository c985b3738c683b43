"""A file's bytes to the columns that the contract names, as they are: nothing is read into a cell here."""

import io
import re
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from heart_api.contract import Csv
from heart_table.encodings import not_text
from heart_table.errors import UnreadableFile
from heart_table.kinds import HEAD_BYTES, PARQUET
from heart_table.layout import Expected, Layout, detect, split_rows
from heart_table.unpack import packed, unpack_all
from heart_trainer.data.columns import Column, text_column
from heart_trainer.data.contract import Contract
from heart_trainer.data.header import Header, find_columns, name_columns
from heart_trainer.data.sources.limits import MAX_BYTES
from heart_trainer.errors import DataInvalid


@dataclass(frozen=True)
class RawRows:
    """`columns` by the contract's names. `notes`: how the file was read, for people."""

    columns: dict[str, Column]
    notes: tuple[str, ...]


def read_columns(data: bytes, contract: Contract) -> RawRows:
    """Return the contract's columns of a file, by name, with how it was read. Raises DataInvalid."""
    try:
        kind = packed(data[:4])
        content = unpack_all(data, kind, open_zstd, MAX_BYTES) if kind else data
        read = _parquet if contract.dataset.format == "parquet" else _csv
        rows = read(content, contract)
    except UnreadableFile as error:
        raise DataInvalid(str(error)) from None
    if not len(next(iter(rows.columns.values())).values):
        raise DataInvalid("The file has no rows.")
    return RawRows(rows.columns, (f"unpacked from {kind}", *rows.notes) if kind else rows.notes)


def open_zstd(stream: IO[bytes]) -> IO[bytes]:
    """Return a stream of the decompressed bytes."""
    return pa.CompressedInputStream(stream, "zstd")  # type: ignore[no-any-return]


def _csv(data: bytes, contract: Contract) -> RawRows:
    dataset = contract.dataset
    names = () if dataset.columns else tuple(sorted({field.file_column for field in contract.fields}))
    expected = Expected(names, len(dataset.columns or ()))
    data = data.removesuffix(b"\x1a")  # the end of a file, as DOS wrote it
    layout = detect(data[:HEAD_BYTES], len(data) <= HEAD_BYTES, dataset.csv or Csv(), expected)
    header = name_columns(layout, contract)
    places = find_columns(header, contract)
    frame = _read_text(data, layout)
    _reject_short(frame, data, layout, header.lines, max(places.values()))
    frame = frame[header.lines :][sorted(set(places.values()))].apply(lambda column: column.str.strip())
    frame, blank = _without_blank_end(frame.reset_index(drop=True))
    columns = {name: Column(frame[place], layout.decimal) for name, place in places.items()}
    return RawRows(columns, (str(layout), *header.notes, *blank))


def _read_text(data: bytes, layout: Layout) -> pd.DataFrame:
    """Columns by their place, every line as a row, the header too: pandas would rename what stands in it twice."""
    try:
        return pd.read_csv(
            io.BytesIO(_without_comments(data, layout)),
            header=None,
            names=list(range(layout.width)),
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            sep=r"\s+" if layout.separator == " " else layout.separator,
            quotechar=layout.quote,
            skiprows=layout.skip,
            encoding=layout.encoding,
            on_bad_lines="error",
            # pandas' own parser splits at single bytes.
            engine="c" if layout.separator.isascii() else "python",
        )
    except pd.errors.EmptyDataError:
        raise DataInvalid("The file is empty.") from None
    except pd.errors.ParserError as error:
        raise DataInvalid(_not_csv(str(error), layout)) from None
    except UnicodeDecodeError:
        raise DataInvalid(not_text(layout.encoding, _undecodable(data, layout.encoding), None)) from None


def _undecodable(data: bytes, encoding: str) -> int:
    """Return the first line of another encoding; pandas counts from the beginning of its own block."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return data[: error.start].count(b"\n") + 1
    return 1


def _not_csv(error: str, layout: Layout) -> str:
    place = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", error)
    if not place:
        return f"The file is not proper CSV (read as {layout}): is a quote missing?"
    return (
        f"The file is not proper CSV: line {place[2]} has {place[3]} cells instead of {place[1]} (read as {layout})."
        " A cell that holds the separator needs quotes; another separator is set in dataset.csv.separator."
    )


def _without_comments(data: bytes, layout: Layout) -> bytes:
    if not layout.comment:
        return data
    lines = data.decode(layout.encoding, "replace").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(layout.comment)).encode(layout.encoding)


def _without_blank_end(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Without the rows at the end that hold nothing, and a note of them."""
    if len(frame) and _filled(frame[-1:]).all():
        return frame, ()
    filled = _filled(frame)
    count = len(frame) - (int(filled.nonzero()[0][-1]) + 1 if filled.any() else 0)
    note = f"{count} blank {'row' if count == 1 else 'rows'} at the end left out"
    return frame[: len(frame) - count], (note,) if count else ()


def _filled(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """[rows]: whether any cell holds something."""
    return np.asarray((frame.notna() & (frame != "")).any(axis=1))


def _reject_short(frame: pd.DataFrame, data: bytes, layout: Layout, header: int, last: int) -> None:
    """A cell that is not there is no missing value: the line is cut, or its separator is another one.

    pandas fills it with nothing; cells are counted only where the last column has an empty one.
    """
    if (frame[last] != "").all():
        return
    lines = io.StringIO(_without_comments(data, layout).decode(layout.encoding))
    for _ in range(layout.skip):
        next(lines, "")
    counts = [len(row) for row in split_rows(lines, layout) if any(row) or len(row) > 1]
    short = [place - header + 1 for place, count in enumerate(counts) if count <= last and place >= header]
    if short:
        raise DataInvalid(
            f"{len(short)} rows have fewer cells than the others (first: {', '.join(map(str, short[:10]))}; rows count"
            " from 1, after a header): is the file cut off, or does a cell hold a line break?"
        )


def _parquet(data: bytes, contract: Contract) -> RawRows:
    if not data.startswith(PARQUET):
        raise DataInvalid("The file is not Parquet; is dataset.format right?")
    try:
        file = pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True)
        names = tuple(str(name).strip() for name in file.schema_arrow.names)
        places = find_columns(Header(names), contract)
        wanted = sorted({file.schema_arrow.names[place] for place in places.values()})
        frame = file.read(columns=wanted).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, ValueError, OSError):
        raise DataInvalid("The file is damaged or incomplete: it begins like Parquet, and cannot be read.") from None
    found = {name: frame[file.schema_arrow.names[place]] for name, place in places.items()}
    return RawRows({name: Column(plain(values)) for name, values in found.items()}, ("Parquet",))


def plain(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return numbers and booleans as they are, and everything else as stripped text; bytes as the UTF-8 text that
    writers without a type for text (Impala, Hive) mean.
    """
    if values.dtype == object:
        values = _of_objects(values)
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        return values
    texts = values.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
    return text_column(texts).values


def _of_objects(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Booleans with missing ones among them, and bytes, come as objects."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "boolean":
        return values.astype("boolean")
    if kind == "bytes":
        return values.map(lambda value: value.decode("utf-8", "replace"), na_action="ignore")
    return values
