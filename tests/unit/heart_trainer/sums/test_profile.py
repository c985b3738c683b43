"""Drift profiles from histograms, and what small cells show of single rows: nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heart_trainer.package.profile import feature_profiles
from heart_trainer.sums.profile import build_profile, merge_small, score_percentiles
from heart_trainer.sums.scores import cells_of, count_cells, stack
from tests.support.trainer.pooled import FEATURES, cohort, holders, run, study

COUNTS = arrays(np.int64, 40, elements=st.integers(0, 6))


@given(COUNTS, st.integers(2, 12))
def test_no_cell_with_few_rows_is_left_and_no_row_is_lost(counts: np.ndarray, minimum: int) -> None:
    merged = merge_small(counts, minimum)
    assert ((merged == 0) | (merged >= minimum)).all()
    assert merged.sum() == (counts.sum() if counts.sum() >= minimum else 0)


@given(COUNTS)
def test_a_minimum_of_one_changes_nothing(counts: np.ndarray) -> None:
    assert np.array_equal(merge_small(counts, 1), counts)


def profile_of(minimum: int):  # type: ignore[no-untyped-def]
    rows = cohort(900, seed=1)
    trained = run(study(penalties=(10.0,)), holders(rows, 3))
    return rows, build_profile(trained.description, FEATURES, {}, minimum)


def test_a_profile_from_sums_is_that_of_the_rows() -> None:
    rows, profile = profile_of(1)
    assert profile.rows == 900
    for found, expected, index in zip(
        profile.features,
        feature_profiles(_Table(rows.x), FEATURES),
        range(13),
        strict=True,  # type: ignore[arg-type]
    ):
        assert (found.name, found.counts) == (expected.name, expected.counts)
        assert abs(found.missing - expected.missing) < 1e-12
        if expected.quantiles:
            step = np.ptp(rows.x[:, index][~np.isnan(rows.x[:, index])]) / 500
            np.testing.assert_allclose(found.quantiles, expected.quantiles, atol=step)


def test_a_category_that_few_rows_have_is_not_shown() -> None:
    _, all_shown = profile_of(1)
    rare = {f.name: min(f.counts.values()) for f in all_shown.features if f.counts}
    name, count = min(((n, c) for n, c in rare.items() if c), key=lambda item: item[1])
    _, profile = profile_of(count + 1)
    shown = next(feature for feature in profile.features if feature.name == name)
    assert 0 in shown.counts.values()
    assert count not in shown.counts.values()


def test_percentiles_of_the_answers_come_from_the_cells() -> None:
    rng = np.random.default_rng(2)
    p, y = rng.beta(2, 5, 3000), rng.binomial(1, 0.3, 3000).astype(float)
    negative, positive = score_percentiles(cells_of(stack([count_cells(y, p, None)], False), 0))
    np.testing.assert_allclose(positive, np.quantile(p, np.linspace(0, 1, 101)), atol=0.002)
    np.testing.assert_allclose(negative, np.quantile(1 - p, np.linspace(0, 1, 101)), atol=0.002)


class _Table:
    def __init__(self, x: np.ndarray) -> None:
        self.x = x
