"""Distances that people know from elsewhere: reported, and nothing is decided by them.

Both alarm by chance on small windows (a population stability index over 0.2 in nearly every one of 50 rows).
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import jensenshannon

from heart_api.referenceprofile import FeatureProfile
from heart_trainer.drift.columns import Column
from heart_trainer.drift.statistics import from_quantiles
from heart_trainer.evaluation.metrics import Array

BINS = 10
HALF_A_ROW = 0.5
"""Added to each bin of the window, so that an empty one has a logarithm."""


@dataclass(frozen=True)
class Distances:
    """Of the live shares from the training's, in ten bins of equal size or by category."""

    psi: float
    """Population stability index; 0: equal, from 0.2 on people call it a shift."""
    jensen_shannon: float
    """Jensen–Shannon distance with logarithms to the base 2, 0 to 1."""
    out_of_range: float
    """Share of values outside what the training had."""


def distances(reference: FeatureProfile, column: Column) -> Distances | None:
    """Distances between a live column and its profile; None if either of them has no values."""
    shares = number_shares(reference, column.numbers) if len(column.numbers) else category_shares(reference, column)
    if shares is None:
        return None
    before, now, outside = shares
    smooth = (now + HALF_A_ROW) / (now + HALF_A_ROW).sum()
    expected = np.maximum(before, 1e-4) / np.maximum(before, 1e-4).sum()
    psi = float(np.sum((smooth - expected) * np.log(smooth / expected)))
    return Distances(psi, float(jensenshannon(before, now / now.sum(), base=2)), outside)


def number_shares(reference: FeatureProfile, values: Array) -> tuple[Array, Array, float] | None:
    """Training's shares and live counts in bins between its deciles; equal deciles are one edge."""
    if not reference.quantiles:
        return None
    quantiles = np.asarray(reference.quantiles)
    edges = np.unique(quantiles[:: max(1, (len(quantiles) - 1) // BINS)])[1:-1]
    steps = from_quantiles(reference.quantiles)
    upto = np.concatenate([[0.0], steps.below(edges)[0] if len(edges) else [], [1.0]])
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    outside = float(np.mean((values < quantiles[0]) | (values > quantiles[-1])))
    return np.diff(upto), counts.astype(float), outside


def category_shares(reference: FeatureProfile, column: Column) -> tuple[Array, Array, float] | None:
    names = [*reference.counts, *(name for name in column.counts if name not in reference.counts)]
    before = np.array([reference.counts.get(name, 0) for name in names], dtype=float)
    now = np.array([column.counts.get(name, 0) for name in names], dtype=float)
    if not before.sum() or not now.sum():
        return None
    return before / before.sum(), now, float(now[before == 0].sum() / now.sum())
