"""The two groups of an A/B experiment: the mean of each, and their difference, with bounds valid at every interval.

The bounds are an asymptotic confidence sequence (`shift.factor`): the wealth of a mixture of bets against every value
that the difference might have, for means of whatever distribution. What is reported and what decides are the same
interval, so that they cannot contradict each other.
"""

from dataclasses import dataclass
from math import sqrt

from heart_api.status import ArmStatus
from heart_operator.plan.analysis.shift import TIGHTEST, factor

ALPHA = 0.05
"""Probability that the bounds ever miss the true difference, at any of all looks."""
MIN_COUNT = 50
"""Fewer of either group bear no statement."""
MIN_EVENTS = 20
"""Of a share: fewer cases, or fewer others, in both groups together bear none."""
MOST_TIGHT = 1_000_000
WIDTH = 3.0
"""Standard errors from a difference to its bounds, roughly, where they are tightest."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one group's outcomes."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.count + other.count, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """Of one outcome."""
        if self.count < 2:
            return 0.0
        return max(0.0, self.squares - self.count * self.mean**2) / (self.count - 1)

    @classmethod
    def load(cls, status: ArmStatus) -> "Sums":
        return cls(status.count, status.total, status.squares)


NO_SUMS = Sums()


@dataclass(frozen=True, slots=True)
class Bounds:
    """An estimate with its confidence sequence."""

    value: float
    low: float
    high: float


def compare(stable: Sums, candidate: Sums, min_detectable: float, *, is_share: bool) -> Bounds | None:
    """The candidate's mean less the stable version's. None: too little is known."""
    if min(stable.count, candidate.count) < MIN_COUNT:
        return None
    if is_share and rarer(stable, candidate) < MIN_EVENTS:
        return None
    size = 1 / (1 / stable.count + 1 / candidate.count)
    error = sqrt(stable.variance / stable.count + candidate.variance / candidate.count)
    reach = factor(size, ALPHA, tightest(min_detectable, is_share=is_share)) * error
    value = candidate.mean - stable.mean
    return Bounds(value, value - reach, value + reach)


def rarer(stable: Sums, candidate: Sums) -> float:
    """Cases or others, whatever there are fewer of."""
    cases, both = stable.total + candidate.total, stable.count + candidate.count
    return min(cases, both - cases)


def tightest(min_detectable: float, *, is_share: bool) -> float:
    """The size at which the bounds are to be tightest, fixed in advance: where a difference that matters shows in
    shares near one half; of other means the scale is unknown."""
    if not is_share:
        return 5.0 * TIGHTEST
    return min(MOST_TIGHT, max(TIGHTEST, (WIDTH / min_detectable) ** 2 / 4))


def bounds_of(group: Sums, min_detectable: float, *, is_share: bool) -> Bounds | None:
    """One group's mean."""
    if group.count < 2:
        return None
    error = sqrt(group.variance / group.count)
    reach = factor(group.count, ALPHA, tightest(min_detectable, is_share=is_share)) * error
    low, high = group.mean - reach, group.mean + reach
    return Bounds(group.mean, max(low, 0.0), min(high, 1.0)) if is_share else Bounds(group.mean, low, high)


def describe_arm(group: Sums, *, is_share: bool) -> str:
    """`81.20% of 1200`."""
    return f"{group.mean:.2%} of {group.count}" if is_share else f"{group.mean:.4g} (mean of {group.count})"
