"""Rows of merged cells, spread between their neighbours: totals stay, and figures come back to what they were."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from heart_trainer.federation.limits import limited
from heart_trainer.sums.additive import Sums
from heart_trainer.sums.figures import point
from heart_trainer.sums.scores import ScoreRequest, cells_of, count_cells, stack
from heart_trainer.sums.split import cross_validation
from heart_trainer.sums.spread import spread


def merged(y: np.ndarray[Any, Any], p: np.ndarray[Any, Any], minimum: int) -> Sums:
    asked: Any = ScoreRequest(cross_validation(3), (None,))  # type: ignore[arg-type]
    return limited(asked, stack([count_cells(y, p, None)], False), minimum)


@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(2, 15))
def test_rows_stay_and_means_stay_near(seed: int, rows: int, minimum: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, rows).astype(float), rng.random(rows) ** 2
    before = merged(y, p, minimum)
    after = spread(before)
    assert np.array_equal(after["rows"].sum(axis=2), before["rows"].sum(axis=2))
    assert np.abs(after["probability"].sum(axis=2) - before["probability"].sum(axis=2)).max() < 0.02 * rows
    cells_of(after, 0)  # means are inside their bins


def test_a_small_sites_ece_is_near_that_of_its_rows() -> None:
    """180 rows of a calibrated model: cells of ten would say .2."""
    apart: dict[str, list[float]] = {"merged": [], "spread": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        p = rng.beta(1, 3, 180)
        y = (rng.random(180) < p).astype(float)
        exact = point(cells_of(stack([count_cells(y, p, None)], False), 0))["ece"]
        celled = merged(y, p, 10)
        apart["merged"].append(abs(point(cells_of(celled, 0))["ece"] - exact))
        apart["spread"].append(abs(point(cells_of(spread(celled), 0))["ece"] - exact))
    assert np.mean(apart["spread"]) < 0.25 * np.mean(apart["merged"])


def test_nothing_is_made_of_an_empty_table() -> None:
    empty = merged(np.zeros(4), np.full(4, 0.3), 10)
    assert not spread(empty)["rows"].any()
