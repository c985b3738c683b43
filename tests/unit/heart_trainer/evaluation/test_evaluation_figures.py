"""The evaluation at its boundaries: each figure by hand, each finding word for word."""

from dataclasses import replace
from math import log, sqrt
from typing import Any

import numpy as np
import pytest

from heart_api.contract import Feature, Target
from heart_api.evaluation import Estimate
from heart_trainer.evaluation import bootstrap, leaks
from heart_trainer.evaluation.bootstrap import Sample, draw, interval, replicate, resamples
from heart_trainer.evaluation.compare import NotComparable, compare, out_of_fold
from heart_trainer.evaluation.evaluate import estimates, judged_sample, measure
from heart_trainer.evaluation.findings import (
    better_than_chance,
    duplicates,
    in_sample,
    not_compared,
    onnx_parity,
    positive_class,
    training_findings,
)
from heart_trainer.evaluation.leaks import leakage, learnt_rows
from heart_trainer.evaluation.metrics import (
    bins,
    expected_calibration_error,
    log_odds,
    net_benefit,
    off_zero,
    point,
    wilson,
)
from heart_trainer.evaluation.slices import groups
from heart_trainer.evaluation.weighted import weighted
from heart_trainer.values import Parity
from tests.support.trainer.evaluation_tables import FEATURES, make_fitted, make_oof, make_table, outcomes
from tests.unit.heart_trainer.evaluation.test_compare import _never, _serving


def probabilities(*positive: float) -> Any:
    p = np.asarray(positive)
    return np.column_stack([1 - p, p])


# --- metrics -------------------------------------------------------------------------------------


Y = np.array([1, 1, 1, 0, 0, 0, 0, 1])
P = probabilities(0.9, 0.5, 0.4, 0.6, 0.49, 0.1, 0.2, 0.8)


def test_figures_of_two_classes_by_hand() -> None:
    """0.5 itself is flagged: three of four hits among four flagged ones."""
    found = point("binary", Y, P)
    assert (found["accuracy"], found["precision"], found["recall"]) == (0.75, 0.75, 0.75)
    assert found["net_benefit"] == pytest.approx(3 / 8 - 1 / 8)
    assert found["brier"] == pytest.approx(np.mean((P[:, 1] - Y) ** 2))
    assert found["log_loss"] == pytest.approx(-np.mean(np.log(np.where(Y == 1, P[:, 1], P[:, 0]))))
    assert found["roc_auc"] == pytest.approx(13 / 16)
    assert list(found) == list(point("binary", Y, P))


def test_certain_and_wrong_is_infinitely_bad_but_finite() -> None:
    found = point("binary", np.array([0, 1, 0, 1]), probabilities(1.0, 0.0, 0.2, 0.9))
    assert found["log_loss"] == pytest.approx(-(2 * log(1e-6) + log(0.8) + log(0.9)) / 4)
    assert log_odds(np.array([0.0, 1.0]))[1] == pytest.approx(log((1 - 1e-6) / 1e-6))


def test_the_least_that_can_be_said_of_few_rows() -> None:
    assert point("regression", np.array([1.0]), np.array([[1.0]])) == {}
    assert point("binary", np.array([], dtype=int), np.empty((0, 2))) == {}
    ill, well = np.array([1, 1]), np.array([0, 0])
    assert point("binary", ill, probabilities(0.5, 0.4)) == pytest.approx(
        {"accuracy": 0.5, "brier": (0.25 + 0.36) / 2, "recall": 0.5}
    )
    assert point("binary", well, probabilities(0.5, 0.4)) == pytest.approx(
        {"accuracy": 0.5, "brier": (0.25 + 0.16) / 2}
    )
    assert point("binary", np.array([1]), probabilities(0.9)) == pytest.approx(
        {"accuracy": 1.0, "brier": 0.01, "recall": 1.0}
    )
    three = np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]])
    assert point("multiclass", np.array([2, 2]), three) == {"accuracy": 0.5}


def test_without_a_flagged_row_there_is_no_precision() -> None:
    found = point("binary", np.array([0, 1, 1]), probabilities(0.1, 0.2, 0.3))
    assert "precision" not in found
    assert (found["recall"], found["f1"]) == (0.0, 0.0)


def test_figures_of_several_classes_by_hand() -> None:
    y = np.array([0, 1, 2, 2])
    output = np.array([[2.0, 1.0, 1.0], [1, 1, 2], [1, 1, 2], [0, 0, 4]])
    found = point("multiclass", y, output)
    assert found["accuracy"] == 0.75
    assert found["recall"] == pytest.approx((1 + 0 + 1) / 3)
    assert found["precision"] == pytest.approx((1 + 0 + 2 / 3) / 3)
    rows = output / output.sum(axis=1, keepdims=True)
    assert found["brier"] == pytest.approx(np.mean(((rows - np.eye(3)[y]) ** 2).sum(axis=1)))
    assert "roc_auc" in found
    assert "roc_auc" not in point("multiclass", np.array([0, 0, 2, 2]), output)


def test_figures_of_a_regression_by_hand() -> None:
    y, predicted = np.array([1.0, 2.0, 4.0]), np.array([[1.0], [3.0], [2.0]])
    found = point("regression", y, predicted)
    assert found == pytest.approx({"rmse": sqrt(5 / 3), "mae": 1.0, "r2": 1 - 5 / np.sum((y - y.mean()) ** 2)})


def test_net_benefit_weighs_false_alarms_by_the_thresholds_odds() -> None:
    assert net_benefit(Y, P[:, 1], 0.2) == pytest.approx(4 / 8 - 3 / 8 * 0.25)


def test_bins_of_equal_width() -> None:
    assert bins(np.array([0.0, 0.099, 0.1, 0.95, 1.0])).tolist() == [0, 0, 1, 9, 9]
    stated, right = np.array([0.05, 0.05, 0.95, 0.95]), np.array([False, True, True, True])
    assert expected_calibration_error(stated, right) == pytest.approx((0.9 + 0.1) / 4)


def test_rows_of_probabilities_still_add_up() -> None:
    found = off_zero(np.array([[0.0, 1.0], [0.5, 0.5]]))
    assert found[0].tolist() == pytest.approx([1e-6 / (1 + 1e-6), 1 / (1 + 1e-6)])
    assert found.sum(axis=1).tolist() == pytest.approx([1.0, 1.0])


def test_wilsons_interval_by_its_formula() -> None:
    low, high = wilson(0.75, 40)
    z2 = 1.959964**2
    centre, half = 0.75 + z2 / 80, 1.959964 * sqrt(0.75 * 0.25 / 40 + z2 / 6400)
    assert (float(low), float(high)) == pytest.approx(
        ((centre - half) / (1 + z2 / 40), (centre + half) / (1 + z2 / 40))
    )
    assert float(wilson(0.0, 5)[0]) == 0.0


def test_weights_are_repetitions_also_where_a_class_is_missing() -> None:
    weights = np.array([[1.0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 1, 1, 0, 0, 0]])
    found = weighted("binary", Y, P, weights)
    assert found["accuracy"].tolist() == [1.0, 0.5]
    assert found["recall"][0] == 1.0
    assert np.isnan(found["recall"][1])
    assert found["precision"].tolist() == [1.0, 0.0]
    assert np.isnan(found["roc_auc"]).all()
    assert found["net_benefit"].tolist() == [1.0, -0.5]
    constant = weighted("binary", np.ones(3, dtype=int), probabilities(0.2, 0.6, 0.9), np.ones((2, 3)))
    assert np.isnan(constant["calibration_slope"]).all()


# --- bootstrap -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "count"), [(0, 1000), (303, 1000), (8000, 1000), (10_000, 800), (40_000, 200), (10**6, 200)]
)
def test_large_tables_get_fewer_resamples(rows: int, count: int) -> None:
    assert resamples(rows) == count


def test_what_a_sample_rests_on() -> None:
    y, group = np.array([0, 0, 1, 1, 1]), np.array([7, 7, 8, 9, 9])
    sample = Sample("binary", y, probabilities(0.1, 0.1, 0.9, 0.8, 0.8), group)
    assert (sample.n, sample.events) == (3, 1)
    assert replace(sample, task="regression").events is None
    kept = sample.take(y == 1)
    assert (kept.n, kept.events, kept.output.shape) == (2, 0, (3, 2))
    assert Sample("multiclass", np.array([0, 0, 2]), np.ones((3, 4)), np.arange(3)).events == 0


def test_equal_rows_are_drawn_together_and_classes_keep_their_number() -> None:
    y, group = np.array([0, 0, 1, 1, 1, 1]), np.array([5, 5, 6, 6, 7, 8])
    sample = Sample("binary", y, np.ones((6, 2)), group)
    (weights,) = draw(sample, 0)
    assert weights.shape == (1000, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 3]).all()
    assert set(weights[:, 0]) == {1.0}, "the only group of its class"
    assert set(weights[:, [2, 4, 5]].sum(axis=1)) == {3.0}
    other = np.concatenate(list(draw(sample, 1)))
    assert not np.array_equal(weights, other)
    numbers = np.concatenate(list(draw(replace(sample, task="regression"), 0)))
    assert set(numbers[:, [0, 2, 4, 5]].sum(axis=1)) == {4.0}
    assert set(numbers[:, 0]) > {0.0, 1.0}, "a regression has no classes to keep"


def test_batches_make_no_difference_to_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Sample("regression", np.arange(30.0), np.ones((30, 1)), np.arange(30))
    monkeypatch.setattr(bootstrap, "BATCH_CELLS", 30 * 300)
    assert [len(batch) for batch in draw(sample, 0)] == [300, 300, 300, 100]
    found = replicate(sample, 0)
    assert {len(values) for values in found.values()} == {1000}


def test_intervals_are_percentiles_that_hold_the_estimate() -> None:
    values = np.arange(1001) / 1000
    assert interval("roc_auc", 0.5, values) == pytest.approx((0.025, 0.975))
    assert interval("roc_auc", 0.99, values) == pytest.approx((0.025, 0.99))
    assert interval("roc_auc", 0.01, values) == pytest.approx((0.01, 0.975))


def test_the_calibration_error_is_mirrored_at_its_estimate() -> None:
    values = 0.1 + np.arange(1001) / 10_000
    assert interval("ece", 0.14, values) == pytest.approx((0.28 - 0.1975, 0.28 - 0.1025))
    assert interval("ece", 0.05, values) == pytest.approx((0.0, 0.05))


def test_a_metric_that_most_resamples_do_not_define_has_no_interval() -> None:
    half = np.array([0.5, 0.6, np.nan, np.nan])
    assert interval("recall", 0.5, half) == pytest.approx((0.5, 0.5975), abs=1e-9)
    assert interval("recall", 0.5, np.array([0.5, np.nan, np.inf])) is None


# --- slices --------------------------------------------------------------------------------------


def named(features: tuple[Feature, ...], *columns: Any) -> dict[str, int]:
    x = np.column_stack(columns).astype(np.float32)
    return {f"{group.feature} {group.name}": int(group.rows.sum()) for group in groups(features, x)}


def test_groups_of_each_type() -> None:
    flag = Feature(name="b", type="boolean", sensitive=True)
    assert named((flag,), [0] * 10 + [1] * 12 + [np.nan] * 11) == {"b false": 10, "b true": 12, "b missing": 11}
    assert named((flag,), [0] * 9 + [1] * 12) == {"b true": 12}, "nine people could be recognized"
    category = Feature(name="c", type="category", values=("x", 7), sensitive=True)
    assert named((category,), [0] * 10 + [1] * 10) == {"c x": 10, "c 7": 10}
    assert named((category.model_copy(update={"sensitive": False}),), [0] * 10) == {}
    second = (category.model_copy(update={"sensitive": False}), flag)
    assert named(second, [0] * 20, [1] * 20) == {"b true": 20}


def test_a_number_of_few_values_is_grouped_by_value_and_others_in_quarters() -> None:
    age = Feature(name="a", type="number", sensitive=True)
    assert named((age,), [0.5] * 10 + [2] * 10 + [3] * 10 + [4] * 10) == {"a 0.5": 10, "a 2": 10, "a 3": 10, "a 4": 10}
    assert named((age,), np.arange(80)) == {"a under 20": 20, "a [20, 40)": 20, "a [40, 59)": 19, "a 59 and over": 21}
    five = np.repeat([1, 2, 3, 4, 5], 20)
    assert list(named((age,), five)) == ["a under 2", "a [2, 3)", "a [3, 4)", "a 4 and over"]
    skewed = [0] * 60 + list(range(1, 21))
    assert named((age,), skewed) == {"a [0, 0.25)": 60, "a 0.25 and over": 20}


# --- measuring -----------------------------------------------------------------------------------


def test_a_measurement_has_metrics_slices_and_gaps_of_what_was_judged() -> None:
    y, output = outcomes()
    table, oof = make_table(y), make_oof(output)
    found = measure(table, FEATURES, oof, seed=7)
    assert found.metrics == estimates(judged_sample(table, oof), 7)
    assert {part.feature for part in found.slices} == {"age", "sex"}
    assert {(gap.feature, len(gap.groups)) for gap in found.gaps} == {("age", 2), ("sex", 2)}
    sex = {part.group: part.metrics["accuracy"] for part in found.slices if part.feature == "sex"}
    gap = next(gap for gap in found.gaps if (gap.feature, gap.metric) == ("sex", "accuracy"))
    greatest, least = (sex[name] for name in gap.groups)
    assert gap.gap.estimate == pytest.approx(greatest.estimate - least.estimate)
    assert gap.gap.estimate >= 0
    assert gap.gap.n == min(greatest.n, least.n)
    assert gap.gap.events == (greatest if greatest.n < least.n else least).events
    assert gap.gap.low <= gap.gap.estimate <= gap.gap.high


@pytest.mark.parametrize(("name", "rows"), [("recall", 10), ("precision", 10), ("accuracy", 20)])
def test_unanimous_rows_have_wilsons_interval(name: str, rows: int) -> None:
    y = np.tile([0, 1], 10).astype(np.int64)
    found = measure(make_table(y), (), make_oof(probabilities(*np.where(y == 1, 0.9, 0.1))), seed=0).metrics[name]
    low, high = wilson(1.0, rows)
    assert (found.estimate, found.low, found.high) == pytest.approx((1.0, float(low), float(high)))


def test_a_constant_figure_that_is_no_share_of_hits_has_no_width() -> None:
    y = np.tile([0.0, 1.0], 10)
    found = measure(make_table(y, ()), (), make_oof(y[:, None]), seed=0).metrics
    assert (found["rmse"].low, found["rmse"].high) == (0.0, 0.0)


# --- comparison ----------------------------------------------------------------------------------


def test_a_difference_is_the_candidates_less_the_serving_ones() -> None:
    y, output = outcomes()
    table = make_table(y)
    worse = 0.5 + (output - 0.5) * 0.5
    serving = _serving(FEATURES, out_of_fold(table, make_oof(worse)))
    found = compare(table, FEATURES, make_oof(output), serving, _never, seed=3)
    assert found.against == serving.reference
    ours, theirs = point("binary", y, output), point("binary", y, worse)
    assert set(found.metrics) == set(ours)
    for name, each in found.metrics.items():
        assert (each.candidate, each.serving) == pytest.approx((ours[name], theirs[name]))
        assert each.difference == pytest.approx(ours[name] - theirs[name])
        assert each.low <= each.difference <= each.high
        assert (each.n, each.events) == (300, int(min(y.sum(), (1 - y).sum())))
    assert found.metrics["brier"].high < 0, "it is surely better"


def test_two_rows_at_least_are_compared() -> None:
    y, output = outcomes()
    table, oof = make_table(y), make_oof(output)

    def stored(rows: int) -> Any:
        kept = replace(oof, fold=np.where(np.arange(300) < rows, 0, -1))
        return _serving(FEATURES, out_of_fold(table, kept))

    two = [int(np.flatnonzero(y == value)[0]) for value in (0, 1)]
    order = np.array([*two, *(row for row in range(300) if row not in two)])
    mixed = replace(table, y=y[order])
    found = compare(mixed, FEATURES, make_oof(output[order]), stored(2), _never, seed=0)
    assert found.metrics["accuracy"].n == 2
    with pytest.raises(NotComparable, match=r"^no row has an honest prediction of both versions$"):
        compare(mixed, FEATURES, make_oof(output[order]), stored(1), _never, seed=0)


def test_why_two_versions_cannot_be_compared() -> None:
    y, output = outcomes()
    table = make_table(y)
    stored = out_of_fold(table, make_oof(output)).model_copy(update={"predictions": {}})
    other = Feature(name="other", type="number")
    with pytest.raises(NotComparable) as raised:
        compare(table, FEATURES, make_oof(output), _serving((other, replace_type(FEATURES[0])), stored), _never, 0)
    assert str(raised.value) == "it needs other, age as in its own data contract, which has changed since"
    with pytest.raises(NotComparable) as raised:
        compare(table, FEATURES, make_oof(output), _serving(FEATURES, stored, ("a", "b")), _never, 0)
    assert str(raised.value) == "it answers another question (task or classes differ)"


def replace_type(feature: Feature) -> Feature:
    return feature.model_copy(update={"type": "integer"})


# --- findings ------------------------------------------------------------------------------------


def figure(estimate: float, low: float, high: float) -> Estimate:
    return Estimate(n=200, events=90, estimate=estimate, low=low, high=high)


@pytest.mark.parametrize(
    ("name", "high", "verdict", "message"),
    [
        ("roc_auc", 0.5, "Passed", "roc_auc 0.400 (0.300 to 0.500) is not below chance (0.5)"),
        (
            *("roc_auc", 0.499, "Failed"),
            "roc_auc 0.400 (0.300 to 0.499) is worse than chance (0.5): are the classes in the right order?",
        ),
        ("r2", 0.5, "Passed", "r2 0.400 (0.300 to 0.500) is not below chance (0)"),
    ],
)
def test_what_is_said_of_chance(name: str, high: float, verdict: str, message: str) -> None:
    (found,) = better_than_chance({name: figure(0.4, 0.3, high), "accuracy": figure(0, 0, 0)})
    assert (found.name, found.verdict, found.message) == ("chance", verdict, message)


def test_what_is_said_of_a_regression_below_chance() -> None:
    (found,) = better_than_chance({"r2": figure(-0.5, -0.9, -0.1)})
    assert found.message == "r2 -0.500 (-0.900 to -0.100) is worse than chance (0): the mean alone predicts better"


@pytest.mark.parametrize(("repeated", "verdict"), [(20, "Passed"), (21, "InsufficientEvidence")])
def test_what_is_said_of_repeated_rows(repeated: int, verdict: str) -> None:
    table = replace(make_table(np.tile([0, 1], 100)), duplicates=repeated)
    remark = ": coarse features make different cases equal; if the file holds cases twice, give each once"
    found = duplicates(table)
    assert (found.name, found.verdict) == ("duplicates", verdict)
    assert found.message == (
        f"{repeated} of 200 rows (10%) repeat another one (equal rows share a fold){'' if repeated == 20 else remark}"
    )


def test_equal_inputs_with_different_outcomes() -> None:
    table = make_table(np.tile([0, 1], 100))
    pairs = replace(table, groups=np.arange(200) // 2)
    assert "; 200 rows have equal inputs and different outcomes" in duplicates(pairs).message
    numbers = replace(make_table(np.arange(200.0), ()), groups=np.arange(200) // 2)
    assert "different outcomes" not in duplicates(numbers).message


def test_the_other_findings_word_for_word() -> None:
    table = make_table(np.tile([0, 1], 100))
    (found,) = positive_class(table, Target(name="num"))
    assert (found.name, found.verdict) == ("positive-class", "InsufficientEvidence")
    assert found.message == (
        "ill is the positive class, because it comes after healthy in the alphabet: name the right one in"
        " spec.target.positive"
    )
    found = not_compared("3", "it has gone")
    assert (found.name, found.verdict) == ("comparison", "InsufficientEvidence")
    assert found.message == "not compared with version 3, the serving version: it has gone"
    found = onnx_parity(Parity(3e-7, 1e-5))
    assert (found.name, found.verdict) == ("parity", "Passed")
    assert found.message == "pipeline and ONNX model differ by at most 3.0e-07 (bound 1.0e-05)"
    found = in_sample("name other rows")
    assert (found.name, found.verdict) == ("in-sample", "InsufficientEvidence")
    assert found.message == "not out of fold, a best case: name other rows"


def test_a_training_has_every_finding() -> None:
    y, output = outcomes()
    metrics = {"roc_auc": figure(0.8, 0.7, 0.9)}
    left_out = (in_sample("left out"),)
    fitted = replace(make_fitted(output), left_out=left_out)
    found = training_findings(make_table(y), FEATURES, Target(name="num"), metrics, fitted)
    assert [each.name for each in found] == [
        *("leakage", "chance", "duplicates", "positive-class", "parity", "in-sample"),
    ]


# --- leaks ---------------------------------------------------------------------------------------


def noise(rows: int = 200) -> Any:
    return make_table(np.random.default_rng(3).integers(0, 2, rows))


@pytest.mark.parametrize(("rows", "verdict"), [(49, "InsufficientEvidence"), (50, "Passed")])
def test_fifty_rows_tell_a_leak(rows: int, verdict: str) -> None:
    found = leakage(noise(rows), (), {})
    assert (found.name, found.verdict) == ("leakage", verdict)
    few = "49 distinct rows are too few to tell a good model from a leak; 50 are needed"
    assert found.message == (few if rows == 49 else "no column alone gives the target away")
    repeated = noise(100)
    assert leakage(replace(repeated, groups=np.arange(100) // 3), (), {}).verdict == "InsufficientEvidence"


def test_a_high_figure_is_named() -> None:
    metrics = {"roc_auc": figure(0.995, 0.992, 1.0), "r2": figure(0.995, 0.9901, 1.0)}
    ends = ": check that every column is known before the outcome)"
    assert leakage(noise(), (), metrics).message == (
        f"no column alone gives the target away (roc_auc is at least 0.992 and r2 is at least 0.990{ends}"
    )
    at_bound = {"roc_auc": figure(0.995, 0.99, 1.0)}
    assert leakage(noise(), (), at_bound).message == "no column alone gives the target away"


def test_columns_that_give_the_target_away_are_named_together() -> None:
    table = noise()
    x = table.x.copy()
    x[:, 0], x[:, 2] = np.where(table.y == 1, 60, 50), np.where(table.y == 1, 1, 0)
    found = leakage(replace(table, x=x), FEATURES, {})
    assert (found.name, found.verdict) == ("leakage", "Failed")
    assert found.message == (
        "age, pain alone predicts the target almost perfectly: was it written down after the outcome? If it is known"
        " before the outcome, allow it with spec.gates.leakage: Warn"
    )


def test_a_class_of_two_rows_is_too_small_to_tell() -> None:
    """One of the three folds has none of them."""
    table = make_table((np.arange(60) < 2).astype(np.int64))
    x = table.x.copy()
    x[:, 0] = table.y
    assert leakage(replace(table, x=x), FEATURES[:1], {}).verdict == "Passed"


def test_a_version_that_knows_its_rows_by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "honest_figure", lambda table: 0.987)
    high = {"roc_auc": figure(0.9912, 0.9, 1.0)}
    found = learnt_rows(noise(), (), high, "name other rows")
    assert (found.name, found.verdict) == ("leakage", "Failed")
    assert found.message == (
        "roc_auc 0.991 is too good to be true: plain models that have not seen the rows reach 0.987; name other rows"
    )
    assert learnt_rows(noise(), (), {"roc_auc": figure(0.99, 0.9, 1.0)}, "x").verdict == "Passed"
    assert learnt_rows(noise(49), (), high, "x").verdict == "InsufficientEvidence"
    monkeypatch.setattr(leaks, "honest_figure", lambda table: 0.99)
    assert learnt_rows(noise(), (), high, "x").verdict == "Passed", "plain models reach as much"


def test_a_leak_and_learnt_rows_are_both_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "honest_figure", lambda table: 0.5)
    table = noise()
    x = table.x.copy()
    x[:, 0] = np.where(table.y == 1, 60, 50)
    found = learnt_rows(replace(table, x=x), FEATURES, {"roc_auc": figure(0.995, 0.9, 1.0)}, "advice")
    assert found.message.startswith("age alone predicts")
    assert "; roc_auc 0.995 is too good to be true" in found.message
