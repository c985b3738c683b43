"""Summary of the drift checks of a model's RetrainSchedules, for the model's status."""

from collections.abc import Iterable

from heart_api.retrainschedule import RetrainSchedule
from heart_api.status import DriftSummary
from heart_api.statustypes import DriftVerdict
from heart_api.times import read

GRAVITY: tuple[DriftVerdict, ...] = ("InsufficientSamples", "NoDrift", "Unconfirmed", "Drift")


def summarize_drift(schedules: Iterable[RetrainSchedule], serving: str | None) -> DriftSummary | None:
    """The most severe of the latest checks, one per schedule; of equal ones the newest.

    None if there are no checks, or none of the serving version: a finding about another one does not apply to it.
    """
    found = [summary for schedule in schedules if (summary := latest_check(schedule, serving))]
    return max(found, key=lambda summary: (GRAVITY.index(summary.verdict), read(summary.time)), default=None)


def latest_check(schedule: RetrainSchedule, serving: str | None) -> DriftSummary | None:
    """The findings of the latest check, while the schedule has drift checks; its status outlives them."""
    check = schedule.status.last_drift
    if schedule.spec.drift is None or check is None or check.version != serving:
        return None
    return DriftSummary(verdict=check.verdict, share=check.share, time=check.time, schedule=schedule.name)
