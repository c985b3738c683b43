"""How often an experiment errs, over the very functions that decide: printed with HEARTOPS_SOAK=1 pytest -s."""

from dataclasses import dataclass

import numpy as np
import pytest

from heart_operator.plan.analysis.experiment import ALPHA, NO_SUMS, Sums, compare
from tests.support.soak import SOAK

RUNS = 1000 if SOAK else 60
LOOKS = 400
"""More than three hours of intervals of 30 s."""


@dataclass(frozen=True)
class Users:
    """What two groups' outcomes are like, and how many come between two looks."""

    stable: float
    candidate: float
    per_look: int = 20
    split: float = 0.5
    is_share: bool = True

    def outcomes(self, random: np.random.Generator) -> tuple[Sums, Sums]:
        theirs = int(random.binomial(self.per_look, self.split))
        return self.group(random, self.stable, self.per_look - theirs), self.group(random, self.candidate, theirs)

    def group(self, random: np.random.Generator, mean: float, count: int) -> Sums:
        if self.is_share:
            hits = int(random.binomial(count, mean))
            return Sums(count, hits, hits)
        values = random.exponential(mean, count)
        return Sums(count, float(values.sum()), float((values**2).sum()))


def run(users: Users, min_detectable: float, seed: int) -> tuple[str, int]:
    """The verdict of one experiment, and the outcomes of both groups that it took."""
    random = np.random.default_rng(seed)
    stable = candidate = NO_SUMS
    for _ in range(LOOKS):
        one, other = users.outcomes(random)
        stable, candidate = stable + one, candidate + other
        found = compare(stable, candidate, min_detectable, is_share=users.is_share)
        if found is None:
            continue
        verdict = ""
        if found.low > 0 or found.high < 0:
            verdict = "Better" if found.low > 0 else "Worse"
        elif -min_detectable < found.low and found.high < min_detectable:
            verdict = "NoDifference"
        if verdict:
            return verdict, stable.count + candidate.count
    return "Running", stable.count + candidate.count


def shares(users: Users, min_detectable: float) -> tuple[dict[str, float], int]:
    """Of the verdicts, and the median of the outcomes that they took."""
    found = [run(users, min_detectable, seed) for seed in range(RUNS)]
    counted = {
        name: sum(verdict == name for verdict, _ in found) / RUNS for name in ("Better", "Worse", "NoDifference")
    }
    return counted, int(np.median([count for _, count in found]))


EQUAL = {
    "accuracy 80%": Users(0.8, 0.8),
    "accuracy 97%": Users(0.97, 0.97),
    "few of the candidate": Users(0.8, 0.8, split=0.1),
    "errors 0.5%": Users(0.005, 0.005, per_look=200),
    "one outcome in a while": Users(0.6, 0.6, per_look=2),
    "skewed values": Users(10.0, 10.0, is_share=False),
}


@pytest.mark.parametrize("name", EQUAL)
def test_equal_versions_are_told_apart_at_no_look(name: str) -> None:
    found, count = shares(EQUAL[name], 0.02 if EQUAL[name].is_share else 0.5)
    print(
        f"equal, {name}: better or worse {found['Better'] + found['Worse']:.1%}, no difference "
        f"{found['NoDifference']:.1%}, after {count} outcomes"
    )
    assert found["Better"] + found["Worse"] <= ALPHA + (0 if SOAK else 0.02)


DIFFERENT = {
    "accuracy 75% and 85%": (Users(0.75, 0.85), 0.05),
    "accuracy 80% and 84%": (Users(0.80, 0.84), 0.03),
    "errors 1% and 3%": (Users(0.01, 0.03, per_look=200), 0.01),
    "values 10 and 12": (Users(10.0, 12.0, is_share=False), 0.5),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_difference_that_matters_is_found_and_has_the_right_sign(name: str) -> None:
    users, min_detectable = DIFFERENT[name]
    found, count = shares(users, min_detectable)
    print(f"different, {name}: found {found['Better']:.1%}, the wrong way {found['Worse']:.1%}, after {count} outcomes")
    assert found["Worse"] == 0
    assert found["Better"] >= 0.9


def test_a_difference_too_small_to_matter_ends_it() -> None:
    found, count = shares(Users(0.8, 0.8, per_look=60), 0.05)
    print(f"no difference of 5 points: ended {found['NoDifference']:.1%}, after {count} outcomes")
    assert found["NoDifference"] >= 0.9
