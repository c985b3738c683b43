"""Out-of-fold predictions → figures with intervals, per slice, and the gaps between groups."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from heart_api.contract import Feature
from heart_api.evaluation import Estimate, Gap, SliceEstimate
from heart_trainer.evaluation.bootstrap import Sample, interval, replicate
from heart_trainer.evaluation.metrics import THRESHOLD, Array, Figures, point, wilson
from heart_trainer.evaluation.slices import Group, groups
from heart_trainer.evaluation.weighted import Replicates
from heart_trainer.values import OutOfFoldResult, Table


@dataclass(frozen=True)
class Measured:
    """One sample's figures, with the resamples that their intervals come from."""

    sample: Sample
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
    """What the evaluation says about quality; `groups` are those of `slices`, in order."""

    metrics: dict[str, Estimate]
    slices: tuple[SliceEstimate, ...]
    gaps: tuple[Gap, ...]


def judged_sample(table: Table, oof: OutOfFoldResult) -> Sample:
    """The rows that have a prediction of a model that was not trained on them."""
    return Sample(table.task, table.y, oof.output, table.groups).take(oof.judged)


def measure(table: Table, features: tuple[Feature, ...], oof: OutOfFoldResult, seed: int) -> Measurement:
    """Everything that out-of-fold predictions say: whole, per group of each sensitive feature, and between groups."""
    sample = judged_sample(table, oof)
    found = [(group, _measured(sample.take(group.rows), seed)) for group in groups(features, table.x[oof.judged])]
    return Measurement(
        metrics=_measured(sample, seed).estimates,
        slices=tuple(SliceEstimate(feature=g.feature, group=g.name, metrics=m.estimates) for g, m in found),
        gaps=_gaps(found),
    )


def estimates(sample: Sample, seed: int) -> dict[str, Estimate]:
    """Each defined metric of one sample with its 95% bootstrap interval."""
    return _measured(sample, seed).estimates


def _measured(sample: Sample, seed: int) -> Measured:
    return Measured(sample, point(sample.task, sample.y, sample.output), replicate(sample, seed))


def _unanimous(sample: Sample, name: str, value: float) -> tuple[float, float]:
    """Resampling twelve hits in twelve finds no doubt at all; Wilson's interval does."""
    if sample.task != "binary" or value not in (0.0, 1.0):
        return value, value
    of = {"recall": sample.y == 1, "precision": sample.output[:, 1] >= THRESHOLD}.get(name)
    rows = sample.n if of is None else sample.take(np.asarray(of)).n
    low, high = wilson(value, rows)
    return float(low), float(high)


def _gaps(found: list[tuple[Group, Measured]]) -> tuple[Gap, ...]:
    gaps = []
    for feature in dict.fromkeys(group.feature for group, _ in found):
        members = [(group, measured) for group, measured in found if group.feature == feature]
        for metric in dict.fromkeys(name for _, measured in members for name in measured.figures):
            defined = [(g, m) for g, m in members if metric in m.estimates]
            if len(defined) > 1:
                gaps.append(_gap(feature, metric, defined))
    return tuple(gaps)


def _gap(feature: str, metric: str, members: list[tuple[Group, Measured]]) -> Gap:
    """Between the groups with the greatest and the least figure; groups share no row, so resamples are independent."""
    ordered = sorted(members, key=lambda member: member[1].figures[metric])
    (least, low), (greatest, high) = ordered[0], ordered[-1]
    difference = high.figures[metric] - low.figures[metric]
    return Gap(
        feature=feature,
        metric=metric,
        groups=(greatest.name, least.name),
        gap=_gap_estimate(low.sample, high.sample, difference, _apart(high, low, metric)),
    )


def _apart(high: Measured, low: Measured, metric: str) -> Array:
    above, below = high.replicates[metric], low.replicates[metric]
    size = min(len(above), len(below))
    return np.asarray(above[:size] - np.random.default_rng(0).permutation(below)[:size])


def _gap_estimate(a: Sample, b: Sample, difference: float, replicates: Array) -> Estimate:
    smaller = min(a, b, key=lambda sample: sample.n)
    defined = replicates[np.isfinite(replicates)]
    low, high = np.quantile(defined, (0.025, 0.975)) if len(defined) else (difference, difference)
    return Estimate(
        n=smaller.n,
        events=smaller.events,
        estimate=difference,
        low=min(float(low), difference),
        high=max(float(high), difference),
    )
