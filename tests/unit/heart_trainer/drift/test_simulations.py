"""How often the shipped functions cry wolf, and how often they see the wolf: windows of 100 rows, training of 303.

Figures are printed (`pytest -s`); HEARTOPS_SOAK=1 repeats them often enough for two digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from heart_api.retrainschedule import DriftCheck, PerformanceCheck
from heart_log.values import Scored
from heart_trainer.drift.decide import Drift, find_drift, judge
from heart_trainer.drift.performance import judge_performance
from tests.support.soak import SOAK
from tests.support.trainer.drift_data import NUMBERS, reference, traffic

ROUNDS = 2000 if SOAK else 50
TRAINED, WINDOW = 303, 100
NOW = datetime(2026, 11, 22, tzinfo=UTC)
HALF = {NUMBERS[0]: 0.5}
ANY, SHARE = DriftCheck(any_feature=True), DriftCheck()


@dataclass(frozen=True)
class Rates:
    """Shares of the rounds."""

    window: float
    """The newest window alone shows drift."""
    any_feature: float
    """`anyFeature` trains again."""
    threshold: float
    """A share of one half trains again."""


def simulate(shift: Mapping[str, float] | None, rounds: int, first: Mapping[str, float] | None = None) -> Rates:
    """`first`: of the window before, when it differs. Training data are drawn anew in every round."""
    found = [round_of(np.random.default_rng(seed), shift, shift if first is None else first) for seed in range(rounds)]
    share = {
        name: float(np.mean([told(drift) for drift in found]))
        for name, told in {
            "window": lambda drift: any(entry.drifted for entry in drift.latest),
            "any_feature": lambda drift: judge(drift, ANY, "1", NOW).verdict == "Drift",
            "threshold": lambda drift: judge(drift, SHARE, "1", NOW).verdict == "Drift",
        }.items()
    }
    print(f"\n{rounds} rounds, shift {dict(shift or {})}: {share}")
    return Rates(**share)


def round_of(rng: np.random.Generator, shift: Mapping[str, float] | None, first: Mapping[str, float] | None) -> Drift:
    profile = reference(rng, TRAINED)
    return find_drift(profile, traffic(rng, WINDOW, shift), traffic(rng, WINDOW, first), WINDOW)


def test_unchanged_data_raise_few_alarms_and_start_no_training() -> None:
    rates = simulate(None, 2 * ROUNDS)
    assert rates.window <= 0.02
    assert rates.any_feature <= 0.02
    assert rates.threshold == 0


def test_half_a_standard_deviation_of_one_feature_is_found() -> None:
    rates = simulate(HALF, ROUNDS)
    assert rates.window >= 0.7
    assert rates.any_feature >= 0.7
    assert rates.threshold == 0, "one of 13 is less than the threshold"


def test_a_population_that_shifts_trains_by_the_share() -> None:
    assert simulate(dict.fromkeys(NUMBERS, 0.5), ROUNDS // 2).threshold >= 0.7


def test_a_single_odd_window_starts_no_training() -> None:
    """An afternoon with other patients: seen, and not confirmed by the window before."""
    rates = simulate(dict.fromkeys(NUMBERS, 1.0), ROUNDS // 2, first={})
    assert rates.window == 1
    assert rates.threshold == 0


@pytest.mark.parametrize(("true", "least", "most"), [(0.85, 0.0, 0.02), (0.75, 0.0, 0.05), (0.5, 0.9, 1.0)])
def test_a_poor_accuracy_trains_and_a_good_one_does_not(true: float, least: float, most: float) -> None:
    """Bound .75, 100 outcomes; what is exactly as good as the bound is an alarm in at most one of 20 looks."""
    rng = np.random.default_rng(1)
    rounds = 20_000 if SOAK else 2000
    check = PerformanceCheck(below=0.75)
    alarms = 0
    for _ in range(rounds):
        rows = [Scored((0.4, 0.6), "ill", "ill" if hit else "well") for hit in rng.random(WINDOW) < true]
        alarms += judge_performance(rows, ("well", "ill"), check, "1", NOW).verdict == "Below"
    print(f"\naccuracy {true}: below .75 in {alarms / rounds:.1%} of {rounds} looks")
    assert least <= alarms / rounds <= most
