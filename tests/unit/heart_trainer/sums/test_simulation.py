"""Summed against pooled figures over random splits; docs/federated.md has those of the long form.

`HEARTOPS_SOAK=1 pytest -s` on this file takes 200 splits and prints the mean and the worst difference of every figure
and of either end of its interval.
"""

import numpy as np
import pytest

from heart_api.evaluation import Estimate
from heart_trainer.federation.holding import shield
from heart_trainer.federation.limits import limited
from heart_trainer.sums.additive import Sums, total
from heart_trainer.sums.driver import Request
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.rows import Rows
from heart_trainer.sums.scores import ScoreRequest
from heart_trainer.sums.spread import spread
from tests.support.soak import SOAK
from tests.support.trainer.pooled import FEATURES, cohort, holders, pooled, run, study

SPLITS = 200 if SOAK else 3
ROWS = 900
SITES = 3
EXACT = {"roc_auc": 1e-4, "brier": 1e-6, "log_loss": 1e-5, "accuracy": 1e-9}
"""Greatest difference of an estimate."""
ENDS = {"roc_auc": 0.015, "brier": 0.01, "log_loss": 0.03, "calibration_slope": 0.1}
"""Of an end of the interval: the noise of two bootstraps of 1,000 resamples, which differ as much between two seeds."""
CELLED = {"roc_auc": 0.01, "brier": 0.005, "ece": 0.05, "calibration_slope": 0.15}
"""The same where every cell of a site has ten rows: the default of `minimumCell`."""
CELL = 10


Apart = dict[str, dict[str, tuple[float, ...]]]
"""By way of summing, then by metric: differences of the estimate and of the interval's low and high end."""


@pytest.fixture(scope="module")
def apart() -> list[Apart]:
    return [split(number) for number in range(SPLITS)]


def split(number: int) -> Apart:
    """Of one random split. The same penalty for all, so that only the sums can differ."""
    what = study(penalties=(10.0,), seed=number)
    rows = cohort(ROWS, seed=number, secret=bytes([number % 251]))
    sites = holders(rows, SITES, number)
    row_wise = pooled(what, rows)
    figures = {
        "exact": run(what, sites).measurement().metrics,
        "celled": run(what, [shielded(site) for site in sites], celled).measurement().metrics,
        "seed": row_wise.again,
    }
    return {
        way: {name: differences(metrics[name], expected) for name, expected in row_wise.figures.items()}
        for way, metrics in figures.items()
    }


def shielded(site: Rows) -> Rows:
    return Rows(shield(site.x, FEATURES, CELL), site.y, site.draw)


def celled(request: Request, sites: list[Rows]) -> Sums:
    """What sites of a federation answer, and how their coordinator reads it."""
    found = (limited(request, request.collect(rows), CELL) for rows in sites)
    scores = isinstance(request, ScoreRequest | EvaluationRequest)
    return total(request.schema(), map(spread, found) if scores else found)


def test_summed_figures_are_the_pooled_ones(apart: list[Apart]) -> None:
    for name, worst in report("exact", apart).items():
        assert worst[0] < EXACT.get(name, 1e-3), name
        assert max(worst[1:]) < ENDS.get(name, 0.03), name


def test_minimum_cells_cost_little(apart: list[Apart]) -> None:
    for name, worst in report("celled", apart).items():
        assert worst[0] < CELLED.get(name, 0.04), name


def report(way: str, apart: list[Apart]) -> dict[str, tuple[float, ...]]:
    """Prints a table and returns the worst differences by metric."""
    print(f"\n{way}: estimate, low and high end, each mean / worst; worst end with another seed of the bootstrap")
    worsts = {}
    for name in apart[0][way]:
        mean, worst, seed = (
            reduced([one[of][name] for one in apart], axis=0)
            for reduced, of in ((np.mean, way), (np.max, way), (np.max, "seed"))
        )
        cells = " | ".join(f"{m:.1e} / {w:.1e}" for m, w in zip(mean, worst, strict=True))
        print(f"| {name} | {cells} | {max(seed[1:]):.1e} |")
        worsts[name] = tuple(worst)
    return worsts


def differences(one: Estimate, other: Estimate) -> tuple[float, ...]:
    """Of the estimates, and of the interval's low and high end."""
    return tuple(abs(getattr(one, name) - getattr(other, name)) for name in ("estimate", "low", "high"))
