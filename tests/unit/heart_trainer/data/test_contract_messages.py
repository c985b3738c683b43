"""Cells and rows against the contract: every fault in its own words, at its own bound."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from heart_api.contract import Dataset, Feature, Target
from heart_trainer.data.cells import Cells, category_index, encode, find_missing, read_cells
from heart_trainer.data.columns import Column, text_column
from heart_trainer.data.contract import CheckedRows, Contract, check_rows
from heart_trainer.errors import DataInvalid
from tests.support.trainer.requests import category, number

NAN = float("nan")


def typed(*values: float, dtype: str = "float64") -> Column:
    """A column of a Parquet file."""
    return Column(pd.Series(list(values), dtype=dtype))


def boolean(**more: Any) -> Feature:
    return Feature(name="b", type="boolean", **more)


def faults(found: Cells) -> list[tuple[list[int], str]]:
    return [(fault.rows.tolist(), fault.what) for fault in found.faults]


# --- cells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("feature", "column", "values"),
    [
        (number("x"), text_column(["1", "2.5", "x"]), [1.0, 2.5, NAN]),
        (Feature(name="x", type="integer"), text_column(["1", "2.0", "2.5"]), [1.0, 2.0, NAN]),
        (boolean(), text_column(["0", "1.0", "TRUE", "false", "2"]), [0.0, 1.0, 1.0, 0.0, NAN]),
        (boolean(), typed(0, 1, 2), [0.0, 1.0, NAN]),
        (category("x", 3, 6, "none"), text_column(["6", "03", "3.0", "none", "7"]), [1.0, 0.0, 0.0, 2.0, NAN]),
        (category("x", 3, 6), typed(6, 3, 4), [1.0, 0.0, NAN]),
        (category("x", "a", "b"), text_column(["b", "a", "B"]), [1.0, 0.0, NAN]),
    ],
)
def test_a_cell_becomes_what_its_feature_says(feature: Feature, column: Column, values: list[float]) -> None:
    found = encode(column, feature)
    np.testing.assert_array_equal(found.to_numpy(), values)
    assert found.dtype == np.float64


def test_a_category_without_values_matches_nothing() -> None:
    assert category_index(text_column(["a"]), ()).isna().all()


@pytest.mark.parametrize(
    ("column", "spellings", "missing", "unused"),
    [
        (text_column(["", "1", None, "?"]), (), [True, False, True, False], set()),
        (text_column(["", "1", None, "?"]), ("?", "-9"), [True, False, True, True], {"-9"}),
        (text_column(["-9", "-9.0", "9"]), ("-9",), [True, True, False], set()),
        (typed(-9, NAN, 9), ("-9", "?"), [True, True, False], {"?"}),
    ],
)
def test_where_a_column_has_no_value(
    column: Column, spellings: tuple[str, ...], missing: list[bool], unused: set[str]
) -> None:
    found, not_there = find_missing(column, spellings)
    assert (found.tolist(), not_there) == (missing, unused)


def test_a_value_of_the_feature_that_is_text_is_no_missing_number() -> None:
    """`01` is a code here, and `1` stands for missing."""
    found, unused = find_missing(text_column(["01", "1", "1.0"]), ("1",), own=("01", "02"))
    assert (found.tolist(), unused) == ([False, True, True], frozenset())
    found, unused = find_missing(text_column(["01", "02"]), ("1",), own=("01", "02"))
    assert (found.tolist(), unused) == ([False, False], {"1"})
    found, _ = find_missing(text_column(["1", "2"]), ("1",), own=("1", "2"))
    assert found.tolist() == [True, False], "what is declared missing is missing, also if it is a value"
    found, _ = find_missing(typed(1, 2), ("1",), own=("1", "2"))
    assert found.tolist() == [True, False]
    found, _ = find_missing(text_column(["1", "01"]), ("1",), own=(1, 2))
    assert found.tolist() == [True, True]


def test_codes_of_a_category_are_no_missing_numbers() -> None:
    found = read_cells(text_column(["01", "1"]), category("x", "01", "02", required=False), ("1",))
    np.testing.assert_array_equal(found.values.to_numpy(), [0, NAN])


@pytest.mark.parametrize(
    ("feature", "cells", "expected"),
    [
        (
            number("x", minimum=1, maximum=3),
            ["1", "3", "0.5", "3.5"],
            ["is below the minimum 1", "is above the maximum 3"],
        ),
        (number("x", minimum=0.25), ["0.25", "1", "0.2"], ["is below the minimum 0.25"]),
        (number("x"), ["1", "a"], ["is not a number"]),
        (number("x"), ["1", ""], ["is missing"]),
        (number("x", required=False), ["1", ""], []),
        (Feature(name="x", type="integer"), ["1", "1.5"], ["is not a whole number"]),
        (boolean(), ["1", "maybe"], ["is neither 0/1 nor true/false"]),
        (category("x", 1, "two"), ["1", "three"], ["is none of 1, two"]),
        (category("x", *range(20)), ["1", "99"], [f"is none of {', '.join(map(str, range(20)))}"]),
        (category("x", *range(21)), ["1", "99"], [f"is none of {', '.join(map(str, range(20)))} …"]),
    ],
)
def test_each_fault_says_what_is_wrong(feature: Feature, cells: list[str], expected: list[str]) -> None:
    found = read_cells(text_column(cells), feature, ())
    assert [fault.what for fault in found.faults] == expected
    assert all(fault.column == feature.name for fault in found.faults)


def test_a_cell_has_one_fault_and_rows_count_from_zero() -> None:
    feature = number("x", minimum=1, maximum=3)
    found = read_cells(text_column(["2", "a", "0", "", "9", "-7"]), feature, ("-7",))
    assert faults(found) == [
        ([1], "is not a number"),
        ([2], "is below the minimum 1"),
        ([4], "is above the maximum 3"),
        ([3, 5], "is missing"),
    ]
    np.testing.assert_array_equal(found.values.to_numpy(), [2, NAN, 0, NAN, 9, NAN])
    assert found.unused == frozenset()
    assert {fault.rows.dtype for fault in found.faults} == {np.dtype(np.int64)}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(("minimum", "maximum"), [(0.1, 130.1), (0.3, 1.1), (-1.1, 0.7)])
def test_a_bound_itself_is_allowed_at_any_precision(dtype: str, minimum: float, maximum: float) -> None:
    """float16 0.3 is 0.30005, and float32 0.7 is 0.69999999."""
    feature = number("x", minimum=minimum, maximum=maximum)
    assert read_cells(typed(minimum, maximum, dtype=dtype), feature, ()).faults == ()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_bounds_hold_at_the_precision_in_which_the_values_came(dtype: str) -> None:
    feature = number("x", minimum=0.1, maximum=130.1)
    beyond = typed(0.09, 131, dtype=dtype)
    assert faults(read_cells(beyond, feature, ())) == [
        ([0], "is below the minimum 0.1"),
        ([1], "is above the maximum 130.1"),
    ]
    assert faults(read_cells(typed(0.1 - 1e-12), feature, ())) == [([0], "is below the minimum 0.1")]


@pytest.mark.parametrize(
    ("cells", "hint"),
    [
        (["No", "Yes"], 'b says No and Yes: make it a category with values: ["No", "Yes"]'),
        (["y", "n", ""], 'b says n and y: make it a category with values: ["n", "y"]'),
        (["T", "F"], 'b says F and T: make it a category with values: ["F", "T"]'),
        (["on", "off"], 'b says off and on: make it a category with values: ["off", "on"]'),
        (["ja", "nein"], 'b says ja and nein: make it a category with values: ["nein", "ja"]'),
        (["YES", "no"], 'b says YES and no: make it a category with values: ["no", "YES"]'),
        (["Y", "n"], 'b says Y and n: make it a category with values: ["n", "Y"]'),
        (["T", "f"], 'b says T and f: make it a category with values: ["f", "T"]'),
        (["ON", "off"], 'b says ON and off: make it a category with values: ["off", "ON"]'),
        (["yes", "no", "perhaps"], ""),
        (["yes", "n"], ""),
        (["yes", "yes"], ""),
        (["0", "1"], ""),
    ],
)
def test_a_column_of_two_words_has_a_way_out(cells: list[str], hint: str) -> None:
    assert read_cells(text_column(cells), boolean(required=False), ()).hint == hint


def test_other_columns_of_two_words_have_no_such_hint() -> None:
    assert read_cells(text_column(["yes", "no"]), number("b"), ()).hint == ""
    assert read_cells(typed(7, 8), boolean(), ()).hint == ""


COMMA = (
    "x has numbers with a comma: set dataset.csv.decimal to ',' if it is decimal; commas between thousands have to be"
    " taken out of the file"
)


@pytest.mark.parametrize(
    ("feature", "column", "hint"),
    [
        (number("x"), text_column(["1", "-9"]), ""),
        (number("x"), typed(1, -9), ""),
        (number("x"), text_column(["1", ""]), ""),
        (number("x"), text_column(["1", None]), ""),
        (number("x"), typed(1, NAN), ""),
        (number("x", required=False), text_column(["1", "-9"]), ""),
        (number("x"), text_column(["1,5", "-9"]), COMMA),
        (number("x"), text_column(["1.000,5", "+2,25", "3"]), COMMA),
        (Feature(name="x", type="integer"), text_column(["1,5"]), COMMA),
        (number("x"), text_column(["1,5", "old"]), ""),
        (number("x"), text_column([",5"]), COMMA),
        (number("x"), text_column(["1,"]), ""),
        (number("x"), text_column(["1.5,", "2"], ","), ""),
        (number("x", minimum=2), text_column(["1", "3"]), ""),
        (category("x", "a", "b"), text_column(["1,5", "a"]), ""),
    ],
)
def test_the_way_out_of_a_column(feature: Feature, column: Column, hint: str) -> None:
    assert read_cells(column, feature, ("-9",)).hint == hint


# --- rows ----------------------------------------------------------------------------------------


AGE, SMOKER = number("age", minimum=0, missing_values=("-1",)), boolean(required=False)
DATASET = Dataset(uri="https://data.example.org/x", missing_values=("?",))


def contract(target: Target | None = None, features: tuple[Feature, ...] = (AGE, SMOKER)) -> Contract:
    return Contract(features, target or Target(name="ill"), DATASET)


def checked(target: Target | None = None, **columns: list[str]) -> CheckedRows:
    given = {"age": ["50", "60"], "b": ["0", "1"], "ill": ["yes", "no"]} | columns
    return check_rows({name: text_column(cells) for name, cells in given.items()}, contract(target))


def rejection(target: Target | None = None, **columns: list[str]) -> str:
    with pytest.raises(DataInvalid) as raised:
        checked(target, **columns)
    return raised.value.message


def test_the_rows_of_a_file_that_keeps_its_contract() -> None:
    found = checked(b=["?", "1"])
    assert list(found.encoded.columns) == ["age", "b"]
    np.testing.assert_array_equal(found.encoded.to_numpy(), [[50, NAN], [60, 1]])
    assert found.target.tolist() == ["yes", "no"]
    assert found.target.dtype == object
    assert [field.name for field in contract().fields] == ["age", "b", "ill"]


def test_missing_values_that_do_not_occur_are_named() -> None:
    assert checked().unused == ('"?"', '"-1" (age)')
    assert checked(b=["?", "1"]).unused == ('"-1" (age)',)
    assert rejection(age=["-1", "2"]).startswith("1 cells in 1 rows")


def test_a_missing_value_of_the_dataset_counts_in_the_target_too() -> None:
    assert "row 1: ill is missing" in rejection(ill=["?", "no"])


@pytest.mark.parametrize(
    ("target", "cells", "message"),
    [
        (Target(name="ill"), ["yes", ""], "By column: ill (1). row 2: ill is missing."),
        (Target(name="ill", positive_above=0), ["1", "x"], "By column: ill (1). row 2: ill is not a number."),
        (
            Target(name="ill", positive_above=0),
            ["", "x"],
            "ill (2). row 1: ill is missing; row 2: ill is not a number.",
        ),
    ],
)
def test_faults_of_the_target(target: Target, cells: list[str], message: str) -> None:
    assert message in rejection(target, ill=cells)
    assert checked(Target(name="ill", positive_above=0), ill=["1", "0"]).target.tolist() == ["1", "0"]


def test_a_message_names_counts_columns_and_the_first_cells() -> None:
    assert rejection(age=["-5", "x"], b=["2", "1"]) == (
        "3 cells in 2 rows break the data contract. By column: age (2), b (1). row 1: age is below the minimum 0;"
        " row 1: b is neither 0/1 nor true/false; row 2: age is not a number. Rows count from 1, after a header."
        " Correct the file, or the contract in spec.features."
    )


@pytest.mark.parametrize(("broken", "more"), [(10, ""), (11, "; and 1 more"), (13, "; and 3 more")])
def test_ten_cells_are_named_and_the_rest_is_counted(broken: int, more: str) -> None:
    message = rejection(age=["x"] * broken, b=["0"] * broken, ill=["yes"] * broken)
    named = "; ".join(f"row {row}: age is not a number" for row in range(1, 11))
    assert message.startswith(
        f"{broken} cells in {broken} rows break the data contract. By column: age ({broken}). {named}{more}. "
    )


def test_hints_take_the_place_of_the_general_advice() -> None:
    message = rejection(b=["yes", "no"])
    assert message.endswith(
        '. Rows count from 1, after a header. b says no and yes: make it a category with values: ["no", "yes"].'
    )


def test_two_hints_are_both_given_and_long_lists_are_cut() -> None:
    names = [f"feature_{index:02}" for index in range(40)]
    features = tuple(boolean().model_copy(update={"name": name}) for name in names)
    columns = {name: text_column(["yes", "no"]) for name in names} | {"ill": text_column(["a", "b"])}
    with pytest.raises(DataInvalid) as raised:
        check_rows(columns, contract(features=features))
    message = raised.value.message
    listed = ", ".join(f"{name} (2)" for name in names)[:200]
    assert f"By column: {listed}" in message
    assert message.count(" …") == 1, "forty names have less than 700 letters, forty hints more"
    assert '["no", "yes"]; feature_01 says' in message
    cut = message[message.index("after a header. ") + len("after a header. ") :]
    assert len(cut) == 700 + len(" ….")


def test_a_fault_of_two_kinds_counts_by_its_column() -> None:
    message = rejection(age=["x", "-1"], b=["0", "0"])
    assert "By column: age (2). row 1: age is not a number; row 2: age is missing. " in message


@pytest.mark.parametrize(("longer", "cut"), [(0, False), (1, True)])
def test_seven_hundred_letters_are_not_cut(longer: int, cut: bool) -> None:
    lengths = [52] * 6 + [53] * 5 + [53 + longer]
    names = [f"{'n' * (length - 2)}{index:02}" for index, length in enumerate(lengths)]
    columns = {name: text_column(["x"]) for name in names} | {"ill": text_column(["a"])}
    with pytest.raises(DataInvalid) as raised:
        check_rows(columns, contract(features=tuple(number(name) for name in names)))
    listed = ", ".join(f"{name} (1)" for name in names)
    assert len(listed) == 700 + longer
    assert (f"By column: {listed}. " in raised.value.message) is not cut
