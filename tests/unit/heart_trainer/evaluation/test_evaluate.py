"""Figures per group of sensitive features, and the gaps between them."""

from dataclasses import replace

import numpy as np
import pytest

from heart_api.contract import Feature
from heart_trainer.evaluation import bootstrap
from heart_trainer.evaluation.evaluate import measure
from heart_trainer.evaluation.metrics import wilson
from heart_trainer.evaluation.slices import groups
from heart_trainer.values import OutOfFoldResult, Table
from tests.support.trainer.evaluation_tables import FEATURES, make_oof, make_table, outcomes


def test_figures_lie_in_their_intervals_and_say_what_they_rest_on() -> None:
    y, output = outcomes()
    found = measure(make_table(y), FEATURES, make_oof(output), seed=42)
    assert {estimate.n for estimate in found.metrics.values()} == {300}
    assert {estimate.events for estimate in found.metrics.values()} == {min(int(y.sum()), int((1 - y).sum()))}
    assert all(estimate.low <= estimate.estimate <= estimate.high for estimate in found.metrics.values())
    assert found.metrics["roc_auc"].high - found.metrics["roc_auc"].low < 0.15


def test_a_group_that_is_served_worse_shows_as_a_gap() -> None:
    y, output = outcomes()
    table = make_table(y)
    women = table.x[:, 1] == 0
    output = np.where((women & (y == 1))[:, None], [[0.9, 0.1]], output)  # the model misses every ill woman
    found = measure(table, FEATURES, make_oof(output), seed=42)
    gap = next(gap for gap in found.gaps if (gap.feature, gap.metric) == ("sex", "recall"))
    assert gap.groups == ("male", "female")
    assert gap.gap.low > 0.5
    by_group = {(part.feature, part.group): part.metrics["recall"].estimate for part in found.slices}
    assert by_group["sex", "female"] == 0
    assert gap.gap.estimate == pytest.approx(by_group["sex", "male"])


def test_a_small_group_with_only_hits_is_not_certain() -> None:
    y = np.tile([0, 1], 10).astype(np.int64)
    output = np.where(y[:, None] == 1, [[0.1, 0.9]], [[0.9, 0.1]])
    found = measure(make_table(y), FEATURES, make_oof(output), seed=0)
    assert found.metrics["recall"].estimate == 1
    assert 0.6 < found.metrics["recall"].low < 0.8


def test_numbers_are_grouped_in_ranges_that_hold_every_row() -> None:
    table = make_table(np.tile([0, 1], 200).astype(np.int64))
    ages = [group for group in groups(FEATURES, table.x) if group.feature == "age"]
    assert len(ages) == 4
    assert np.sum([group.rows for group in ages], axis=0).tolist() == [1] * 400
    assert ages[0].name.startswith("under ")
    assert ages[1].name.startswith("[")


def test_tiny_groups_are_left_out_and_missing_values_are_a_group() -> None:
    x = np.zeros((100, 3), dtype=np.float32)
    x[:9, 1] = 1
    x[9:40, 1] = np.nan
    found = {group.name: int(group.rows.sum()) for group in groups(FEATURES, x) if group.feature == "sex"}
    assert found == {"female": 60, "missing": 31}


def test_rows_without_an_honest_prediction_are_not_judged() -> None:
    y, output = outcomes()
    kept_out = np.arange(300) < 120
    oof = replace(make_oof(np.where(kept_out[:, None], output, np.nan)), fold=np.where(kept_out, 0, -1))
    found = measure(make_table(y), FEATURES, oof, seed=0)
    assert {estimate.n for estimate in found.metrics.values()} == {120}


def test_regression_and_multiclass_have_their_own_figures() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 3, 200)
    found = measure(make_table(y, ()), FEATURES, make_oof((y + rng.normal(0, 1, 200))[:, None]), seed=0)
    assert found.metrics["rmse"].low < 1 < found.metrics["rmse"].high
    assert found.metrics["r2"].events is None
    classes = rng.integers(0, 3, 200)
    output = rng.dirichlet((1, 1, 1), 200) * 0.4 + 0.6 * np.eye(3)[classes]
    found = measure(make_table(classes, (1, 2, 3)), FEATURES, make_oof(output), seed=0)
    assert found.metrics["roc_auc"].estimate > 0.95
    assert found.metrics["accuracy"].events == int(np.bincount(classes).min())


WARDS = (Feature(name="ward", type="category", values=("a", "b", "c"), sensitive=True), FEATURES[1])


def three_wards() -> tuple[Table, OutOfFoldResult]:
    """In ward c one of ten predictions is right, in a every second one, in b nine of ten; the same for both sexes."""
    rows = 300
    y = np.arange(rows) // 3 % 2
    table = make_table(y.astype(np.int64))
    ward, turn = np.arange(rows) % 3, np.arange(rows) // 6
    right = turn % 10 < np.array([5, 9, 1])[ward]
    p = np.where(right, np.where(y == 1, 0.8, 0.2), np.where(y == 1, 0.3, 0.7))
    x = np.column_stack([ward, turn // 10 % 2]).astype(np.float32)
    return replace(table, x=x), make_oof(np.column_stack([1 - p, p]))


def test_a_gap_is_between_the_groups_that_are_served_best_and_worst() -> None:
    table, oof = three_wards()
    found = measure(table, WARDS, oof, seed=1)
    ward = next(gap for gap in found.gaps if (gap.feature, gap.metric) == ("ward", "accuracy"))
    assert ward.groups == ("b", "c")
    assert ward.gap.estimate == pytest.approx(0.8)
    assert 0.6 < ward.gap.low < 0.8 < ward.gap.high < 1
    sex = next(gap for gap in found.gaps if (gap.feature, gap.metric) == ("sex", "accuracy"))
    assert set(sex.groups) == {"female", "male"}
    assert sex.gap.low < 0.1, "no gap"
    assert sex.gap.high < 0.3


def test_a_single_group_has_no_gap() -> None:
    table, oof = three_wards()
    found = measure(replace(table, x=np.zeros_like(table.x)), WARDS, oof, seed=1)
    assert [part.group for part in found.slices] == ["a", "female"]
    assert found.gaps == ()


def test_equal_seeds_give_equal_figures_of_groups_and_gaps() -> None:
    table, oof = three_wards()
    first, again = (measure(table, WARDS[:1], oof, seed=1) for _ in range(2))
    assert first == again
    assert {gap.feature for gap in first.gaps} == {"ward"}


def test_groups_of_different_numbers_of_resamples_have_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "CELLS", 60_000)
    table, oof = three_wards()
    few = replace(table, x=np.column_stack([np.where(table.x[:, 0] == 2, 2, 1), table.x[:, 1]]).astype(np.float32))
    gap = next(
        gap for gap in measure(few, WARDS, oof, seed=1).gaps if (gap.feature, gap.metric) == ("ward", "accuracy")
    )
    assert gap.groups == ("b", "c")
    assert gap.gap.low < gap.gap.estimate < gap.gap.high


@pytest.mark.parametrize(("output", "name", "hits", "of"), [(0.4, "recall", 0, 8), (0.5, "precision", 1, 8)])
def test_what_all_rows_agree_on_is_as_certain_as_there_are_rows(output: float, name: str, hits: int, of: int) -> None:
    """Eight are ill of twenty; a probability of one half is flagged."""
    ill = np.arange(20) < 8
    p = np.where(ill, output, 0.1)
    found = measure(make_table(ill.astype(np.int64)), (), make_oof(np.column_stack([1 - p, p])), seed=0).metrics[name]
    low, high = wilson(float(hits), of)
    assert (found.estimate, found.low, found.high) == pytest.approx((hits, float(low), float(high)))


def test_a_calibration_error_may_be_nothing_though_resamples_only_add_to_it() -> None:
    p = np.tile([0.25] * 4 + [0.75] * 4, 25)
    y = np.tile([0, 0, 1, 1, 1, 1, 1, 0], 25)
    found = measure(make_table(y), (), make_oof(np.column_stack([1 - p, p])), seed=0).metrics["ece"]
    assert found.estimate == pytest.approx(0.125)
    assert found.low < 0.06
