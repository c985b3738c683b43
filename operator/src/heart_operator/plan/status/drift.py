"""What a model's RetrainSchedules found in its live data. They look and decide; the model shows what they say."""

from collections.abc import Iterable

from heart_api.retrainschedule import RetrainSchedule
from heart_api.status import DriftSummary, DriftVerdict
from heart_api.times import read

GRAVITY: tuple[DriftVerdict, ...] = ("InsufficientSamples", "NoDrift", "Unconfirmed", "Drift")


def summarize_drift(schedules: Iterable[RetrainSchedule], serving: str | None) -> DriftSummary | None:
    """The gravest of the newest looks, one for each schedule; of equal ones the newest.

    None where nobody looks, or has not looked yet at the version that serves: a finding about another one says nothing
    of it.
    """
    found = [summary for schedule in schedules if (summary := newest_look(schedule, serving))]
    return max(found, key=lambda summary: (GRAVITY.index(summary.verdict), read(summary.time)), default=None)


def newest_look(schedule: RetrainSchedule, serving: str | None) -> DriftSummary | None:
    """What it found, while the schedule asks for looks at drift; their status outlives the wish."""
    look = schedule.status.last_drift
    if schedule.spec.drift is None or look is None or look.version != serving:
        return None
    return DriftSummary(verdict=look.verdict, share=look.share, time=look.time, schedule=schedule.name)
