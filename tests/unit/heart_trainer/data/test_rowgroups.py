"""Other people's Parquet files: the rows of one table, or a message that names file, row group and column."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import DataAccess
from heart_trainer.data.chunk import check_all
from heart_trainer.data.contract import CheckedRows, Contract
from heart_trainer.data.sources.stored import stored_files
from heart_trainer.data.stream import read_chunks
from heart_trainer.errors import ColumnsMissing, DataInvalid

DATASET = Dataset.model_validate({"uri": "pvc://cohort/rows/", "format": "parquet"})
FEATURES = (
    Feature(name="age", type="number", minimum=0, maximum=120, required=False),
    Feature(name="smoker", type="category", values=(0, 1), required=False),
    Feature(name="ward", type="category", values=("A", "B"), required=False),
)
TARGET = Target(name="ill")
COUNT = 90


def cohort() -> pd.DataFrame:
    random = np.random.default_rng(1)
    columns = {
        "age": random.integers(20, 90, COUNT) + 0.0,
        "smoker": random.integers(0, 2, COUNT),
        "ward": random.choice(["A", "B"], COUNT),
        "ill": random.integers(0, 2, COUNT),
    }
    return pd.DataFrame(columns)


def table() -> pa.Table:
    return pa.Table.from_pandas(cohort(), preserve_index=False)


def write(rows: pa.Table | pd.DataFrame, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrow = pa.Table.from_pandas(rows, preserve_index=False) if isinstance(rows, pd.DataFrame) else rows
    pq.write_table(arrow, path, **{"row_group_size": 20, **options})


def read(path: Path, features: tuple[Feature, ...] = FEATURES) -> CheckedRows:
    contract = Contract(features, TARGET, DATASET)
    return check_all(read_chunks(stored_files(DATASET, DataAccess(), path), contract), contract)


def rejection(path: Path, features: tuple[Feature, ...] = FEATURES) -> str:
    with pytest.raises(DataInvalid) as caught:
        read(path, features)
    return caught.value.message


def other(name: str, make: Callable[[pd.Series], Any]) -> pa.Table:
    rows = table()
    return rows.set_column(rows.schema.get_field_index(name), name, make(cohort()[name]))


TYPES: dict[str, tuple[str, Callable[[pd.Series], Any]]] = {
    "dictionary": ("ward", lambda column: pa.array(column).dictionary_encode()),
    "dictionary of numbers": ("smoker", lambda column: pa.array(column).dictionary_encode()),
    "large_string": ("ward", lambda column: pa.array(column).cast(pa.large_string())),
    "bytes, as Impala writes text": ("ward", lambda column: pa.array(column).cast(pa.binary())),
    "decimal": ("age", lambda column: pa.array([Decimal(int(cell)) for cell in column], pa.decimal128(8, 2))),
    "decimal target": ("ill", lambda column: pa.array([Decimal(int(cell)) for cell in column], pa.decimal128(8, 2))),
    "float32": ("age", lambda column: pa.array(column, pa.float32())),
    "text": ("age", lambda column: pa.array(column.astype(str))),
    "boolean": ("smoker", lambda column: pa.array(column.astype(bool))),
    "int8": ("ill", lambda column: pa.array(column, pa.int8())),
}


@pytest.mark.parametrize(("name", "make"), TYPES.values(), ids=TYPES)
def test_a_columns_type_does_not_change_its_rows(name: str, make: Callable[[pd.Series], Any], tmp_path: Path) -> None:
    write(table(), tmp_path / "as-is/rows.parquet")
    write(other(name, make), tmp_path / "other/rows.parquet")
    expected, found = read(tmp_path / "as-is"), read(tmp_path / "other")
    pd.testing.assert_frame_equal(found.encoded, expected.encoded)
    assert [float(text) for text in found.target] == [float(text) for text in expected.target]


def test_files_may_have_a_column_in_different_types_and_orders(tmp_path: Path) -> None:
    write(table(), tmp_path / "all/rows.parquet")
    write(table()[:30], tmp_path / "parts/a.parquet")
    mixed = other("age", lambda column: pa.array(column.astype(str)))
    write(mixed[30:60].select(["ill", "ward", "smoker", "age"]), tmp_path / "parts/b.parquet")
    written = cohort()[60:].astype({"ward": "category", "smoker": bool, "ill": float}).assign(more=1)
    write(written, tmp_path / "parts/c.parquet")
    found, expected = read(tmp_path / "parts"), read(tmp_path / "all")
    pd.testing.assert_frame_equal(found.encoded, expected.encoded)
    assert [float(text) for text in found.target] == [float(text) for text in expected.target]


@pytest.mark.parametrize("name", ["age", "smoker", "ward"])
def test_nulls_are_missing_in_every_type(name: str, tmp_path: Path) -> None:
    kept = cohort()[name].astype(bool if name == "smoker" else cohort()[name].dtype).astype(object)
    holed = pa.array([None if row % 9 == 0 else cell for row, cell in enumerate(kept)])
    write(other(name, lambda column: holed), tmp_path / "rows.parquet")
    found = read(tmp_path).encoded[name]
    assert found.isna().tolist() == [row % 9 == 0 for row in range(COUNT)]


def test_empty_row_groups_and_files_are_nothing(tmp_path: Path) -> None:
    write(table(), tmp_path / "all/rows.parquet")
    write(table()[:0], tmp_path / "holes/a.parquet")
    with pq.ParquetWriter(tmp_path / "holes/b.parquet", table().schema) as writer:
        for part in (table()[:0], table()[:50], table()[:0], table()[50:], table()[:0]):
            writer.write_table(part)
    pd.testing.assert_frame_equal(read(tmp_path / "holes").encoded, read(tmp_path / "all").encoded)


def test_what_writers_leave_beside_their_files_is_no_data(tmp_path: Path) -> None:
    write(table(), tmp_path / "part-00000.snappy.parquet")
    for name in ("_SUCCESS", ".part-00000.snappy.parquet.crc", "_metadata", "_common_metadata"):
        (tmp_path / name).write_bytes(b"")
    write(table(), tmp_path / "_temporary/0/part-00001.parquet")
    assert len(read(tmp_path).target) == COUNT


def test_upper_case_and_short_endings_are_not_passed_over(tmp_path: Path) -> None:
    for start, name in ((0, "A.PARQUET"), (30, "b.parq"), (60, "c.pq")):
        write(table()[start : start + 30], tmp_path / name)
    assert len(read(tmp_path).target) == COUNT


def test_columns_in_the_names_of_folders_are_read(tmp_path: Path) -> None:
    """As Hive and Spark write partitions: the column is not in the files."""
    write(table()[:30], tmp_path / "year=2023/site=M%C3%BCnchen/a.parquet")
    write(table()[30:60], tmp_path / "year=2024/site=Ulm/a.parquet")
    write(table()[60:], tmp_path / "year=__HIVE_DEFAULT_PARTITION__/site=Ulm/a.parquet")
    year = Feature(name="year", type="integer", required=False)
    site = Feature(name="site", type="category", values=("München", "Ulm"))
    found = read(tmp_path, (*FEATURES, year, site)).encoded
    assert found["year"].fillna(0).tolist() == [2023.0] * 30 + [2024.0] * 30 + [0.0] * 30
    assert found["site"].tolist() == [0.0] * 30 + [1.0] * 60


def test_a_column_of_the_file_goes_before_its_folders(tmp_path: Path) -> None:
    write(cohort().assign(year=1999), tmp_path / "year=2023/a.parquet")
    found = read(tmp_path, (*FEATURES, Feature(name="year", type="integer"))).encoded
    assert set(found["year"]) == {1999.0}


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def rotten(path: Path) -> None:
    """One bit of a value of the second row group, which is a value as well."""
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    path.write_bytes(content)


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "b.parquet is empty: write it again"),
    "cut off": (truncated, "b.parquet is damaged or incomplete: its Parquet footer cannot be read"),
    "a start alone": (lambda path: path.write_bytes(b"PAR1"), "b.parquet is damaged or incomplete"),
    "CSV": (lambda path: path.write_text(cohort().to_csv()), "b.parquet is not Parquet"),
    "packed": (lambda path: path.write_bytes(b"\x1f\x8b" + path.read_bytes()), "b.parquet is packed with gzip"),
    "a changed bit": (rotten, "b.parquet, row group 2 of 5 is damaged or incomplete"),
    "a column less": (
        lambda path: write(table().drop(["smoker"]), path),
        "b.parquet: The file has no column called smoker. It has: age, ward, ill.",
    ),
    "dates": (
        lambda path: write(other("age", lambda column: pa.array([date(2024, 1, 1)] * COUNT)), path),
        "b.parquet, row group 1 of 5: 20 cells in 20 rows break the data contract. By column: age (20). row 1: age is",
    ),
    "lists": (
        lambda path: write(other("age", lambda column: pa.array([[1.0]] * COUNT)), path),
        "b.parquet, row group 1 of 5: 20 cells in 20 rows break the data contract. By column: age (20)",
    ),
    "another class": (
        lambda path: write(cohort().replace({"ward": {"B": "C"}}), path),
        "b.parquet, row group 1 of 5",
    ),
    "no outcome": (
        lambda path: write(other("ill", lambda column: pa.array([*column[:50], None, *column[51:]])), path),
        "b.parquet, row group 3 of 5: 1 cells in 1 rows break the data contract. By column: ill (1). row 51: ill",
    ),
    "an outcome of another type": (
        lambda path: write(cohort().astype({"ill": bool}), path),
        "b.parquet: the target ill is true or false, in a.parquet it is of another type",
    ),
}


@pytest.mark.parametrize(("damage", "message"), BROKEN.values(), ids=BROKEN)
def test_a_bad_file_in_the_middle_is_named(damage: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(table(), tmp_path / f"{name}.parquet", write_page_checksum=True, use_dictionary=False, compression="none")
    damage(tmp_path / "b.parquet")
    assert message in rejection(tmp_path)


def test_a_missing_column_is_known_by_its_name(tmp_path: Path) -> None:
    """A site whose files lack a column that the contract does not require takes part without it."""
    write(table().drop(["smoker"]), tmp_path / "a.parquet")
    with pytest.raises(ColumnsMissing) as caught:
        read(tmp_path)
    assert caught.value.columns == ("smoker",)
