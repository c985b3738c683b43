"""Which rows are the same row."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_trainer.data.rows import EqualRowsTogether, equal_rows, held_out, row_keys, worth_learning
from tests.support.trainer.requests import mixed_rows


def test_a_row_keeps_its_key_whatever_its_spelling_and_column_order() -> None:
    plain = row_keys(pd.DataFrame({"age": [63.0, np.nan], "sex": [1, 0]}), b"secret")
    other = row_keys(pd.DataFrame({"sex": [1.0, 0.0], "age": [63, None]}), b"secret")
    assert plain == other
    assert len(set(plain)) == 2


def test_keys_depend_on_the_secret_and_on_the_column() -> None:
    frame = pd.DataFrame({"a": [1.0], "b": [2.0]})
    assert row_keys(frame, b"one") != row_keys(frame, b"two")
    assert row_keys(frame, b"one") != row_keys(frame.rename(columns={"a": "b", "b": "a"}), b"one")


def test_equal_rows_share_a_group_also_when_values_are_missing() -> None:
    x = np.array([[1, np.nan], [2, 3], [1, np.nan], [-0.0, 1], [0.0, 1]], dtype=np.float32)
    assert equal_rows(x).tolist() == [0, 1, 0, 2, 2]


@given(seed=st.integers(0, 1000), copies=st.integers(2, 4))
def test_equal_rows_never_stand_on_both_sides_of_a_fold(seed: int, copies: int) -> None:
    x, score = mixed_rows(60, seed)
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(np.repeat(np.arange(60), copies))
    fold = EqualRowsTogether(5, seed, stratify=True).folds(x[shuffled], (score > 1)[shuffled].astype(int))
    assert set(fold) == set(range(5))
    assert pd.Series(fold).groupby(equal_rows(x[shuffled])).nunique().max() == 1


def test_folds_have_their_share_of_each_class() -> None:
    x, _ = mixed_rows(200)
    y = (np.arange(200) < 40).astype(int)
    fold = EqualRowsTogether(5, 1, stratify=True).folds(x, y)
    assert [int(y[fold == k].sum()) for k in range(5)] == [8] * 5


@given(seed=st.integers(0, 1000), copies=st.integers(1, 3))
def test_order_and_whole_copies_of_a_file_teach_nothing(seed: int, copies: int) -> None:
    x, score = mixed_rows(40, seed)
    y = (score > 1).astype(int)
    shuffled = np.random.default_rng(seed).permutation(np.tile(np.arange(40), copies))
    plain, other = worth_learning(x, y), worth_learning(x[shuffled], y[shuffled])
    np.testing.assert_array_equal(x[plain], x[shuffled][other])
    np.testing.assert_array_equal(y[plain], y[shuffled][other])


def test_how_often_a_row_repeats_among_others_still_counts() -> None:
    x = np.array([[1], [1], [1], [2]], dtype=np.float32)
    assert len(worth_learning(x, np.array([0, 0, 0, 1]))) == 4
    assert len(worth_learning(x, np.array([0, 0, 1, 1]))) == 4, "the same features with another outcome is another row"


def test_a_row_stays_on_its_side_of_the_holdout_when_others_come_and_go() -> None:
    x, y = mixed_rows(500)
    keys = row_keys(pd.DataFrame(x).assign(y=y).rename(columns=str), b"secret")
    out = held_out(keys, equal_rows(x), 0.2)
    assert out.mean() == pytest.approx(0.2, abs=0.06)
    np.testing.assert_array_equal(out[100:400], held_out(keys[100:400], equal_rows(x[100:400]), 0.2))
