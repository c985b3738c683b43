"""Other people's files in chunks: the rows of a reading in memory, or a message that names the place."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import DataAccess
from heart_trainer.data import textblocks
from heart_trainer.data.chunk import check_all
from heart_trainer.data.contract import CheckedRows, Contract, check_rows
from heart_trainer.data.read import read_columns
from heart_trainer.data.sources.stored import stored_files
from heart_trainer.data.stream import read_chunks
from heart_trainer.errors import DataInvalid

DATASET = Dataset.model_validate({"uri": "pvc://cohort/rows.csv"})
FEATURES = (
    Feature(name="age", type="number", minimum=0, maximum=120),
    Feature(name="sex", type="category", values=(0, 1)),
    Feature(name="ward", type="category", values=("A", "B")),
)
CONTRACT = Contract(FEATURES, Target(name="ill"), DATASET)
COUNT = 300


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textblocks, "ROWS", 64)


def cohort() -> pd.DataFrame:
    random = np.random.default_rng(1)
    columns = {
        "age": random.integers(20, 90, COUNT) + 0.5,
        "sex": random.integers(0, 2, COUNT),
        "ward": random.choice(["A", "B"], COUNT),
        "ill": random.integers(0, 2, COUNT),
    }
    return pd.DataFrame(columns)


def notes(row: int) -> str:
    return f'first line of {row}\nsecond, with "quotes"' if row % 7 == 0 else "plain"


def in_lines(change: Callable[[list[str]], list[str]]) -> bytes:
    return "".join(change(TEXT.splitlines(keepends=True))).encode()


TEXT = cohort().to_csv(index=False)
NOTED = cohort().assign(note=[notes(row) for row in range(COUNT)])
SAME: dict[str, bytes] = {
    "as it is": TEXT.encode(),
    "a byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "semicolons and decimal commas": cohort().to_csv(index=False, sep=";", decimal=",").encode(),
    "Windows' line ends": TEXT.replace("\n", "\r\n").encode(),
    "UTF-16": TEXT.encode("utf-16"),
    "gzip": gzip.compress(TEXT.encode()),
    "line breaks in quotes": NOTED.to_csv(index=False).encode(),
    "line breaks in quotes, Windows": NOTED.to_csv(index=False, lineterminator="\r\n").encode(),
    "a line break in a name": NOTED.rename(columns={"note": "note\nof the nurse"}).to_csv(index=False).encode(),
    "blank lines above the header": b"\n\n" + TEXT.encode(),
    "a title": b"Cohort of the year\n\n" + TEXT.encode(),
    "a blank line in the middle": in_lines(lambda lines: [*lines[:150], "\n", *lines[150:]]),
    "blank lines at the end": (TEXT + "\n\n\n").encode(),
    "a line of blanks at the end": (TEXT + "   \n").encode(),
    "the end of a file of DOS": (TEXT + "\x1a").encode(),
    "rows of separators at the end": (TEXT + ",,,\n" * 200).encode(),
    "no line end": TEXT.rstrip().encode(),
    "a column more": NOTED[["note", *cohort().columns]].to_csv(index=False).encode(),
    "another order": cohort()[["ill", "ward", "age", "sex"]].to_csv(index=False).encode(),
    "every cell in quotes": cohort().to_csv(index=False, quoting=1).encode(),
    "one class after the other": cohort().sort_values("ill", kind="stable").to_csv(index=False).encode(),
}


def chunked(path: Path, contract: Contract = CONTRACT) -> CheckedRows:
    return check_all(read_chunks(stored_files(contract.dataset, DataAccess(), path), contract), contract)


@pytest.mark.parametrize("data", SAME.values(), ids=SAME)
def test_the_rows_are_those_of_a_reading_in_memory(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(data)
    found, expected = chunked(tmp_path / "rows.csv"), check_rows(read_columns(data, CONTRACT).columns, CONTRACT)
    assert len(found.target) == COUNT
    pd.testing.assert_frame_equal(found.encoded, expected.encoded)
    assert list(found.target) == list(expected.target)


LONG = cohort().assign(note="x" * 1000).to_csv(index=False)
"""More than the first bytes by which a file's layout is detected."""
BROKEN: dict[str, tuple[bytes, str]] = {
    "a short line": (in_lines(lambda a: [*a[:150], "50,1\n", *a[150:]]), "row 150, at line 151 or below, has 2 cells"),
    "a long line": (in_lines(lambda a: [*a[:150], "50,1,A,1,\n", *a[150:]]), "row 150, at line 151 or below, has 5"),
    "a short line below line breaks": (NOTED.to_csv(index=False).encode() + b"50,1\n", "row 301, at line 302 or below"),
    "cut off": (TEXT[:-6].encode(), "row 300, at line 301 or below, has"),
    "the header again": (
        in_lines(lambda a: [*a[:150], a[0], *a[150:]]),
        "rows.csv: 3 cells in 1 rows break the data contract. By column: age (1), sex (1), ward (1). row 150: age",
    ),
    "rows of separators in the middle": (
        in_lines(lambda a: [*a[:150], *[",,,\n"] * 100, *a[150:]]),
        "row 150: age is missing",
    ),
    "a comment in the middle": (in_lines(lambda a: [*a[:150], "# late\n", *a[150:]]), "row 150, at line 151 or below"),
    "comments": (b"# of the year\n" + TEXT.encode(), "has comment lines (#): take them out"),
    "blanks before quotes": (
        cohort().to_csv(index=False, quoting=1).replace('","', '", "').encode(),
        "has blanks between separators and quotes: take them out",
    ),
    "another encoding further down": (
        LONG.encode() + b"50,1,A,1,\xc4\n",
        f"rows.csv: The file is not UTF-8 text (line {COUNT + 2}): set dataset.csv.encoding",
    ),
    "a broken cell further down": (f"{LONG}many,1,A,1,-\n".encode(), f"row {COUNT + 1}: age is not a number"),
    "a header alone": (b"age,sex,ward,ill\n", "The file has no rows."),
    "a header alone, without its end": (b"age,sex,ward,ill", "The file has no rows."),
    "nothing": (b"", "The file is empty."),
    "a column less": (cohort().drop(columns="sex").to_csv(index=False).encode(), "no column called sex. It has: age,"),
    "a column twice": (TEXT.replace("ward", "age", 1).encode(), "more than one column called age"),
}


@pytest.mark.parametrize(("data", "message"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_named_with_its_place(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(data)
    with pytest.raises(DataInvalid) as caught:
        chunked(tmp_path / "rows.csv")
    assert message in caught.value.message


def test_a_quote_that_is_never_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textblocks, "BLOCK", 1 << 10)
    (tmp_path / "rows.csv").write_text(f'{TEXT}50,1,"A,1\n{TEXT}')
    with pytest.raises(
        DataInvalid, match=r"rows\.csv is not proper CSV .* does not end within .* is a quote missing\?"
    ):
        chunked(tmp_path / "rows.csv")


def test_a_file_in_memory_names_the_line_of_another_encoding() -> None:
    data = LONG.encode() + b"50,1,A,1,\xc4\n"
    with pytest.raises(DataInvalid, match=rf"\(line {COUNT + 2}\)"):
        read_columns(data, CONTRACT)
