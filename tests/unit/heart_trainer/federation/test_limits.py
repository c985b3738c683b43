"""Minimum cells: what is merged keeps its totals, and costs the figures little."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heart_trainer.federation.federate import Federation, run_study
from heart_trainer.federation.limits import LIMITS, NotLimited, deal, groups, limited
from heart_trainer.job_federation import _measure, study_of
from heart_trainer.sums import requests
from heart_trainer.sums.paired import PairedRequest, count_error_pairs
from heart_trainer.sums.scores import Scale, ScoreRequest, cells_of, count_cells, stack
from heart_trainer.sums.split import cross_validation
from tests.support.trainer.federation import three_sites, together


def score_request(tables: int) -> ScoreRequest:
    return ScoreRequest(cross_validation(3), tuple([None] * tables))  # type: ignore[arg-type]


@given(st.integers(0, 10_000), st.integers(1, 400), st.integers(2, 12))
def test_a_table_of_scores_keeps_its_rows_and_their_probabilities(seed: int, rows: int, minimum: int) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, rows).astype(float), rng.random(rows) ** 3
    sums = stack([count_cells(y, p, None)], False)
    found = limited(score_request(1), sums, minimum)
    counts = found["rows"][found["rows"] > 0]
    assert (counts >= minimum).all()
    by_class = np.bincount(y.astype(int), minlength=2)
    if ((by_class > 0) & (by_class < minimum)).any():
        assert not found["rows"].any()
        return
    assert np.array_equal(found["rows"].sum(axis=(0, 2)), by_class)
    assert abs(found["probability"].sum() - p.sum()) <= rows * 5e-4  # told to half a thousandth
    cells_of(found, 0)  # means are inside their bins


@given(st.lists(st.integers(0, 20), min_size=1, max_size=40), st.lists(st.integers(0, 50), min_size=1, max_size=8))
def test_what_is_dealt_adds_up(counts: list[int], sizes: list[int]) -> None:
    dealt = deal(np.array(counts), np.array(sizes))
    assert (dealt >= 0).all()
    if sum(sizes):
        assert dealt.sum(axis=0).tolist() == counts
        expected = np.array(sizes) * sum(counts) / sum(sizes)
        assert np.abs(dealt.sum(axis=1) - expected).max() <= len(sizes)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(1, 12))
def test_groups_hold_every_filled_cell_once(rows: list[int], minimum: int) -> None:
    found = groups(np.array(rows), minimum)
    members = [int(place) for group in found for place in group]
    assert members == sorted(members)
    if sum(rows) >= minimum:
        assert members == [place for place, count in enumerate(rows) if count]
    assert all(sum(rows[place] for place in group) >= minimum for group in found)


def test_every_kind_of_request_has_limits() -> None:
    """A new statistic must not be answered before somebody has said what its small cells are."""
    assert set(LIMITS) == set(requests.KINDS.values())
    sums = stack([count_cells(np.zeros(3), np.zeros(3), None)], False)
    with pytest.raises(NotLimited):
        limited(object(), sums, 5)  # type: ignore[arg-type]


def figures(minimum: int) -> tuple[Federation, dict[str, float]]:
    sites = [site.model_copy(update={"minimum_cell": minimum}) for site in three_sites()]
    federation, _ = together(sites)
    federation.join()
    trained, answers = run_study(study_of(federation.request, federation), federation)
    measured = _measure(trained, answers, federation)
    return federation, {name: one.estimate for name, one in measured.metrics.items()}


def test_minimum_cells_cost_the_figures_little() -> None:
    """docs/federated.md states these bounds."""
    exact, merged = figures(1)[1], figures(5)[1]
    assert abs(exact["roc_auc"] - merged["roc_auc"]) < 0.005
    assert abs(exact["brier"] - merged["brier"]) < 0.005
    assert abs(exact["accuracy"] - merged["accuracy"]) < 0.02


def test_a_table_is_empty_where_a_class_is_too_small() -> None:
    y = np.array([1.0] * 3 + [0.0] * 40)
    sums = stack([count_cells(y, np.linspace(0, 1, 43), None)], False)
    assert not limited(score_request(1), sums, 5)["rows"].any()
    assert limited(score_request(1), sums, 1)["rows"].sum() == 43


def test_a_regression_keeps_its_sums() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(10, 3, 200)
    output = y + rng.normal(0, 1, 200)
    request = ScoreRequest(cross_validation(3), (None,), Scale(10, 3))  # type: ignore[arg-type]
    sums = stack([count_cells(y, output, Scale(10, 3))], True)
    found = limited(request, sums, 5)
    assert (found["rows"][found["rows"] > 0] >= 5).all()
    for name in ("rows", "absolute", "squared", "target", "target_squared"):
        assert np.isclose(found[name].sum(), sums[name].sum())


def test_a_comparison_of_regressions_keeps_its_sums_in_large_cells() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(10, 3, 200)
    candidate, serving = (y + rng.normal(0, 1, 200) for _ in range(2))
    request = PairedRequest(cross_validation(3), (), (), Scale(10, 3))
    sums = count_error_pairs(request.schema(), y, candidate, serving, Scale(10, 3))
    found = limited(request, sums, 5)
    assert (found["rows"][found["rows"] > 0] >= 5).all()
    for name, value in sums.values.items():
        assert np.isclose(found[name].sum(), value.sum())
