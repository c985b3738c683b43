"""How often the analysis errs, by simulation over the very functions that the operator uses.

Short counts by default; HEARTOPS_SOAK=1 for figures of two digits. `pytest -s` prints them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from heart_api.heartmodel import Alerts, Analysis, AnalysisStatus
from heart_api.status import PostPromotionStatus
from heart_operator.plan.analysis.accuracy import judge_accuracy
from heart_operator.plan.analysis.counts import Share
from heart_operator.plan.analysis.verdict import analyse_candidate
from heart_operator.plan.analysis.watch import analyse_serving
from heart_operator.plan.observed import AnalysisSample
from tests.support.plan.simulated_traffic import Behaviour
from tests.support.soak import SOAK

RUNS = 2000 if SOAK else 100
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = Analysis()
TOLERATED = SPEC.failure_limit

CANARY = ((0.1, 10), (0.5, 10))
"""The default steps at the default interval: (weight, looks)."""
LONG = ((0.1, 20), (0.25, 20), (0.5, 80))
"""An hour."""


@dataclass(frozen=True)
class Traffic:
    """A rollout's traffic: around `rate` requests in an interval, split by the weight of the phase."""

    rate: float
    stable: Behaviour
    candidate: Behaviour
    phases: tuple[tuple[float, int], ...] = CANARY
    trouble: tuple[Behaviour, Behaviour] | None = None
    """How stable version and candidate behave in the last phase."""

    def samples(self, random: np.random.Generator) -> Iterator[AnalysisSample]:
        for position, (weight, intervals) in enumerate(self.phases):
            last = position == len(self.phases) - 1
            stable, candidate = self.trouble if self.trouble and last else (self.stable, self.candidate)
            for _ in range(intervals):
                whole = int(random.poisson(self.rate))
                share = int(random.binomial(whole, weight))
                yield AnalysisSample(stable.answer(random, whole - share), candidate.answer(random, share))


def intervals(traffic: Traffic, random: np.random.Generator) -> Iterator[AnalysisStatus]:
    """Each look at one rollout, to its end or to its rejection."""
    status = None
    for sample in traffic.samples(random):
        status = analyse_candidate(SPEC, status, sample, NOW)
        yield status
        if status.consecutive_failures > TOLERATED:
            return


@dataclass(frozen=True)
class Figures:
    """Shares of the rollouts."""

    ever_failed: float
    """A single look called it bad."""
    rejected: float
    ever_passed: float
    """A single look called it good."""
    passed: float
    """The last look called it good."""
    requests: float
    """The candidate's, until the end; median."""


def simulate(name: str, traffic: Traffic, runs: int = RUNS) -> Figures:
    random = np.random.default_rng(20261121)
    ends = [list(intervals(traffic, random)) for _ in range(runs)]

    def share(words: list[bool]) -> float:
        return sum(words) / len(words)

    figures = Figures(
        ever_failed=share([any(interval.verdict == "Failed" for interval in seen) for seen in ends]),
        rejected=share([seen[-1].consecutive_failures > TOLERATED for seen in ends]),
        ever_passed=share([any(interval.verdict == "Passed" for interval in seen) for seen in ends]),
        passed=share([seen[-1].verdict == "Passed" for seen in ends]),
        requests=float(np.median([seen[-1].candidate.requests for seen in ends])),
    )
    print(
        f"\n{name:42} {runs} rollouts: rejected {figures.rejected:.1%}, ever failed {figures.ever_failed:.1%},"
        f" passed {figures.passed:.1%}, ever passed {figures.ever_passed:.1%}, {figures.requests:.0f} requests"
    )
    return figures


def pair(**shares: float) -> tuple[Behaviour, Behaviour]:
    return Behaviour(**shares), Behaviour(**shares)


EQUAL = [
    ("sound", Traffic(100, *pair(errors=0.001, invalid=0.001, slow=0.01), LONG)),
    ("at every limit", Traffic(100, *pair(errors=0.02, invalid=0.02, slow=0.05), LONG)),
    ("both worse than allowed", Traffic(100, *pair(errors=0.08, invalid=0.1, slow=0.2), LONG)),
    ("little traffic", Traffic(5, *pair(errors=0.02, invalid=0.02, slow=0.05), LONG)),
    ("both turn bad together", Traffic(100, *pair(), LONG, pair(errors=0.2, invalid=0.1, slow=0.3))),
]


@pytest.mark.parametrize(("name", "traffic"), EQUAL, ids=[row[0] for row in EQUAL])
def test_an_equal_version_is_hardly_ever_called_bad(name: str, traffic: Traffic) -> None:
    """Not at one look in an hour, let alone at as many in a row as it takes."""
    assert simulate(f"equal, {name}", traffic, RUNS // 2).ever_failed <= 0.02


def test_a_sound_version_passes_in_the_default_steps() -> None:
    """At two requests per second, of which a tenth is the candidate's for half of the time."""
    figures = simulate("sound, default steps", Traffic(60, *pair(errors=0.002, slow=0.01)))
    assert figures.passed >= 0.9
    assert figures.rejected == 0


TWICE = [
    ("errors, twice the limit", Behaviour(errors=0.01), Behaviour(errors=0.04)),
    ("errors, twice the stable version's", Behaviour(errors=0.02), Behaviour(errors=0.04)),
    ("errors, both high", Behaviour(errors=0.1), Behaviour(errors=0.2)),
    ("invalid_requests", Behaviour(), Behaviour(invalid=0.04)),
    ("slow answers", Behaviour(slow=0.01), Behaviour(slow=0.1)),
]


@pytest.mark.parametrize(("name", "stable", "candidate"), TWICE, ids=[row[0] for row in TWICE])
def test_twice_as_bad_is_rejected(name: str, stable: Behaviour, candidate: Behaviour) -> None:
    """At twenty requests per second, within the default steps or soon after: it waits for evidence meanwhile."""
    traffic = Traffic(600, stable, candidate, ((0.1, 10), (0.5, 20)))
    assert simulate(f"twice, {name}", traffic, RUNS // 2).rejected >= 0.8


@pytest.mark.parametrize("rate", [20, 200])
@pytest.mark.parametrize(("name", "stable", "candidate"), TWICE, ids=[row[0] for row in TWICE])
def test_twice_as_bad_is_hardly_ever_called_good(
    name: str, stable: Behaviour, candidate: Behaviour, rate: float
) -> None:
    """Not at a single look of half an hour, however much or little it is asked."""
    traffic = Traffic(rate, stable, candidate, ((0.1, 20), (0.5, 40)))
    assert simulate(f"twice, {name}, {rate} per look", traffic, RUNS // 2).ever_passed <= 0.05


@pytest.mark.parametrize("weight", [0.1, 0.25, 0.5])
def test_a_broken_version_is_found_within_a_handful_of_requests(weight: float) -> None:
    traffic = Traffic(4 / weight, Behaviour(errors=0.001), Behaviour(errors=0.5), ((weight, 30),))
    figures = simulate(f"half of the requests fail, weight {weight:.0%}", traffic)
    assert figures.rejected == 1
    assert figures.requests <= SPEC.min_requests / 2


def test_a_version_that_breaks_late_is_found_as_fast() -> None:
    """After five quiet minutes at a hundred requests a second, looked at every five seconds."""
    traffic = Traffic(500, *pair(slow=0.01), ((0.5, 60), (0.5, 3)), (Behaviour(), Behaviour(errors=0.5)))
    assert simulate("breaks late", traffic, RUNS // 5).rejected == 1


@pytest.mark.parametrize("requests", [100, 200, 500, 1000, 2000])
def test_equal_outputs_are_not_called_shifted(requests: int) -> None:
    traffic = Traffic(requests, *pair(), ((0.5, 12),))
    assert simulate(f"equal outputs, {requests // 2} per look", traffic, RUNS // 2).ever_failed <= 0.02


def test_an_allowed_shift_is_not_called_too_large() -> None:
    """Logits 1.03 higher, standard deviation 2: an index of 0.25."""
    traffic = Traffic(100, Behaviour(), Behaviour(mean=1.03), ((0.5, 60),))
    assert simulate("a shift just as large as allowed", traffic, RUNS // 2).ever_failed <= 0.02


@pytest.mark.parametrize(("mean", "spread"), [(1.0, 1.0), (2.0, 2.0)])
def test_a_real_shift_is_found(mean: float, spread: float) -> None:
    """Within 500 predictions."""
    traffic = Traffic(100, Behaviour(spread=spread), Behaviour(mean=mean, spread=spread), ((0.5, 10),))
    figures = simulate(f"logits +{mean:g}, standard deviation {spread:g}", traffic)
    assert figures.rejected >= 0.8
    assert figures.ever_passed <= 0.05


@pytest.mark.parametrize(("candidate", "least", "most"), [(0.15, 0.0, 0.02), (0.3, 0.8, 1.0)])
def test_live_accuracy(candidate: float, least: float, most: float) -> None:
    """Outcomes trickle in; 15% of the stable version's predictions are wrong."""
    random = np.random.default_rng(20261121)
    failed = 0
    for _ in range(RUNS):
        wrong = np.cumsum(random.binomial(5, (0.15, candidate), size=(100, 2)), axis=0)
        pairs = ((Share(int(a), 5 * n), Share(int(b), 5 * n)) for n, (a, b) in enumerate(wrong, 1))
        failed += any(result.verdict == "Failed" for pair in pairs for result in judge_accuracy(*pair))
    print(f"\nlive accuracy, {candidate:.0%} wrong against 15%: {failed / RUNS:.1%} ever failed")
    assert least <= failed / RUNS <= most


def watch(behaviour: Behaviour, count: int, rate: float) -> float:
    """Share of the watches of `count` looks that end in a rollback."""
    random = np.random.default_rng(20261121)
    ended = 0
    for _ in range(RUNS // 2):
        status: PostPromotionStatus | None = None
        for _ in range(count):
            sample = AnalysisSample(behaviour.answer(random, int(random.poisson(rate))))
            status = analyse_serving(Alerts(), status, sample, NOW)
            if status.consecutive_failures > TOLERATED:
                ended += 1
                break
    share = ended / (RUNS // 2)
    print(f"\nwatch of {count} looks at {rate:.0f} requests, {behaviour}: {share:.1%} end in a rollback")
    return share


@pytest.mark.parametrize("rate", [5, 100])
def test_a_version_at_the_critical_bounds_is_not_taken_back(rate: float) -> None:
    """Through an hour of looks every half minute."""
    assert watch(Behaviour(errors=0.05, slow=0.05), 120, rate) <= 0.02


def test_a_version_at_twice_the_critical_bound_is_taken_back() -> None:
    assert watch(Behaviour(errors=0.1), 20, 300) >= 0.8
