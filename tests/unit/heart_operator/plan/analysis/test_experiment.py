"""The figures of an A/B experiment: each group's mean, their difference, and when too little is known for either."""

from math import sqrt

import pytest

from heart_api.status import ArmStatus
from heart_operator.plan.analysis.experiment import (
    ALPHA,
    MIN_COUNT,
    MIN_EVENTS,
    NO_SUMS,
    Sums,
    bounds_of,
    compare,
    describe_arm,
    rarer,
    tightest,
)
from heart_operator.plan.analysis.shift import TIGHTEST, factor


def hits(count: int, total: int) -> Sums:
    return Sums(count, total, total)


def test_sums_add_up_and_are_read_back() -> None:
    assert Sums(3, 4.0, 6.0) + Sums(1, 2.0, 4.0) == Sums(4, 6.0, 10.0)
    assert Sums.load(ArmStatus(count=3, total=4.0, squares=6.0)) == Sums(3, 4.0, 6.0)
    assert (NO_SUMS.count, NO_SUMS.total, NO_SUMS.squares) == (0, 0, 0)


def test_mean_and_variance_of_one_outcome() -> None:
    found = Sums(4, 10.0, 30.0)  # 1, 2, 3, 4
    assert (found.mean, found.variance) == (2.5, pytest.approx(5 / 3))
    assert (NO_SUMS.mean, NO_SUMS.variance) == (0, 0)
    assert (Sums(1, 3.0, 9.0).mean, Sums(1, 3.0, 9.0).variance) == (3, 0)
    assert Sums(2, 3.0, 5.0).variance == pytest.approx(0.5)
    assert Sums(3, 0.3, 0.03 - 1e-12).variance == 0, "rounding makes no variance negative"


@pytest.mark.parametrize(
    ("stable", "candidate", "known"),
    [
        (hits(50, 25), hits(50, 25), True),
        (hits(49, 25), hits(50, 25), False),
        (hits(50, 25), hits(49, 25), False),
        (hits(50, 10), hits(50, 10), True),
        (hits(50, 10), hits(50, 9), False),
        (hits(50, 40), hits(50, 40), True),
        (hits(50, 40), hits(50, 41), False),
    ],
)
def test_few_outcomes_and_rare_cases_bear_no_statement(stable: Sums, candidate: Sums, known: bool) -> None:
    assert (MIN_COUNT, MIN_EVENTS) == (50, 20)
    assert (compare(stable, candidate, 0.05, is_share=True) is not None) is known


def test_a_mean_needs_no_cases() -> None:
    assert compare(Sums(50, 5.0, 9.0), Sums(50, 5.0, 9.0), 0.5, is_share=False)


def test_the_rarer_of_cases_and_others() -> None:
    assert rarer(hits(100, 10), hits(50, 20)) == 30
    assert rarer(hits(100, 90), hits(50, 45)) == 15


def test_the_difference_and_its_bounds() -> None:
    stable, candidate = hits(400, 300), hits(100, 85)
    error = sqrt(400 * 0.75 * 0.25 / 399 / 400 + 100 * 0.85 * 0.15 / 99 / 100)
    reach = factor(80, ALPHA, tightest(0.05, is_share=True)) * error
    found = compare(stable, candidate, 0.05, is_share=True)
    assert found
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1 - reach, 0.1 + reach))
    less = compare(candidate, stable, 0.05, is_share=True)
    assert less
    assert (less.value, less.low, less.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_the_bounds_of_means_are_tightest_elsewhere() -> None:
    stable, candidate = Sums(400, 800.0, 2000.0), Sums(100, 250.0, 800.0)
    error = sqrt(stable.variance / 400 + candidate.variance / 100)
    reach = factor(80, ALPHA, 1000) * error
    found = compare(stable, candidate, 0.05, is_share=False)
    assert found
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - reach, 0.5 + reach))


@pytest.mark.parametrize(
    ("min_detectable", "is_share", "size"),
    [
        (0.05, True, 900),
        (0.5, True, TIGHTEST),
        (0.0001, True, 1_000_000),
        (0.05, False, 1000),
        (50.0, False, 1000),
    ],
)
def test_the_size_at_which_the_bounds_are_tightest(min_detectable: float, is_share: bool, size: float) -> None:
    assert tightest(min_detectable, is_share=is_share) == pytest.approx(size)


def test_one_groups_mean_and_its_bounds() -> None:
    group = hits(400, 300)
    reach = factor(400, ALPHA, 900) * sqrt(group.variance / 400)
    found = bounds_of(group, 0.05, is_share=True)
    assert found
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.75 - reach, 0.75 + reach))
    values = Sums(400, 1000.0, 4000.0)
    reach = factor(400, ALPHA, 1000) * sqrt(values.variance / 400)
    found = bounds_of(values, 0.05, is_share=False)
    assert found
    assert (found.value, found.low, found.high) == pytest.approx((2.5, 2.5 - reach, 2.5 + reach))


def test_a_share_has_bounds_within_nought_and_one() -> None:
    few, most = bounds_of(hits(10, 1), 0.05, is_share=True), bounds_of(hits(10, 9), 0.05, is_share=True)
    assert few
    assert most
    assert (few.low, most.high) == (0, 1)
    assert 0 < few.high < 1
    assert 0 < most.low < 1
    wide = bounds_of(Sums(10, 1.0, 1.0), 0.05, is_share=False)
    assert wide
    assert wide.low < 0, "a mean may be below zero"
    wide = bounds_of(Sums(10, 9.0, 9.0), 0.05, is_share=False)
    assert wide
    assert wide.high > 1


def test_one_outcome_has_no_bounds() -> None:
    assert bounds_of(hits(1, 1), 0.05, is_share=True) is None
    assert bounds_of(hits(2, 1), 0.05, is_share=True) is not None


def test_what_people_read_of_a_group() -> None:
    assert describe_arm(hits(1200, 974), is_share=True) == "81.17% of 1200"
    assert describe_arm(Sums(1200, 14_811.0, 0.0), is_share=False) == "12.34 (mean of 1200)"
