"""One column of live values against its training: how far apart, and how often chance alone gives as much.

The training is known by its profile alone (percentiles, counts), which stands for a sample of known size. Every
distance is a difference of shares, so that one floor fits all: 0.1 means that a tenth of the rows lies elsewhere.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from heart_api.referenceprofile import FeatureProfile
from heart_trainer.evaluation.metrics import Array

Statistic = Literal["ks", "chi2", "missing"]
LEAST_EXPECTED = 5
"""Rows that a cell of a contingency table should have; rarer values are counted together (Cochran 1954)."""


@dataclass(frozen=True)
class Evidence:
    """The result of one test: a distance between 0 and 1, and its two-sided p-value."""

    statistic: Statistic
    value: float
    p_value: float


@dataclass(frozen=True)
class Steps:
    """A distribution function with jumps: shares below (`low`) and up to (`high`) each of the ascending `values`."""

    values: Array
    low: Array
    high: Array

    def below(self, x: Array) -> tuple[Array, Array]:
        """Shares below and up to each x; linear between two values."""
        right = np.searchsorted(self.values, x, side="left").clip(0, len(self.values) - 1)
        left = (right - 1).clip(0)
        gap = np.where(right > left, self.values[right] - self.values[left], 1.0)
        between = self.high[left] + (x - self.values[left]) / gap * (self.low[right] - self.high[left])
        outside = np.where(x < self.values[0], 0.0, np.where(x > self.values[-1], 1.0, between))
        exact = self.values[right] == x
        return np.where(exact, self.low[right], outside), np.where(exact, self.high[right], outside)


def from_quantiles(quantiles: tuple[float, ...]) -> Steps:
    """Equal percentiles are a value that many rows share: a jump, not a slope."""
    grid = np.linspace(0, 1, len(quantiles))
    values, first = np.unique(np.asarray(quantiles), return_index=True)
    last = np.append(first[1:], len(quantiles)) - 1
    return Steps(values, grid[first], grid[last])


def number_tests(reference: FeatureProfile, rows: int, values: Array) -> list[Evidence]:
    """`rows`: of the training; `values`: those that are there. Where one of the two has none, there is no test."""
    known = round(rows * (1 - reference.missing))
    if not len(values) or not reference.quantiles or not known:
        return []
    steps = from_quantiles(reference.quantiles)
    distinct, counts = np.unique(values, return_counts=True)
    low, high = steps.below(distinct)
    share = counts / len(values)
    upto = np.cumsum(share)
    distance = float(max(np.abs(upto - high).max(), np.abs(upto - share - low).max()))
    p_value = min(1.0, 2 * min(ks_p_value(distance, len(values), known), rank_p_value(low, high, share, values, known)))
    return [Evidence("ks", distance, p_value)]


def ks_p_value(distance: float, n: int, m: int) -> float:
    """Two samples' Kolmogorov–Smirnov distance, as scipy's `ks_2samp` has it for large samples; cautious with ties."""
    return float(stats.kstwo.sf(distance, max(1, round(n * m / (n + m)))))


def rank_p_value(low: Array, high: Array, share: Array, values: Array, m: int) -> float:
    """Mann–Whitney's test with its correction for ties, from the ranks in the training.

    It finds a shift that Kolmogorov–Smirnov overlooks in every second window of 100 rows.
    """
    shift = float(np.sum(share * (low + high) / 2) - 0.5)
    variance = (1 - float(np.sum(share**3))) / 12 * (1 / len(values) + 1 / m)
    if variance <= 0:
        return 1.0
    return float(2 * stats.norm.sf(abs(shift) / np.sqrt(variance)))


def category_tests(reference: FeatureProfile, counts: dict[str, int]) -> list[Evidence]:
    """Pearson's chi-square on the table of both; a value that the training never had counts with the rare ones."""
    names = [*reference.counts, *(name for name in counts if name not in reference.counts)]
    table = np.array([[source.get(name, 0) for name in names] for source in (reference.counts, counts)], dtype=float)
    if not table.sum(axis=1).all():
        return []
    shares = table / table.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    merged = merge_rare(table)
    p_value = float(stats.chi2_contingency(merged, correction=False).pvalue) if merged.shape[1] > 1 else 1.0
    return [Evidence("chi2", distance, p_value)]


def merge_rare(table: Array) -> Array:
    """[2, values] counts, with the values whose expected count is below LEAST_EXPECTED added into a last column."""
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < LEAST_EXPECTED
    if rare.sum() < 2:
        return np.asarray(table[:, table.sum(axis=0) > 0])
    return np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])


def missing_tests(reference: FeatureProfile, rows: int, missing: int, live: int) -> list[Evidence]:
    """Fisher's exact test of the share without a value; nothing to test where both have all."""
    before = round(rows * reference.missing)
    if not live or not (before or missing):
        return []
    p_value = float(stats.fisher_exact([[before, rows - before], [missing, live - missing]]).pvalue)
    return [Evidence("missing", abs(missing / live - reference.missing), p_value)]


def strongest(tests: list[Evidence]) -> Evidence | None:
    """The test with the least p-value, which counts for as many as were made (Bonferroni)."""
    if not tests:
        return None
    found = min(tests, key=lambda test: test.p_value)
    return Evidence(found.statistic, found.value, min(1.0, found.p_value * len(tests)))
