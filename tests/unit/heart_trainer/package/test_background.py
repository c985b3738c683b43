"""What a record is compared with: like the training rows in every column, and none of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from heart_trainer.package.background import ROWS, background_rows


def test_background_rows_have_the_columns_distributions_and_are_nobodys() -> None:
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    x[:, 2] = 7
    x[:, 3] = np.arange(300) % 10 == 0
    x[::3, 1] = np.nan
    rows = np.array(background_rows(x), dtype=np.float64)
    assert rows.shape == (ROWS, 4)
    assert not as_tuples(x) & as_tuples(rows)
    assert np.isnan(rows).mean(axis=0) == pytest.approx([0, 1 / 3, 0, 0], abs=0.01)
    assert np.nanmean(rows, axis=0) == pytest.approx(np.nanmean(x, axis=0), abs=0.02)
    assert np.nanstd(rows, axis=0) == pytest.approx(np.nanstd(x, axis=0), abs=0.05)
    assert set(rows[:, 3]) == {0, 1}, "a code has no values in between"


def test_a_column_without_any_value_stays_without() -> None:
    x = np.full((20, 1), np.nan, np.float32)
    assert background_rows(x) == ((None,),) * ROWS


def as_tuples(x: NDArray[np.floating]) -> set[tuple[float, ...]]:
    return {tuple(row) for row in np.round(np.nan_to_num(x.astype(np.float64), nan=9), 5).tolist()}
