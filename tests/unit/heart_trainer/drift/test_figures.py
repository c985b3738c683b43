"""Drift and performance checks at their boundaries: each figure by hand, each message word for word."""

from datetime import UTC, datetime
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from heart_api.drift import CheckOutcome, CheckResult
from heart_api.driftstatus import DriftStatus, FeatureFinding
from heart_api.referenceprofile import FeatureProfile, ReferenceProfile
from heart_api.retrainschedule import DriftCheck, PerformanceCheck
from heart_api.schedulestatus import PerformanceStatus
from heart_log.values import Scored
from heart_trainer.drift.columns import Column, as_numbers, read_column
from heart_trainer.drift.decide import (
    FLOOR,
    LEVEL,
    Drift,
    Shift,
    compare,
    describe,
    find_drift,
    finding,
    is_too_much,
    judge,
    names_of,
    ranked,
)
from heart_trainer.drift.distances import Distances, distances
from heart_trainer.drift.outcome import encode, failed, write_outcome
from heart_trainer.drift.performance import judge_performance
from heart_trainer.drift.report import in_order, p_value
from heart_trainer.drift.statistics import (
    Evidence,
    category_tests,
    from_quantiles,
    ks_p_value,
    merge_rare,
    missing_tests,
    number_tests,
    rank_p_value,
    strongest,
)
from heart_trainer.outcome import LIMIT
from tests.support.trainer.drift_data import Row

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
HUNDRED = tuple(float(value) for value in range(101))
AGE = FeatureProfile(name="age", type="number", missing=0.0, quantiles=HUNDRED)
SEX = FeatureProfile(name="sex", type="category", missing=0.0, counts={"f": 60, "m": 40})


def array(*values: float) -> Any:
    return np.asarray(values, dtype=float)


# --- columns -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["number", "integer"])
def test_numbers_are_as_exact_as_the_model_gets_them(kind: Any) -> None:
    profile = FeatureProfile(name="x", type=kind, missing=0)
    rows = [Row({"x": value}) for value in (0.1, 3, True, "old", None)] + [Row({"x": 9}, redacted=("x",))]
    found = read_column(rows, profile)
    assert found.numbers.tolist() == [float(np.float32(0.1)), 3.0, 1.0]
    assert found.numbers.dtype == np.float64
    assert (found.rows, found.missing, found.missing_share, found.counts) == (5, 1, 0.2, {})
    assert as_numbers([]).shape == (0,)


def test_a_column_of_categories_has_no_numbers() -> None:
    found = read_column([Row({"sex": "f"}), Row({"sex": "f"}), Row({"sex": "m"}), Row({})], SEX)
    assert (found.counts, len(found.numbers), found.rows, found.missing) == ({"f": 2, "m": 1}, 0, 4, 1)
    assert read_column([], SEX).missing_share == 0.0


# --- statistics ----------------------------------------------------------------------------------


def test_shares_below_and_up_to_a_value() -> None:
    """Percentiles 0, 50 and 100 of a column in which half of the rows are 1: a jump at 1, then a slope to 3."""
    steps = from_quantiles((1.0, 1.0, 3.0))
    assert (steps.values.tolist(), steps.low.tolist(), steps.high.tolist()) == ([1.0, 3.0], [0.0, 1.0], [0.5, 1.0])
    low, high = steps.below(array(0.0, 1.0, 2.0, 3.0, 4.0))
    assert low.tolist() == [0.0, 0.0, 0.75, 1.0, 1.0]
    assert high.tolist() == [0.0, 0.5, 0.75, 1.0, 1.0]


def test_a_jump_in_the_middle_and_at_the_end() -> None:
    steps = from_quantiles((0.0, 2.0, 2.0, 4.0, 4.0))
    assert steps.values.tolist() == [0.0, 2.0, 4.0]
    assert steps.low.tolist() == [0.0, 0.25, 0.75]
    assert steps.high.tolist() == [0.0, 0.5, 1.0]
    assert [part.tolist() for part in steps.below(array(1.0, 3.0))] == [[0.125, 0.625]] * 2


def test_the_greatest_distance_between_the_two_distributions() -> None:
    """Sixty values at 80 and forty at 90: below 80 the training has 0.8 of its rows and the window none."""
    (found,) = number_tests(AGE, 1000, array(*[80.0] * 60, *[90.0] * 40))
    assert (found.statistic, found.value) == ("ks", pytest.approx(0.8))
    (low,) = number_tests(AGE, 1000, array(*[10.0] * 60, *[20.0] * 40))
    assert low.value == pytest.approx(0.8)
    (middle,) = number_tests(AGE, 1000, array(*[10.0] * 50, *[90.0] * 50))
    assert middle.value == pytest.approx(0.4)


def test_the_p_value_is_twice_the_smaller_of_two() -> None:
    values = array(*np.linspace(0, 100, 50).tolist())
    (same,) = number_tests(AGE, 1000, values)
    assert same.p_value == 1.0
    shifted = array(*np.linspace(20, 100, 50).tolist())
    (found,) = number_tests(AGE, 1000, shifted)
    distinct = np.unique(shifted)
    low, high = from_quantiles(HUNDRED).below(distinct)
    share = np.full(len(distinct), 1 / len(distinct))
    ranks = rank_p_value(low, high, share, shifted, 1000)
    assert found.p_value == pytest.approx(2 * min(ks_p_value(found.value, 50, 1000), ranks))


def test_rows_without_a_value_do_not_count_as_training() -> None:
    half = AGE.model_copy(update={"missing": 0.5})
    values = array(*[80.0] * 30)
    (found,) = number_tests(half, 100, values)
    (whole,) = number_tests(AGE, 50, values)
    assert found == whole
    assert number_tests(AGE.model_copy(update={"missing": 1.0}), 100, values) == []
    assert number_tests(AGE.model_copy(update={"quantiles": ()}), 100, values) == []
    assert number_tests(AGE, 100, array()) == []
    assert len(number_tests(AGE, 1, values)) == 1


def test_the_kolmogorov_smirnov_p_value() -> None:
    assert ks_p_value(0.3, 100, 300) == pytest.approx(stats.kstwo.sf(0.3, 75))
    assert ks_p_value(0.3, 1, 1) == pytest.approx(stats.kstwo.sf(0.3, 1))


def test_the_rank_p_value_and_its_correction_for_ties() -> None:
    """Half of the window at the first quartile, half at the median: its mean rank is a quarter below."""
    low = high = array(0.25, 0.5)
    share = array(0.5, 0.5)
    variance = (1 - 0.25) / 12 * (1 / 40 + 1 / 200)
    expected = 2 * stats.norm.sf(0.125 / sqrt(variance))
    assert rank_p_value(low, high, share, np.zeros(40), 200) == pytest.approx(expected)
    jump = rank_p_value(array(0.0), array(1.0), array(1.0), np.zeros(40), 200)
    assert jump == 1.0, "one value alone has no ranks"


def test_categories_are_compared_by_the_difference_of_their_shares() -> None:
    (found,) = category_tests(SEX, {"f": 10, "m": 30, "x": 10})
    assert (found.statistic, found.value) == ("chi2", pytest.approx(0.4))
    expected = stats.chi2_contingency([[60, 40, 0], [10, 30, 10]], correction=False).pvalue
    assert found.p_value == pytest.approx(expected)
    assert category_tests(SEX, {}) == []
    assert category_tests(SEX.model_copy(update={"counts": {}}), {"f": 3}) == []
    (same,) = category_tests(SEX.model_copy(update={"counts": {"f": 100}}), {"f": 50})
    assert (same.value, same.p_value) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("table", "merged"),
    [
        ([[90, 5, 5], [90, 5, 5]], [[90, 5, 5], [90, 5, 5]]),
        ([[90, 4, 4], [90, 4, 4]], [[90, 8], [90, 8]]),
        ([[90, 4, 50], [90, 4, 50]], [[90, 4, 50], [90, 4, 50]]),
        ([[90, 3, 0], [90, 3, 0]], [[90, 3], [90, 3]]),
        ([[900, 9, 9], [90, 0, 0]], [[900, 18], [90, 0]]),
    ],
)
def test_rare_values_are_counted_together(table: list[list[float]], merged: list[list[float]]) -> None:
    assert merge_rare(np.asarray(table, dtype=float)).tolist() == merged


def test_the_share_without_a_value() -> None:
    half = AGE.model_copy(update={"missing": 0.25})
    (found,) = missing_tests(half, 200, 40, 50)
    assert (found.statistic, found.value) == ("missing", pytest.approx(0.55))
    assert found.p_value == pytest.approx(stats.fisher_exact([[50, 150], [40, 10]]).pvalue)
    assert len(missing_tests(half, 200, 0, 50)) == 1, "values that were missing and are not any more"
    assert len(missing_tests(AGE, 200, 1, 50)) == 1
    assert missing_tests(AGE, 200, 0, 50) == []
    assert missing_tests(half, 200, 0, 0) == []


def test_the_least_p_value_counts_for_as_many_tests_as_were_made() -> None:
    assert strongest([]) is None
    one, two = Evidence("ks", 0.3, 0.2), Evidence("missing", 0.1, 0.01)
    assert strongest([one, two]) == Evidence("missing", 0.1, 0.02)
    assert strongest([Evidence("ks", 0.3, 0.7)] * 2) == Evidence("ks", 0.3, 1.0)


# --- distances -----------------------------------------------------------------------------------


def test_the_index_by_its_definition_with_half_a_row_in_each_bin() -> None:
    found = distances(SEX, Column(rows=10, missing=0, numbers=np.empty(0), counts={"f": 2, "m": 8}))
    live = array(2.5 / 11, 8.5 / 11)
    psi = sum((now - then) * log(now / then) for now, then in zip(live, (0.6, 0.4), strict=True))
    assert found
    assert found.psi == pytest.approx(psi)
    assert found.jensen_shannon == pytest.approx(jensenshannon([0.6, 0.4], [0.2, 0.8], base=2))
    assert found.out_of_range == 0


def test_a_value_of_the_window_alone_is_out_of_range() -> None:
    found = distances(SEX, Column(rows=10, missing=0, numbers=np.empty(0), counts={"f": 5, "m": 1, "x": 4}))
    assert found
    assert found.out_of_range == pytest.approx(0.4)
    share = 1e-4 / (1 + 1e-4)
    live = array(5.5, 1.5, 4.5) / 11.5
    trained = array(0.6 / (1 + 1e-4), 0.4 / (1 + 1e-4), share)
    assert found.psi == pytest.approx(float(np.sum((live - trained) * np.log(live / trained))))


def test_numbers_are_compared_in_tenths_of_the_training() -> None:
    values = array(-5, 5, 15, 15, 95, 100, 105)
    found = distances(AGE, Column(rows=7, missing=0, numbers=values, counts={}))
    live = array(2.5, 2.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 3.5) / 12
    assert found
    assert found.psi == pytest.approx(float(np.sum((live - 0.1) * np.log(live / 0.1))))
    assert found.out_of_range == pytest.approx(2 / 7)
    raw = array(2, 2, 0, 0, 0, 0, 0, 0, 0, 3) / 7
    assert found.jensen_shannon == pytest.approx(jensenshannon([0.1] * 10, raw, base=2))


def test_a_constant_training_has_one_bin() -> None:
    constant = AGE.model_copy(update={"quantiles": (5.0,) * 101})
    found = distances(constant, Column(rows=4, missing=0, numbers=array(5, 5, 6, 4), counts={}))
    assert found == Distances(0.0, 0.0, 0.5)


@pytest.mark.parametrize(
    ("profile", "column"),
    [
        (AGE.model_copy(update={"quantiles": ()}), Column(2, 0, array(1, 2), {})),
        (AGE, Column(2, 2, np.empty(0), {})),
        (SEX, Column(2, 2, np.empty(0), {})),
        (SEX.model_copy(update={"counts": {}}), Column(2, 0, np.empty(0), {"f": 2})),
    ],
)
def test_without_values_there_is_no_distance(profile: FeatureProfile, column: Column) -> None:
    assert distances(profile, column) is None


# --- decisions -----------------------------------------------------------------------------------


def shift(name: str, p: float | None = 0.001, value: float = 0.3, drifted: bool = False) -> Shift:
    profile = AGE.model_copy(update={"name": name})
    test = None if p is None else Evidence("ks", value, p)
    return Shift(profile, Column(10, 0, array(1), {}), test, None, drifted)


def drift(*shifts: Shift, confirmed: tuple[str, ...] = (), samples: int = 300, before: int = 300) -> Drift:
    return Drift(shifts, frozenset(confirmed), samples, before)


@pytest.mark.parametrize(
    ("p", "value", "stands"),
    [(LEVEL, FLOOR, True), (LEVEL * 1.01, FLOOR, False), (LEVEL, FLOOR * 0.99, False), (None, 1.0, False)],
)
def test_a_feature_stands_out_at_one_percent_and_a_tenth(p: float | None, value: float, stands: bool) -> None:
    assert names_of([shift("age", p, value)]) == (frozenset({"age"}) if stands else frozenset())


def window(age: float, rows: int = 200, sex: str | None = "f", redacted: tuple[str, ...] = ()) -> list[Row]:
    sexes = {} if sex is None else {"sex": sex}
    return [Row({"age": age, **sexes}, redacted=redacted) for _ in range(rows)]


PROFILE = ReferenceProfile(rows=1000, features=(AGE, SEX), outputs={})


def test_each_feature_has_its_own_correction() -> None:
    """The second feature is not tested: the first one's p-value must not be taken for it, nor the other way round."""
    found = compare(PROFILE, window(95.0, redacted=("sex",)))
    assert [(each.name, each.drifted, each.test is None) for each in found] == [
        ("age", True, False),
        ("sex", False, True),
    ]
    found = compare(PROFILE, window(95.0, sex="m", redacted=("age",)))
    assert [(each.name, each.drifted) for each in found] == [("age", False), ("sex", True)]
    assert all(each.column.rows == 200 for each in compare(PROFILE, window(1.0)))
    assert compare(PROFILE, window(95.0))[0].distances is not None


def test_missing_values_are_tested_beside_the_distribution() -> None:
    half = [*window(50.0, 100), *[Row({"sex": "f"})] * 100]
    age = compare(PROFILE, half)[0]
    assert age.test
    assert age.test.statistic in ("missing", "ks")
    spread_out = [Row({"age": float(value), "sex": "f"}) for value in range(101)]
    age = compare(PROFILE, [*spread_out, *[Row({"sex": "f"})] * 100])[0]
    assert age.test
    assert age.test.statistic == "missing"


@pytest.mark.parametrize(("latest", "before", "confirmed"), [(100, 100, {"age"}), (99, 100, set()), (100, 99, set())])
def test_both_windows_need_so_many_rows_to_confirm(latest: int, before: int, confirmed: set[str]) -> None:
    rows = [Row({"age": 95.0, "sex": sex}) for sex in ["f"] * 60 + ["m"] * 40]
    found = find_drift(PROFILE, rows[:latest], rows[:before], 100)
    assert found.confirmed == confirmed
    assert (found.samples, found.samples_before) == (latest, before)
    assert found.drifted == {"age"}


def test_confirmed_is_what_each_window_shows_by_itself() -> None:
    quiet = [Row({"age": float(value % 101), "sex": "f" if value % 5 < 3 else "m"}) for value in range(200)]
    moved = [Row({"age": 95.0, "sex": row.features["sex"]}) for row in quiet]
    assert find_drift(PROFILE, moved, quiet, 100).confirmed == frozenset()
    assert find_drift(PROFILE, quiet, moved, 100).confirmed == frozenset()
    assert find_drift(PROFILE, moved, moved, 100).confirmed == {"age"}


@pytest.mark.parametrize(
    ("names", "spec", "much"),
    [
        ({"a"}, {"threshold": 0.5}, True),
        ({"a"}, {"threshold": 0.51}, False),
        ({"a"}, {"threshold": 1, "anyFeature": True}, True),
        (set(), {"threshold": 0.5, "anyFeature": True}, False),
    ],
)
def test_how_many_features_are_too_many(names: set[str], spec: dict[str, Any], much: bool) -> None:
    found = drift(shift("a"), shift("b"))
    assert is_too_much(found, frozenset(names), DriftCheck.model_validate(spec)) is much


def test_without_features_nothing_is_shared() -> None:
    assert drift().share(frozenset()) == 0


ANY, HALF = DriftCheck(any_feature=True), DriftCheck(threshold=0.5)
OF_VERSION = "moved away from the training of version 7: a"


@pytest.mark.parametrize(
    ("found", "check", "verdict", "message"),
    [
        (
            drift(shift("a")),
            ANY,
            "NoDrift",
            "No feature has moved away from the training of version 7 (300 predictions)",
        ),
        (drift(shift("a", drifted=True), shift("b"), confirmed=("a",)), ANY, "Drift", f"1 of 2 features {OF_VERSION}"),
        (
            drift(shift("a", drifted=True), shift("b"), shift("c")),
            HALF,
            "NoDrift",
            f"1 of 3 features {OF_VERSION}; below the threshold of 0.5",
        ),
        (
            drift(shift("a", drifted=True), before=99),
            ANY,
            "Unconfirmed",
            f"1 of 1 features {OF_VERSION}; the window before has only 99 predictions to confirm it",
        ),
        (
            drift(shift("a", drifted=True), before=100),
            ANY,
            "Unconfirmed",
            f"1 of 1 features {OF_VERSION}; the window before does not confirm it",
        ),
    ],
)
def test_verdicts_and_their_messages(found: Drift, check: DriftCheck, verdict: str, message: str) -> None:
    judged = judge(found, check, "7", NOW)
    assert (judged.verdict, judged.message) == (verdict, message)
    assert (judged.time, judged.version) == ("2026-11-22T03:00:00Z", "7")
    assert (judged.samples, judged.samples_before) == (300, found.samples_before)


def test_too_few_predictions_are_said() -> None:
    judged = judge(drift(shift("a", drifted=True), samples=99, before=40), ANY, "7", NOW)
    assert judged == DriftStatus(
        time="2026-11-22T03:00:00Z",
        version="7",
        verdict="InsufficientSamples",
        samples=99,
        samples_before=40,
        message="99 predictions of version 7 in 24h are too few to say anything; 100 are needed (drift.minSamples)",
    )
    assert judge(drift(shift("a"), samples=100), ANY, "7", NOW).verdict == "NoDrift"


@pytest.mark.parametrize(("count", "listed"), [(10, "f0"), (11, " and 1 more"), (13, " and 3 more")])
def test_ten_features_are_named_and_the_rest_is_counted(count: int, listed: str) -> None:
    shifts = [shift(f"f{index}", p=(count - index) / 1e6, drifted=True) for index in range(count)]
    message = describe(drift(*shifts), ANY, "7")
    names = [f"f{index}" for index in range(count - 1, -1, -1)][:10]
    assert f": {', '.join(names)}" in message
    assert listed in message
    assert ("more" in message) == (count > 10)


def test_findings_are_ranked_and_rounded() -> None:
    found = drift(
        shift("quiet", p=0.5),
        shift("untested", p=None),
        shift("clear", p=0.000123456, value=0.123456, drifted=True),
        shift("clearer", p=1e-9, drifted=True),
        shift("near", p=0.02),
        confirmed=("clear",),
    )
    assert [each.name for each in ranked(found)] == ["clearer", "clear", "near", "quiet"]
    assert finding(ranked(found)[1], found) == FeatureFinding(
        name="clear", statistic="ks", value=0.1235, p_value=0.000123, drifted=True, confirmed=True
    )
    assert finding(ranked(found)[0], found).confirmed is False
    assert finding(ranked(found)[2], found).drifted is False
    judged = judge(found, ANY, "7", NOW)
    assert judged.share == 0.4
    assert [each.name for each in judged.features] == ["clearer", "clear", "near", "quiet"]
    third = judge(drift(shift("a", drifted=True), shift("b"), shift("c")), ANY, "7", NOW)
    assert third.share == 0.3333


def test_the_reports_order_and_p_values() -> None:
    found = drift(
        shift("small", value=0.1),
        shift("untested", p=None),
        shift("large", value=0.4),
        shift("d", value=0.2, drifted=True),
    )
    assert [each.name for each in in_order(found)] == ["d", "large", "small", "untested"]
    assert [p_value(value) for value in (0.00009, 0.0001, 0.12345)] == ["< 0.0001", "0.0001", "0.1235"]


# --- performance ---------------------------------------------------------------------------------


def scored(right: int, wrong: int, share: float = 0.8) -> list[Scored]:
    hit, miss = Scored((1 - share, share), "ill", "ill"), Scored((1 - share, share), "ill", "well")
    return [hit] * right + [miss] * wrong


def performance(rows: list[Scored], labels: tuple[str, ...] = ("well", "ill"), **spec: Any) -> PerformanceStatus:
    return judge_performance(rows, labels, PerformanceCheck.model_validate({"below": 0.75} | spec), "7", NOW)


def test_a_figure_below_its_threshold_for_certain() -> None:
    found = performance(scored(60, 40))
    assert found == PerformanceStatus(
        time="2026-11-22T03:00:00Z",
        version="7",
        verdict="Below",
        metric="accuracy",
        source="Feedback",
        value=0.6,
        low=0.502,
        high=0.6906,
        samples=100,
        message="accuracy of version 7 is 0.600 (0.502 to 0.691, 100 outcomes), below 0.75",
    )


def test_below_but_not_for_certain_and_not_below() -> None:
    assert performance(scored(72, 28)).verdict == "Uncertain"
    assert performance(scored(72, 28)).message.endswith(" outcomes), below 0.75 but not for certain")
    assert performance(scored(75, 25)).verdict == "Acceptable"
    assert performance(scored(75, 25)).message.endswith(" outcomes), not below 0.75")


def test_the_whole_interval_has_to_be_below() -> None:
    high = performance(scored(60, 40)).high
    assert high
    assert performance(scored(60, 40), below=round(high + 0.0002, 4)).verdict == "Below"
    assert performance(scored(60, 40), below=round(high - 0.0002, 4)).verdict == "Uncertain"


def test_an_estimate_says_that_it_is_one() -> None:
    found = performance(scored(100, 0), source="Estimated")
    assert (found.value, found.verdict, found.source) == (0.8, "Acceptable", "Estimated")
    assert found.message.startswith("accuracy of version 7 is estimated to be 0.800 (")
    assert "100 predictions), not below 0.75" in found.message


@pytest.mark.parametrize(
    ("rows", "spec", "samples", "message"),
    [
        (99, {}, 99, "99 outcomes for version 7 in 7d are too few to say anything of its accuracy; 100 are needed"),
        (0, {}, 0, "0 outcomes for version 7 in 7d are too few to say anything of its accuracy; 100 are needed"),
        (
            *(99, {"source": "Estimated", "metric": "recall"}, 99),
            "99 predictions for version 7 in 7d are too few to say anything of its recall; 100 are needed",
        ),
    ],
)
def test_too_few_outcomes_are_said(rows: int, spec: dict[str, Any], samples: int, message: str) -> None:
    found = performance(scored(rows, 0), **spec)
    assert (found.verdict, found.samples, found.value) == ("InsufficientSamples", samples, None)
    assert found.message == f"{message} (performance.minSamples)"


def test_a_hundred_outcomes_are_enough() -> None:
    assert performance(scored(100, 0)).verdict == "Acceptable"
    assert performance(scored(120, 0), minSamples=120).verdict == "Acceptable"


@pytest.mark.parametrize(
    ("labels", "metric", "message"),
    [
        ((), "accuracy", "accuracy is for classification: choose another metric"),
    ],
)
def test_a_metric_that_does_not_fit_is_said(labels: tuple[str, ...], metric: str, message: str) -> None:
    found = performance([], labels, metric=metric)
    assert (found.verdict, found.message) == ("InsufficientSamples", message)


@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall"])
def test_metrics_of_classes_are_for_any_number_of_classes(metric: str) -> None:
    assert performance([], ("a", "b", "c"), metric=metric).message.startswith("0 outcomes for version 7")


# --- the termination message ---------------------------------------------------------------------


def test_a_short_outcome_is_written_as_it_is(tmp_path: Any) -> None:
    outcome = failed("CheckFailed", "why")
    write_outcome(str(tmp_path / "log"), outcome)
    assert CheckOutcome.model_validate_json((tmp_path / "log").read_bytes()) == outcome
    assert b"null" not in encode(outcome)
    write_outcome(None, outcome)
    write_outcome("", outcome)


def test_a_long_failure_keeps_as_much_of_its_message_as_fits() -> None:
    assert failed("CheckFailed", "x" * 4000).failure == failed("CheckFailed", "x" * 3000).failure
    fits = encode(failed("CheckFailed", "x" * 3000))
    assert fits.count(b"x") == 3000
    cut = CheckOutcome.model_validate_json(encode(failed("LogUnavailable", "ä" * 3000)))
    assert cut.failure
    assert (cut.failure.reason, cut.failure.message) == ("LogUnavailable", "ä" * 1000)
    wide = CheckOutcome.model_validate_json(encode(failed("LogUnavailable", "\x01" * 3000)))
    assert wide.failure
    assert wide.failure.message == "\x01" * 500


def test_features_are_left_out_one_by_one_and_then_half_of_the_message() -> None:
    features = tuple(
        FeatureFinding(name=f"f{index:03}", statistic="ks", value=0.5, p_value=1e-9, drifted=True)
        for index in range(90)
    )
    found = DriftStatus(
        time="2026-11-22T03:00:00Z",
        version="7",
        verdict="Drift",
        samples=500,
        features=features,
        message="m",
        omitted=2,
    )
    data = encode(CheckOutcome(result=CheckResult(drift=found)))
    read = CheckOutcome.model_validate_json(data).result
    assert read
    assert read.drift
    assert read.drift.features == features[: len(read.drift.features)]
    assert read.drift.omitted == 92 - len(read.drift.features)
    assert LIMIT - 90 < len(data) <= LIMIT
    long = DriftStatus(time="2026-11-22T03:00:00Z", version="7", verdict="Drift", samples=500, message="m" * 6000)
    read = CheckOutcome.model_validate_json(encode(CheckOutcome(result=CheckResult(drift=long)))).result
    assert read
    assert read.drift
    assert read.drift.message == "m" * 3000
