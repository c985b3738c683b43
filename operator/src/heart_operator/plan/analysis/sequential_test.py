"""Sequential tests of a share (errors, slow answers) that remain valid however often they are evaluated.

A claim such as "at most 2% of the requests fail" is tested by betting against it: stake is put on the odds of a
failure being `odds` times what the claim says, and grows or shrinks by the likelihood ratio of the observations. While
the claim holds, no strategy expects to gain, so that the chance of ever holding 1/alpha times the stake put in is at
most alpha (Ville's inequality), at any moments of evaluation. One bet serves all four claims that are tested here,
with x bad ones of n:

    gain = x log(odds) - n log(1 + p (odds - 1))

- against a limit: p is the limit, n the candidate's requests;
- against the stable version: of n failures of both, x are the candidate's; p is the candidate's share of the requests
  of the same interval. So a fault that affects both alike, or traffic that moves from one to the other, proves nothing
  (Lindon and Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022). That the bet is fair for
  binomial counts and not only for rare ones follows from 1 + a <= exp(a), term by term.

Two properties make it suitable for monitoring. For "worse than", stake is added gradually: the bets are a mixture over
the moment at which the candidate became bad (Shin, Ramdas and Rinaldo, E-detectors, NEJSDS 2024), so that a good past
does not hide a bad present. And what a bet may hold is capped, so that it follows a change: no credit accumulates.
Both only lower the expectation under the claim.

Requests are assumed to be independent of each other; bursts of failures are judged by the number of consecutive
failures.
"""

from math import exp, inf, log, log1p

Odds = tuple[float, ...]
Wealth = tuple[float, ...]
"""Logarithm of the stake on each odds; empty before the first bet."""

WORSE: Odds = (2.0, 5.0, 25.0)
BETTER: Odds = (0.5, 0.1)
HALF_IN = 50
"""Requests after which half of the stake is in."""


def twice(p: float) -> float:
    """The share whose odds are as good as twice those of `p` (for small shares: twice `p`), always below 1."""
    return 2 * p / (1 + p)


def stake_for(before: int, now: int) -> float:
    """Part of all stake that is put in while the requests grow from `before` to `now`; all parts stay below 1."""
    return HALF_IN / (HALF_IN + before) - HALF_IN / (HALF_IN + now)


def gain(odds: float, bad: int, n: int, p: float) -> float:
    """Logarithm of the factor by which a bet on `odds` grows with `bad` of `n`, where the claim says `p`."""
    return bad * log(odds) - n * log1p(p * (odds - 1))


def bet(wealth: Wealth, odds: Odds, bad: int, n: int, p: float, *, stake: float, most: float) -> Wealth:
    """The wealth after one more interval; `stake` is put in, in equal parts, before it. No part exceeds `most`."""
    living = wealth or (-inf,) * len(odds)
    fresh = log(stake / len(odds)) if stake else -inf
    grown = (log_sum(old, fresh) + gain(each, bad, n, p) for old, each in zip(living, odds, strict=True))
    return tuple(round(min(value, most), 4) for value in grown)


def total(wealth: Wealth) -> float:
    """Logarithm of all the stake."""
    result = -inf
    for part in wealth:
        result = log_sum(result, part)
    return result


def log_sum(one: float, other: float) -> float:
    """log(exp(one) + exp(other))."""
    low, high = sorted((one, other))
    return high if low == -inf else high + log1p(exp(low - high))
