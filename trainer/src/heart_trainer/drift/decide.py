"""Has the live data moved away from the training? Decided by tests, with few false alarms, over two windows.

A window: Benjamini–Hochberg at 1% over the features, and a distance of at least 0.1. Confirmed is a feature for which
both windows together pass that, and each of the two by itself shows it at 1%.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from scipy import stats

from heart_api.driftstatus import DriftStatus, FeatureFinding
from heart_api.referenceprofile import FeatureProfile, ReferenceProfile
from heart_api.retrainschedule import DriftCheck
from heart_trainer.drift.columns import Column, Logged, read_column
from heart_trainer.drift.distances import Distances, distances
from heart_trainer.drift.statistics import Evidence, category_tests, missing_tests, number_tests, strongest

LEVEL = 0.01
"""Share of false ones among the features called drifted (false discovery rate)."""
FLOOR = 0.1
"""Least distance that matters: a tenth of the rows lies elsewhere."""


@dataclass(frozen=True)
class Shift:
    """One feature of one window, compared with the reference profile of the training."""

    profile: FeatureProfile
    column: Column
    test: Evidence | None
    """None: nothing could be tested (no value, or redacted)."""
    distances: Distances | None
    drifted: bool = False

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def stands_out(self) -> bool:
        """By itself, without regard to how many features were looked at."""
        return self.test is not None and self.test.p_value <= LEVEL and self.test.value >= FLOOR


@dataclass(frozen=True)
class Drift:
    """Every feature of the latest window, and the features that the window before confirms."""

    latest: tuple[Shift, ...]
    confirmed: frozenset[str]
    samples: int
    samples_before: int

    @property
    def drifted(self) -> frozenset[str]:
        """Features that the newest window shows, or both together do."""
        return frozenset(shift.name for shift in self.latest if shift.drifted) | self.confirmed

    def share(self, names: frozenset[str]) -> float:
        return len(names) / max(1, len(self.latest))


def compare(reference: ReferenceProfile, rows: Sequence[Logged]) -> tuple[Shift, ...]:
    """A shift for each feature of the profile, in its order. `drifted` is set after the correction for their number."""
    shifts = [compare_feature(profile, reference.rows, rows) for profile in reference.features]
    tested = [shift.test.p_value for shift in shifts if shift.test]
    adjusted = iter(stats.false_discovery_control(tested) if tested else ())
    return tuple(
        Shift(
            shift.profile,
            shift.column,
            shift.test,
            shift.distances,
            drifted=bool(shift.test and next(adjusted) <= LEVEL and shift.test.value >= FLOOR),
        )
        for shift in shifts
    )


def compare_feature(profile: FeatureProfile, trained: int, rows: Sequence[Logged]) -> Shift:
    column = read_column(rows, profile)
    numeric = profile.type in ("number", "integer")
    found = number_tests(profile, trained, column.numbers) if numeric else category_tests(profile, column.counts)
    found += missing_tests(profile, trained, column.missing, column.rows)
    return Shift(profile, column, strongest(found), distances(profile, column))


def find_drift(reference: ReferenceProfile, latest: Sequence[Logged], before: Sequence[Logged], least: int) -> Drift:
    """`least`: rows that each window must have to confirm anything."""
    shifts, confirmed = compare(reference, latest), frozenset[str]()
    if min(len(latest), len(before)) >= least:
        standing = names_of(shifts) & names_of(compare(reference, before))
        together = compare(reference, [*latest, *before])
        confirmed = frozenset(shift.name for shift in together if shift.drifted) & standing
    return Drift(shifts, confirmed, len(latest), len(before))


def names_of(shifts: Sequence[Shift]) -> frozenset[str]:
    return frozenset(shift.name for shift in shifts if shift.stands_out)


def is_too_much(drift: Drift, names: frozenset[str], check: DriftCheck) -> bool:
    return bool(names) and (check.any_feature or drift.share(names) >= check.threshold)


def judge(drift: Drift, check: DriftCheck, version: str, until: datetime) -> DriftStatus:
    """The finding for the status; below `minSamples` nothing is decided."""
    known = {"time": f"{until:%Y-%m-%dT%H:%M:%SZ}", "version": version}
    counted = {"samples": drift.samples, "samples_before": drift.samples_before}
    if drift.samples < check.min_samples:
        message = (
            f"{drift.samples} predictions of version {version} in {check.window} are too few to say anything;"
            f" {check.min_samples} are needed (drift.minSamples)"
        )
        return DriftStatus(**known, **counted, verdict="InsufficientSamples", message=message)
    too_much = is_too_much(drift, drift.confirmed, check)
    seen = too_much or is_too_much(drift, drift.drifted, check)
    return DriftStatus(
        **known,
        **counted,
        verdict="Drift" if too_much else "Unconfirmed" if seen else "NoDrift",
        share=round(drift.share(drift.drifted), 4),
        features=tuple(finding(shift, drift) for shift in ranked(drift)),
        message=describe(drift, check, version),
    )


def ranked(drift: Drift) -> list[Shift]:
    """The drifted ones first, then by how unlikely chance is."""
    tested = [shift for shift in drift.latest if shift.test]
    return sorted(tested, key=lambda shift: (shift.name not in drift.drifted, shift.test.p_value if shift.test else 1))


def finding(shift: Shift, drift: Drift) -> FeatureFinding:
    test = shift.test
    assert test, "only what was tested is ranked"
    return FeatureFinding(
        name=shift.name,
        statistic=test.statistic,
        value=round(test.value, 4),
        p_value=float(np.format_float_positional(test.p_value, precision=3, fractional=False)),
        drifted=shift.name in drift.drifted,
        confirmed=shift.name in drift.confirmed,
    )


def describe(drift: Drift, check: DriftCheck, version: str) -> str:
    """The finding's message: which features drifted, and why that is or is not drift of the model."""
    of = f"{len(drift.drifted)} of {len(drift.latest)} features"
    if not drift.drifted:
        return f"No feature has moved away from the training of version {version} ({drift.samples} predictions)"
    names = [shift.name for shift in ranked(drift) if shift.name in drift.drifted]
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    told = f"{of} moved away from the training of version {version}: {listed}"
    if is_too_much(drift, drift.confirmed, check):
        return told
    if not is_too_much(drift, drift.drifted, check):
        return f"{told}; below the threshold of {check.threshold:g}"
    if drift.samples_before < check.min_samples:
        return f"{told}; the window before has only {drift.samples_before} predictions to confirm it"
    return f"{told}; the window before does not confirm it"
