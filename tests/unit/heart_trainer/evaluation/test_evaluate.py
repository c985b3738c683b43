"""Figures per group of sensitive features, and the gaps between them."""

from dataclasses import replace

import numpy as np
import pytest

from heart_trainer.evaluation.evaluate import measure
from heart_trainer.evaluation.slices import groups
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
