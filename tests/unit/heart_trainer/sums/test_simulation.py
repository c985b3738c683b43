"""Summed against pooled figures over random splits; docs/large-data.md has those of the long form.

`make test-soak` takes 200 splits and prints the mean and the worst difference of every figure and interval bound.
"""

from collections import defaultdict

import numpy as np

from heart_api.evaluation import Estimate
from tests.support.soak import SOAK
from tests.support.trainer.pooled import cohort, holders, pooled, run, study

SPLITS = 200 if SOAK else 4
ROWS = 900
SITES = 3
EXACT = {"roc_auc": 1e-4, "brier": 1e-6, "log_loss": 1e-5, "accuracy": 1e-9}
"""Greatest difference of an estimate."""
ENDS = {"roc_auc": 0.015, "brier": 0.01, "log_loss": 0.03, "calibration_slope": 0.1}
"""Of an end of the interval: the noise of two bootstraps of 1,000 resamples, which differ as much between two seeds."""


def test_summed_figures_are_the_pooled_ones() -> None:
    """The same penalty for both, so that only the sums can differ."""
    apart, noise = defaultdict(list), defaultdict(list)
    for number in range(SPLITS):
        what = study(penalties=(10.0,), seed=number)
        rows = cohort(ROWS, seed=number, secret=bytes([number % 251]))
        found = run(what, holders(rows, SITES, number)).measurement().metrics
        row_wise = pooled(what, rows)
        for name, expected in row_wise.figures.items():
            apart[name].append(differences(found[name], expected))
            noise[name].append(differences(row_wise.again[name], expected))
    for name, found_apart in apart.items():
        mean, worst, seeds = np.mean(found_apart, axis=0), np.max(found_apart, axis=0), np.max(noise[name], axis=0)
        print(f"| {name} | {mean[0]:.1e} | {worst[0]:.1e} | {mean[1]:.1e} | {worst[1]:.1e} | {seeds[1]:.1e} |")
        assert worst[0] < EXACT.get(name, 1e-3), name
        assert worst[1] < ENDS.get(name, 0.03), name


def differences(one: Estimate, other: Estimate) -> tuple[float, float]:
    """(of the estimates, greatest of the interval's two ends)"""
    return abs(one.estimate - other.estimate), max(abs(one.low - other.low), abs(one.high - other.high))
