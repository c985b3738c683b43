"""One column, one window, two windows: what is called drift, and what is said of it."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from scipy import stats

from heart_api.contract import Feature
from heart_api.referenceprofile import FeatureProfile, ReferenceProfile
from heart_api.retrainschedule import DriftCheck
from heart_trainer.drift.columns import read_column
from heart_trainer.drift.decide import compare, find_drift, judge
from heart_trainer.drift.distances import distances
from heart_trainer.drift.statistics import category_tests, missing_tests, number_tests
from heart_trainer.package.profile import feature_profile
from tests.support.trainer.drift_data import NUMBERS, Row, reference, traffic

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
AGE = Feature(name="age", type="number", required=False)
PAIN = Feature(name="pain", type="category", values=("none", "some", "much"))


def profile_of(values: Any, feature: Feature = AGE) -> FeatureProfile:
    return feature_profile(feature, np.asarray(values, dtype=np.float32))


def rows_of(values: list[Any], name: str = "age") -> list[Row]:
    return [Row({name: value}) for value in values]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_percentiles_are_as_good_as_the_rows_themselves(shift: float, whole: bool) -> None:
    """Distance and p-value against scipy's two-sample tests on the raw rows."""
    trained, live = rng(1).normal(50, 10, 500), rng(2).normal(50 + 10 * shift, 10, 200)
    if whole:
        trained, live = trained.round(), live.round()
    trained = trained.astype(np.float32).astype(float)
    (found,) = number_tests(profile_of(trained), 500, live)
    expected = stats.ks_2samp(trained, live, method="asymp")
    ranks = stats.mannwhitneyu(live, trained, method="asymptotic", use_continuity=False)
    assert found.value == pytest.approx(expected.statistic, abs=0.012)
    least = min(1.0, 2 * min(expected.pvalue, ranks.pvalue))
    assert np.log10(found.p_value) == pytest.approx(np.log10(least), abs=0.15 + 0.1 * abs(np.log10(least)))


def test_a_column_with_one_value() -> None:
    constant = profile_of([5.0] * 300)
    (same,) = number_tests(constant, 300, np.full(200, 5.0))
    (other,) = number_tests(constant, 300, np.full(200, 6.0))
    assert (same.value, same.p_value) == (0, 1)
    assert (other.value, other.p_value < 1e-6) == (1, True)


def test_categories_are_compared_as_scipy_does() -> None:
    trained = profile_of([0] * 100 + [1] * 150 + [2] * 50, PAIN)
    (found,) = category_tests(trained, {"none": 20, "some": 60, "much": 40})
    expected = stats.chi2_contingency([[100, 150, 50], [20, 60, 40]], correction=False)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.value == pytest.approx(0.1667, abs=1e-4)


def test_a_value_that_the_training_never_had_counts_as_a_shift() -> None:
    trained = profile_of([0] * 150 + [1] * 150, PAIN)
    (found,) = category_tests(trained, {"none": 50, "some": 50, "extreme": 40})
    assert found.p_value < 1e-6
    column = read_column(rows_of(["none"] * 60 + ["extreme"] * 40, "pain"), trained)
    shown = distances(trained, column)
    assert shown
    assert shown.out_of_range == pytest.approx(0.4)


def test_rare_values_do_not_make_chance_look_like_a_shift() -> None:
    many = Feature(name="pain", type="category", values=tuple(f"v{index}" for index in range(60)))
    trained = profile_of(rng().integers(0, 60, 300), many)
    alarms = 0
    for seed in range(200):
        drawn = rng(seed + 1).integers(0, 60, 100)
        (found,) = category_tests(trained, {f"v{index}": int((drawn == index).sum()) for index in range(60)})
        alarms += found.p_value <= 0.05
    assert alarms <= 20


def test_values_that_go_missing_are_found() -> None:
    (found,) = missing_tests(profile_of([1.0] * 300), 300, 30, 100)
    assert (found.statistic, found.value) == ("missing", pytest.approx(0.3))
    assert found.p_value == pytest.approx(stats.fisher_exact([[0, 300], [30, 70]]).pvalue)
    assert missing_tests(profile_of([1.0] * 300), 300, 0, 100) == []


@pytest.mark.parametrize(
    ("sent", "name"), [(3, "3"), (3.0, "3"), ("3", "3"), (True, "true"), ("low", "low"), (2.5, "2.5")]
)
def test_a_category_is_known_however_it_was_sent(sent: Any, name: str) -> None:
    trained = FeatureProfile(name="c", type="category", missing=0, counts={"3": 5, "low": 5})
    assert read_column(rows_of([sent, None], "c"), trained).counts == {name: 1}


@pytest.mark.parametrize("sent", [True, 1, 1.0])
def test_a_boolean_is_known_however_it_was_sent(sent: Any) -> None:
    trained = FeatureProfile(name="b", type="boolean", missing=0, counts={"false": 5, "true": 5})
    assert read_column(rows_of([sent, False], "b"), trained).counts == {"false": 1, "true": 1}


def test_an_absent_value_is_missing_and_a_redacted_one_is_not_there() -> None:
    rows = [Row({"age": 50}), Row({}), Row({"age": None}), Row({}, redacted=("age",))]
    column = read_column(rows, profile_of([50.0, 60.0]))
    assert (column.rows, column.missing) == (3, 2)


def test_a_redacted_feature_is_never_called_drifted() -> None:
    profile = ReferenceProfile(rows=300, features=(profile_of([50.0] * 300),), outputs={})
    shifts = compare(profile, [Row({}, redacted=("age",))] * 200)
    assert [(shift.test, shift.drifted) for shift in shifts] == [(None, False)]


def test_distances_are_zero_for_the_training_itself() -> None:
    values = rng().normal(0, 1, 2000)
    column = read_column(rows_of(values.tolist()), profile_of(values))
    shown = distances(profile_of(values), column)
    assert shown
    assert shown.psi == pytest.approx(0, abs=0.001)
    assert shown.jensen_shannon == pytest.approx(0, abs=0.02)
    assert shown.out_of_range == 0
    far = distances(profile_of(values), read_column(rows_of((values + 10).tolist()), profile_of(values)))
    assert far
    assert (far.out_of_range > 0.99, far.psi > 1, far.jensen_shannon > 0.7) == (True, True, True)


# --- decisions -----------------------------------------------------------------------------------

SHIFTED = {NUMBERS[0]: 1.5, NUMBERS[3]: 1.5}


def test_exactly_the_shifted_features_are_named_the_clearest_first() -> None:
    drift = find_drift(reference(rng(), 500), traffic(rng(1), 300, SHIFTED), traffic(rng(2), 300, SHIFTED), 100)
    found = judge(drift, DriftCheck(any_feature=True), "7", NOW)
    assert found.verdict == "Drift"
    assert {entry.name for entry in found.features if entry.drifted} == set(SHIFTED)
    assert {entry.name for entry in found.features if entry.confirmed} == set(SHIFTED)
    assert {entry.name for entry in found.features[:2]} == set(SHIFTED)
    assert found.share == pytest.approx(2 / 13, abs=1e-4)
    assert (found.samples, found.version, found.time) == (300, "7", "2026-11-22T03:00:00Z")
    assert NUMBERS[0] in found.message


def test_a_few_features_are_less_than_the_threshold() -> None:
    drift = find_drift(reference(rng(), 500), traffic(rng(1), 300, SHIFTED), traffic(rng(2), 300, SHIFTED), 100)
    found = judge(drift, DriftCheck(threshold=0.5), "7", NOW)
    assert found.verdict == "NoDrift"
    assert "below the threshold of 0.5" in found.message
    assert judge(drift, DriftCheck(threshold=0.15), "7", NOW).verdict == "Drift"


def test_what_the_window_before_does_not_show_is_unconfirmed() -> None:
    drift = find_drift(reference(rng(), 500), traffic(rng(1), 300, SHIFTED), traffic(rng(2), 300), 100)
    found = judge(drift, DriftCheck(any_feature=True), "7", NOW)
    assert found.verdict == "Unconfirmed"
    assert "does not confirm" in found.message


def test_a_first_window_has_nothing_to_confirm_it() -> None:
    drift = find_drift(reference(rng(), 500), traffic(rng(1), 300, SHIFTED), traffic(rng(2), 50, SHIFTED), 100)
    found = judge(drift, DriftCheck(any_feature=True), "7", NOW)
    assert found.verdict == "Unconfirmed"
    assert "only 50 predictions" in found.message


def test_with_too_few_predictions_nothing_is_decided() -> None:
    drift = find_drift(reference(rng(), 500), traffic(rng(1), 99, SHIFTED), traffic(rng(2), 300, SHIFTED), 100)
    found = judge(drift, DriftCheck(any_feature=True), "7", NOW)
    assert (found.verdict, found.share, found.features) == ("InsufficientSamples", None, ())
    assert "99 predictions" in found.message
    assert judge(find_drift(reference(rng(), 500), [], [], 100), DriftCheck(), "7", NOW).samples == 0


def test_quiet_data_say_so() -> None:
    drift = find_drift(reference(rng(), 500), traffic(rng(1), 300), traffic(rng(2), 300), 100)
    found = judge(drift, DriftCheck(any_feature=True), "7", NOW)
    assert (found.verdict, found.share) == ("NoDrift", 0)
    assert "No feature has moved" in found.message
