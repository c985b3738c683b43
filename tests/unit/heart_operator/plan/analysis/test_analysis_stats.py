"""The bets are fair: while a claim holds, nothing is to be gained by betting against it. Exactly, by enumeration."""

from collections.abc import Iterator
from itertools import pairwise
from math import comb, exp, inf, log

import pytest

from heart_operator.plan.analysis.sequential_test import BETTER, WORSE, bet, gain, log_sum, stake_for, total, twice

ROUNDING = 1e-9


def binomial(n: int, p: float) -> Iterator[tuple[int, float]]:
    return ((bad, comb(n, bad) * p**bad * (1 - p) ** (n - bad)) for bad in range(n + 1))


@pytest.mark.parametrize("n", [1, 7, 60])
@pytest.mark.parametrize("limit", [0.001, 0.02, 0.05, 0.5])
@pytest.mark.parametrize("truth", [0.1, 0.7, 1.0])
def test_betting_on_worse_than_allowed_gains_nothing_from_an_allowed_version(
    n: int, limit: float, truth: float
) -> None:
    for odds in WORSE:
        assert sum(p * exp(gain(odds, bad, n, limit)) for bad, p in binomial(n, limit * truth)) <= 1 + ROUNDING


@pytest.mark.parametrize("n", [1, 7, 60])
@pytest.mark.parametrize("limit", [0.001, 0.02, 0.05, 0.5])
def test_betting_on_good_gains_nothing_from_a_version_twice_as_bad(n: int, limit: float) -> None:
    for odds in BETTER:
        for truth in (twice(limit), min(2 * limit, 1), (1 + limit) / 2):
            assert sum(p * exp(gain(odds, bad, n, twice(limit))) for bad, p in binomial(n, truth)) <= 1 + ROUNDING


@pytest.mark.parametrize(("stable", "candidate"), [(30, 10), (10, 30), (1, 40), (40, 1)])
@pytest.mark.parametrize("rate", [0.001, 0.05, 0.4, 0.9])
def test_betting_against_the_stable_version_gains_nothing_from_an_equal_one(
    stable: int, candidate: int, rate: float
) -> None:
    """At any rate, the same for both: an outage proves nothing. Nor does being good, when twice as bad."""
    part = candidate / (candidate + stable)
    pairs = [(mine, its, p * q) for mine, p in binomial(candidate, rate) for its, q in binomial(stable, rate)]
    for odds in WORSE:
        assert sum(p * exp(gain(odds, mine, mine + its, part)) for mine, its, p in pairs) <= 1 + ROUNDING
    if rate <= 0.45:
        pairs = [(mine, its, p * q) for mine, p in binomial(candidate, 2 * rate) for its, q in binomial(stable, rate)]
        for odds in BETTER:
            assert sum(p * exp(gain(odds, mine, mine + its, twice(part))) for mine, its, p in pairs) <= 1 + ROUNDING


def test_a_bet_gains_from_what_it_is_on() -> None:
    """Else fairness would be had by never betting at all."""
    for odds in WORSE:
        truth = odds * 0.02 / (1 + 0.02 * (odds - 1))
        assert sum(p * gain(odds, bad, 60, 0.02) for bad, p in binomial(60, truth)) > 0.1


def test_the_money_of_all_times_is_below_one() -> None:
    moments = [0, 1, 5, 100, 101, 5000, 10**9]
    parts = [stake_for(before, now) for before, now in pairwise(moments)]
    assert all(part > 0 for part in parts)
    assert sum(parts) < 1


def test_money_comes_in_before_it_is_bet() -> None:
    first = bet((), WORSE, 0, 0, 0.02, stake=0.3, most=9.0)
    assert exp(total(first)) == pytest.approx(0.3, abs=1e-3)
    assert exp(total(bet(first, WORSE, 0, 0, 0.02, stake=0.2, most=9.0))) == pytest.approx(0.5, abs=1e-3)


def test_no_part_holds_more_than_it_may() -> None:
    assert bet((), WORSE, 1000, 1000, 0.02, stake=1.0, most=5.0) == (5.0, 5.0, 5.0)


def test_sums_of_logarithms() -> None:
    assert log_sum(-inf, -inf) == -inf
    assert log_sum(log(2), -inf) == log_sum(-inf, log(2)) == log(2)
    assert log_sum(-1000, -1000) == pytest.approx(-1000 + log(2))
