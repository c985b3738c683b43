"""From a file's bytes to raw text, column by column: nothing is guessed about types or missing values here."""

import io
import re

import pandas as pd
import pyarrow as pa

from heart_api.contract import Dataset
from heart_trainer.errors import DataInvalid


def parse(data: bytes, dataset: Dataset) -> pd.DataFrame:
    """Every column as stripped text. A CSV has a header unless `dataset.columns` names its columns.

    Raises DataInvalid.
    """
    frame = _parquet(data) if dataset.format == "parquet" else _name(_csv(data), dataset.columns)
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if twice:
        raise DataInvalid(f"The file has more than one column called {', '.join(twice)}.")
    if frame.empty:
        raise DataInvalid("The file has no rows.")
    return frame


def without_missing(values: "pd.Series[str]", spellings: frozenset[str]) -> "pd.Series[str]":
    """The column with None where it is empty or spells «missing»."""
    return values.where(values.notna() & (values != "") & ~values.isin(spellings), None)


def _csv(data: bytes) -> pd.DataFrame:
    """Every line as a row, the header too: pandas would rename what stands in it twice."""
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            header=None,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
    except pd.errors.EmptyDataError:
        raise DataInvalid("The file is empty.") from None
    except pd.errors.ParserError as error:
        place = re.search(r"Expected \d+ fields in line \d+, saw \d+", str(error))
        raise DataInvalid(f"The file is not proper CSV. {place.group() if place else ''}".strip()) from None
    except UnicodeDecodeError:
        raise DataInvalid("The file is not UTF-8 text; is dataset.format right?") from None
    return _as_text(frame)


def _parquet(data: bytes) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(io.BytesIO(data))
    except (pa.ArrowException, ValueError, OSError):
        raise DataInvalid("The file is not Parquet; is dataset.format right?") from None
    return _as_text(frame)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.apply(lambda column: column.astype(object).map(_text, na_action="ignore")).astype(object)


def _text(value: object) -> str:
    return str(value).strip()


def _name(frame: pd.DataFrame, columns: tuple[str, ...] | None) -> pd.DataFrame:
    if columns is None:
        return frame[1:].reset_index(drop=True).set_axis([str(name) for name in frame.iloc[0]], axis=1)
    if frame.shape[1] != len(columns):
        raise DataInvalid(f"The file has {frame.shape[1]} columns, dataset.columns names {len(columns)}.")
    return frame.set_axis(list(columns), axis=1)
