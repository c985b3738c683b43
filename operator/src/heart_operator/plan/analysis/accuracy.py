"""Whether a candidate's predictions turn out worse than the stable version's, where people report outcomes.

Outcomes come late and may be of different days for the two versions; so few or none say nothing, and only a difference
beyond doubt at any number of outcomes counts. The bounds are those of `analysis_shift`.
"""

from math import sqrt

from heart_operator.plan.analysis.counts import Share
from heart_operator.plan.analysis.shares import FALSE_ALARM, CheckResult
from heart_operator.plan.analysis.shift import factor

MIN_OUTCOMES = 30
"""Fewer reported outcomes of either version bear no statement."""


def judge_accuracy(stable: Share, candidate: Share) -> tuple[CheckResult, ...]:
    """One result, of the wrong ones among the predictions with an outcome; none, where too few were reported."""
    if min(stable.n, candidate.n) < MIN_OUTCOMES:
        return ()
    said = (
        f"live accuracy: {1 - candidate.rate:.2%} of {candidate.n} outcomes,"
        f" the stable version has {1 - stable.rate:.2%} of {stable.n}"
    )
    return (CheckResult("live accuracy", "Failed" if is_worse(stable, candidate) else "Passed", said),)


def is_worse(stable: Share, candidate: Share) -> bool:
    size = 1 / (1 / stable.n + 1 / candidate.n)
    error = sqrt(variance(stable) + variance(candidate))
    return candidate.rate - stable.rate > factor(size, FALSE_ALARM) * error


def variance(share: Share) -> float:
    """Of the estimate; two made-up outcomes keep it above zero."""
    rate = (share.bad + 1) / (share.n + 2)
    return rate * (1 - rate) / share.n
