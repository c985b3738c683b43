"""The data contract: what passes, and what a person reads when something does not."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_api.contract import Dataset, Feature, Target
from heart_api.handover import TrainingRequest
from heart_trainer.data.load import load
from heart_trainer.errors import DataInvalid, TrainerError
from heart_trainer.values import Table
from tests.support.trainer.requests import category, number, request

FEATURES = (
    number("age", minimum=0, maximum=120),
    category("pain", 1, 2, "none"),
    Feature(name="smoker", type="boolean", required=False, missing_values=("unknown",)),
    Feature(name="vessels", type="integer", required=False),
)
GOOD = {"age": "50", "pain": "1", "smoker": "0", "vessels": "2", "target": "0"}


def rows(changes: dict[int, dict[str, str]] | None = None, count: int = 40) -> list[dict[str, str]]:
    every = [{**GOOD, "age": str(20 + i), "target": str(i % 2)} for i in range(count)]
    for index, change in (changes or {}).items():
        every[index] = {**every[index], **change}
    return every


def loaded(tmp_path: Path, every: list[dict[str, str]], wanted: TrainingRequest | None = None) -> Table:
    file = tmp_path / "rows.csv"
    pd.DataFrame(every).to_csv(file, index=False)
    return load(wanted or request(FEATURES), {"HEARTOPS_ROW_KEY": "k"}, file)


def rejection(tmp_path: Path, every: list[dict[str, str]], wanted: TrainingRequest | None = None) -> str:
    with pytest.raises(DataInvalid) as caught:
        loaded(tmp_path, every, wanted)
    assert caught.value.permanent
    assert caught.value.reason == "DataInvalid"
    return caught.value.message


def test_values_are_encoded_as_the_contract_says(tmp_path: Path) -> None:
    changes = {
        0: {"pain": "2.0", "smoker": "TRUE", "vessels": " 3 "},
        1: {"pain": "none", "smoker": "unknown", "vessels": ""},
        2: {"pain": "01", "smoker": "1.0", "vessels": "0"},
    }
    table = loaded(tmp_path, rows(changes))
    np.testing.assert_array_equal(table.x[:3], np.float32([[20, 1, 1, 3], [21, 2, np.nan, np.nan], [22, 0, 1, 0]]))
    assert table.rows["pain"].tolist()[:3] == [2, "none", 1]
    assert np.isnan(table.rows["smoker"][1])
    assert table.task == "binary"
    assert table.classes == (0, 1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"age": "130.25"}, "row 8: age is above the maximum 120"),
        ({"age": "-1.25"}, "row 8: age is below the minimum 0"),
        ({"age": "old"}, "row 8: age is not a number"),
        ({"age": "1e39"}, "row 8: age is not a number"),
        ({"age": "inf"}, "row 8: age is not a number"),
        ({"age": ""}, "row 8: age is missing"),
        ({"age": "unknown"}, "row 8: age is not a number"),
        ({"pain": "31"}, "row 8: pain is none of 1, 2, none"),
        ({"pain": "1.5"}, "row 8: pain is none of 1, 2, none"),
        ({"smoker": "2"}, "row 8: smoker is neither 0/1 nor true/false"),
        ({"vessels": "2.5"}, "row 8: vessels is not a whole number"),
        ({"target": ""}, "row 8: target is missing"),
    ],
)
def test_a_broken_cell_is_told_by_row_column_and_bound_and_never_by_value(
    tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    message = rejection(tmp_path, rows({7: change}))
    assert complaint in message
    assert "1 cells in 1 rows" in message
    value = next(iter(change.values()))
    assert len(value) < 3 or value not in message.replace(complaint, "")


def test_many_broken_cells_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    message = rejection(tmp_path, rows({i: {"age": "999", "pain": "9"} for i in range(5, 35)}))
    assert "60 cells in 30 rows" in message
    assert "age (30)" in message
    assert "pain (30)" in message
    assert "row 6: age" in message
    assert "row 11" not in message
    assert "and 50 more" in message
    assert "999" not in message
    assert len(message) < 3000, "a termination message has 4096 bytes"


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    every = [{k: v for k, v in row.items() if k != "pain"} for row in rows()]
    message = rejection(tmp_path, every)
    assert "no column called pain" in message
    assert "age" in message


def test_missing_values_of_the_dataset_apply_everywhere_and_own_ones_to_their_column(tmp_path: Path) -> None:
    dataset = Dataset(uri="https://data.example.org/x", missing_values=("?",))
    table = loaded(tmp_path, rows({0: {"smoker": "?", "vessels": "?"}}), request(FEATURES, dataset=dataset))
    assert np.isnan(table.x[0, 2:]).all()
    message = rejection(tmp_path, rows({0: {"vessels": "unknown"}}), request(FEATURES, dataset=dataset))
    assert "vessels is not a whole number" in message


def test_repeated_header_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("age,age,pain\n1,2,1\n")
    with pytest.raises(DataInvalid, match="more than one column called age"):
        load(request(FEATURES), {}, tmp_path / "f.csv")


def test_columns_of_a_file_without_header_must_fit(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("1,2,3\n1,2,3\n")
    dataset = Dataset(uri="https://data.example.org/x", columns=("age", "pain"))
    with pytest.raises(DataInvalid, match=r"3 columns, dataset\.columns names 2"):
        load(request(FEATURES, dataset=dataset), {}, tmp_path / "f.csv")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"age,pain,smoker,vessels,target\n", "no rows"),
        (b"age,pain,smoker,vessels,target\n1,1,1,1,1\n1,1,1,1,1,1\n", "line 3 has 6 cells instead of 5"),
        (b"age,pain,smoker,vessels,target\n1,1,1,1,1\n1,1,1\n", "1 rows have fewer cells than the others (first: 2;"),
        (b'age,pain,smoker,vessels,target\n1,1,"1,1,1\n1,1,1,1,1\n', "is a quote missing"),
        (b"\xff\xfe\x00a\x00", "not UTF-16 text"),
        (b"age,pain\n\xe9,1\n", "not UTF-8 text (line 2): set dataset.csv.encoding"),
        (b"age\0,pain\n", "zero bytes"),
    ],
)
def test_a_file_that_is_no_table_is_said_to_be_none(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "f.csv").write_bytes(content)
    with pytest.raises(DataInvalid, match=re.escape(complaint)):
        load(request(FEATURES), {}, tmp_path / "f.csv")


def test_parquet_gives_the_same_table_as_csv(tmp_path: Path) -> None:
    typed = pd.DataFrame(rows({1: {"vessels": ""}})).assign(
        age=lambda f: f["age"].astype(float),
        smoker=lambda f: f["smoker"] == "1",
        vessels=lambda f: pd.to_numeric(f["vessels"]),
    )
    typed.to_parquet(tmp_path / "f.parquet")
    dataset = Dataset(uri="https://data.example.org/x", format="parquet")
    table = load(request(FEATURES, dataset=dataset), {"HEARTOPS_ROW_KEY": "k"}, tmp_path / "f.parquet")
    other = loaded(tmp_path, rows({1: {"vessels": ""}}))
    np.testing.assert_array_equal(table.x, other.x)
    assert table.keys == other.keys


@pytest.mark.parametrize(
    ("target", "training", "values", "complaint"),
    [
        (Target(name="target", positive_above=5), {}, "01", "at or below spec.target.positiveAbove"),
        (Target(name="target"), {}, "1", "has 1 classes"),
        (Target(name="target", labels=("a", "b", "c")), {}, "01", "labels names 3 classes, the file has 2"),
        (Target(name="target"), {"task": "regression"}, ["1", "x"], "not a number in 20 rows (first: 2, 4"),
        (Target(name="target"), {"task": "regression"}, "1", "the same value in every row"),
        (Target(name="target", positive_above=0), {}, ["1", "x"], "target is not a number"),
        (Target(name="target"), {}, ["0.5", "1.5"], "measured number, not a class"),
        (Target(name="target"), {"crossValidation": {"folds": 11}}, "01", "Class 0 of the target has 20"),
    ],
)
def test_a_target_that_does_not_fit_is_explained(
    tmp_path: Path, target: Target, training: dict[str, object], values: str | list[str], complaint: str
) -> None:
    every = [{**row, "target": values[i % len(values)]} for i, row in enumerate(rows())]
    assert complaint in rejection(tmp_path, every, request(FEATURES, target, **training))


def test_too_few_rows_are_rejected(tmp_path: Path) -> None:
    assert "20 distinct rows; training needs 30" in rejection(tmp_path, rows(count=20))
    assert "10 distinct rows" in rejection(tmp_path, rows(count=10) * 5)


def test_classes_are_ascending_and_labels_name_them(tmp_path: Path) -> None:
    texts = [{**row, "target": ("mild", "severe", "none")[i % 3]} for i, row in enumerate(rows())]
    plain = loaded(tmp_path, texts)
    assert plain.classes == ("mild", "none", "severe")
    assert plain.task == "multiclass"
    assert plain.y[:3].tolist() == [0, 2, 1]
    numbers = [{**row, "target": ("10", "2.0")[i % 2]} for i, row in enumerate(rows())]
    assert loaded(tmp_path, numbers).classes == (2, 10)
    named = loaded(tmp_path, numbers, request(FEATURES, Target(name="target", labels=("low", "high"))))
    assert named.classes == ("low", "high")
    assert named.y[:2].tolist() == [1, 0]


CELL = st.one_of(
    st.text(max_size=4),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["?", "", "true", "1.0", '"', "'", ",", "1e999", "-0", "none", "\0", "1"]),
)
TABLE = st.lists(st.lists(CELL, min_size=5, max_size=5).map(",".join), max_size=60).map(
    lambda lines: "\n".join(["age,pain,smoker,vessels,target", *lines]).encode("utf-8", "replace")
)


@given(content=st.one_of(st.binary(max_size=300), TABLE), parquet=st.booleans(), header=st.booleans())
def test_no_file_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, parquet: bool, header: bool
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzz"
    file.write_bytes(content)
    dataset = Dataset(
        uri="https://data.example.org/x",
        format="parquet" if parquet else "csv",
        columns=None if header else ("age", "pain", "smoker", "vessels", "target"),
    )
    message = "fine"
    try:
        load(request(FEATURES, dataset=dataset), {}, file)
    except TrainerError as error:
        message = error.message
    assert 0 < len(message) < 3000
