"""Row weights of a stratified bootstrap, and the intervals that follow.

What is drawn is the group of equal rows, not the row: a file with every row twice earns no narrower interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heart_api.evaluation import Task
from heart_trainer.evaluation.metrics import Array
from heart_trainer.evaluation.weighted import Replicates, weighted

RESAMPLES = 1000
CELLS = 8_000_000
"""Bound of resamples × rows: 20,000 rows get 400 resamples."""
BATCH_CELLS = 1_000_000
FEWEST_RESAMPLES = 200


@dataclass(frozen=True)
class Sample:
    """Rows to judge: `y` and `output` as in `Table` and `OutOfFoldResult`, `groups` the units that are drawn."""

    task: Task
    y: NDArray[np.generic]
    output: Array
    groups: NDArray[np.int64]

    def take(self, mask: NDArray[np.bool_]) -> "Sample":
        return Sample(self.task, self.y[mask], self.output[mask], self.groups[mask])

    @property
    def n(self) -> int:
        """Number of distinct rows."""
        return len(np.unique(self.groups))

    @property
    def events(self) -> int | None:
        """Distinct rows of the rarer class (binary) or rarest class (multiclass)."""
        if self.task == "regression":
            return None
        _, first = np.unique(self.groups, return_index=True)
        counts = np.bincount(np.asarray(self.y[first], dtype=np.intp), minlength=self.output.shape[1])
        return int(counts.min())


def resamples(rows: int) -> int:
    return int(np.clip(CELLS // max(rows, 1), FEWEST_RESAMPLES, RESAMPLES))


def draw(sample: Sample, seed: int) -> Iterator[Array]:
    """Weights [resamples, rows] in batches; each class keeps its number of groups."""
    rng = np.random.default_rng(seed)
    _, first, member = np.unique(sample.groups, return_index=True, return_inverse=True)
    stratum = np.zeros(len(first), dtype=np.intp)
    if sample.task != "regression":
        stratum = np.asarray(sample.y[first], dtype=np.intp)
    strata = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    left, batch = resamples(len(member)), max(1, BATCH_CELLS // max(len(member), 1))
    while left > 0:
        size = min(left, batch)
        counts = np.empty((size, len(first)))
        for units in strata:
            counts[:, units] = _multinomial(rng, len(units), size)
        yield counts[:, member]
        left -= size


def _multinomial(rng: np.random.Generator, units: int, size: int) -> Array:
    """[size, units]: how often each unit is drawn in `units` draws with replacement."""
    drawn = rng.integers(0, units, (size, units)) + np.arange(size)[:, None] * units
    return np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)


def replicate(sample: Sample, seed: int) -> Replicates:
    """[resamples] values of each metric of the sample's task; NaN where a resample does not define it."""
    parts = [weighted(sample.task, sample.y, sample.output, weights) for weights in draw(sample, seed)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(name: str, estimate: float, replicates: Array) -> tuple[float, float] | None:
    """95% interval, or None where most resamples do not define the metric.

    Percentiles, save for the calibration error: an average of absolute distances is pushed up by every resampling,
    so its percentiles are mirrored at the estimate (Efron and Tibshirani's basic interval) and cut at 0.
    """
    defined = replicates[np.isfinite(replicates)]
    if len(defined) < len(replicates) / 2:
        return None
    low, high = (float(q) for q in np.quantile(defined, (0.025, 0.975)))
    if name == "ece":
        return max(0.0, 2 * estimate - high), max(estimate, 2 * estimate - low)
    return min(low, estimate), max(high, estimate)
