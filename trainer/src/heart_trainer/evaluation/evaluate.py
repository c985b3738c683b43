"""Out-of-fold predictions → figures with intervals, per slice, and the gaps between groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from heart_api.contract import Feature
from heart_api.evaluation import Estimate, Gap, SliceEstimate, Task
from heart_trainer.evaluation.bootstrap import Sample, interval, replicate
from heart_trainer.evaluation.metrics import THRESHOLD, Array, Figures, point, wilson
from heart_trainer.evaluation.slices import groups
from heart_trainer.evaluation.weighted import Replicates
from heart_trainer.values import OutOfFoldResult, Table


class Judged(Protocol):
    """What an estimate says about the rows behind it: a Sample, or the cells that rows were counted in.

    `y` and `output` are read for binary tasks alone.
    """

    @property
    def task(self) -> Task: ...
    @property
    def n(self) -> int: ...
    @property
    def events(self) -> int | None: ...
    @property
    def y(self) -> NDArray[np.generic]: ...
    @property
    def output(self) -> Array: ...
    def take(self, mask: NDArray[np.bool_]) -> Self: ...


@dataclass(frozen=True)
class Measured:
    """One sample's figures, with the resamples that their intervals come from."""

    sample: Judged
    figures: Figures
    replicates: Replicates

    @cached_property
    def estimates(self) -> dict[str, Estimate]:
        found = {name: self._estimate(name, value) for name, value in self.figures.items()}
        return {name: estimate for name, estimate in found.items() if estimate is not None}

    def _estimate(self, name: str, value: float) -> Estimate | None:
        bounds = interval(name, value, self.replicates[name])
        if bounds is None:
            return None
        low, high = bounds if bounds[0] < bounds[1] else _unanimous(self.sample, name, value)
        return Estimate(n=self.sample.n, events=self.sample.events, estimate=value, low=low, high=high)


@dataclass(frozen=True)
class Measurement:
    """What the evaluation says about quality."""

    metrics: dict[str, Estimate]
    slices: tuple[SliceEstimate, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class Member:
    """The figures of one group of a feature."""

    feature: str
    group: str
    measured: Measured


def judged_sample(table: Table, oof: OutOfFoldResult) -> Sample:
    """The rows that have a prediction of a model that was not trained on them."""
    return Sample(table.task, table.y, oof.output, table.groups).take(oof.judged)


def measure(table: Table, features: tuple[Feature, ...], oof: OutOfFoldResult, seed: int) -> Measurement:
    """Everything that out-of-fold predictions say: whole, per group of each sensitive feature, and between groups."""
    sample = judged_sample(table, oof)
    found = [
        Member(group.feature, group.name, _measured(sample.take(group.rows), seed))
        for group in groups(features, table.x[oof.judged])
    ]
    return Measurement(
        metrics=_measured(sample, seed).estimates,
        slices=tuple(SliceEstimate(feature=m.feature, group=m.group, metrics=m.measured.estimates) for m in found),
        gaps=gaps_between(found),
    )


def estimates(sample: Sample, seed: int) -> dict[str, Estimate]:
    """Each defined metric of one sample with its 95% bootstrap interval."""
    return _measured(sample, seed).estimates


def _measured(sample: Sample, seed: int) -> Measured:
    return Measured(sample, point(sample.task, sample.y, sample.output), replicate(sample, seed))


def _unanimous(sample: Judged, name: str, value: float) -> tuple[float, float]:
    """Resampling twelve hits in twelve finds no doubt at all; Wilson's interval does."""
    if sample.task != "binary" or value not in (0.0, 1.0):
        return value, value
    of = {"recall": sample.y == 1, "precision": sample.output[:, 1] >= THRESHOLD}.get(name)
    rows = sample.n if of is None else sample.take(np.asarray(of)).n
    low, high = wilson(value, rows)
    return float(low), float(high)


def gaps_between(found: Sequence[Member]) -> tuple[Gap, ...]:
    """For each feature and metric, between the groups with the greatest and the least figure."""
    gaps = []
    for feature in dict.fromkeys(member.feature for member in found):
        members = [member for member in found if member.feature == feature]
        for metric in dict.fromkeys(name for member in members for name in member.measured.figures):
            defined = [member for member in members if metric in member.measured.estimates]
            if len(defined) > 1:
                gaps.append(_gap(metric, defined))
    return tuple(gaps)


def _gap(metric: str, members: list[Member]) -> Gap:
    """Groups share no row, so their resamples are independent; at least half of each define the metric."""
    ordered = sorted(members, key=lambda member: member.measured.figures[metric])
    least, greatest = ordered[0], ordered[-1]
    low, high = least.measured, greatest.measured
    difference = high.figures[metric] - low.figures[metric]
    return Gap(
        feature=least.feature,
        metric=metric,
        groups=(greatest.group, least.group),
        gap=_gap_estimate(low.sample, high.sample, difference, _apart(high, low, metric)),
    )


def _apart(high: Measured, low: Measured, metric: str) -> Array:
    above, below = high.replicates[metric], low.replicates[metric]
    size = min(len(above), len(below))
    return np.asarray(above[:size] - np.random.default_rng(0).permutation(below)[:size])


def _gap_estimate(a: Judged, b: Judged, difference: float, replicates: Array) -> Estimate:
    smaller = min(a, b, key=lambda sample: sample.n)
    defined = replicates[np.isfinite(replicates)]
    low, high = np.quantile(defined, (0.025, 0.975))
    return Estimate(
        n=smaller.n,
        events=smaller.events,
        estimate=difference,
        low=min(float(low), difference),
        high=max(float(high), difference),
    )
