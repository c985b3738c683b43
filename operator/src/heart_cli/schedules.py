"""A model's RetrainSchedules: next scheduled time and check, latest findings and runs."""

from collections.abc import Iterator
from datetime import datetime

from heart_api.driftstatus import DriftStatus
from heart_api.names import ScheduleReason
from heart_api.retrainschedule import RetrainSchedule
from heart_api.schedulestatus import PerformanceStatus, Phase, RunStatus
from heart_api.statustypes import DriftVerdict
from heart_api.times import read
from heart_cli.text import age, count, length

SHOWN_FEATURES = 5
DRIFT: dict[DriftVerdict, str] = {
    "Drift": "drift found",
    "NoDrift": "no drift",
    "Unconfirmed": "drift in the latest window only",
    "InsufficientSamples": "drift check inconclusive, too few predictions",
}
PERFORMANCE = {
    "Acceptable": "acceptable",
    "Below": "{beyond} the threshold",
    "Uncertain": "possibly {beyond} the threshold",
    "InsufficientSamples": "inconclusive, too few predictions",
}
ERRORS = ("mae", "rmse")
"""Metrics that are better the smaller they are."""
PHASES: dict[Phase, str] = {
    "Requested": "requested",
    "Training": "in training",
    "RollingOut": "rolling out",
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Missed": "missed",
}


def schedule_head(schedule: RetrainSchedule, now: datetime) -> str:
    """`schedule nightly · next run in 7h · next check in 2h`."""
    status = schedule.status
    if schedule.spec.suspend:
        return f"schedule {schedule.name} · suspended"
    held = ["no runs: spec.version names a number"] if is_held(schedule) else []
    times = (("next run", status.next_schedule_time), ("next check", status.next_check_time))
    ahead = [f"{name} {until(stamp, now)}" for name, stamp in times if stamp]
    return " · ".join((f"schedule {schedule.name}", *held, *ahead))


def is_held(schedule: RetrainSchedule) -> bool:
    """Its model's version is pinned, so that nothing is requested."""
    return any(entry.reason == ScheduleReason.VERSION_PINNED for entry in schedule.status.conditions)


def until(stamp: str, now: datetime) -> str:
    seconds = (read(stamp) - now).total_seconds()
    return f"in {length(seconds)}" if seconds > 0 else "now"


def schedule_lines(schedule: RetrainSchedule, now: datetime) -> Iterator[str]:
    """The newest finding of each kind, and the newest run."""
    status = schedule.status
    if status.last_drift:
        yield drift_text(status.last_drift, now)
    if status.last_performance:
        yield performance_text(status.last_performance, now)
    if status.runs:
        yield run_text(status.runs[0], now)


def drift_text(found: DriftStatus, now: datetime) -> str:
    drifted = [feature.name for feature in found.features if feature.drifted]
    more = f" and {len(drifted) - SHOWN_FEATURES} more" if len(drifted) > SHOWN_FEATURES else ""
    names = f": {', '.join(drifted[:SHOWN_FEATURES])}{more}" if drifted else ""
    seen = f"({count(found.samples, 'prediction')} of version {found.version}, {age(found.time, now)} ago)"
    return f"{DRIFT[found.verdict]}{names} {seen}"


def performance_text(found: PerformanceStatus, now: datetime) -> str:
    interval = f" [{found.low:.3f} to {found.high:.3f}]" if found.low is not None and found.high is not None else ""
    value = f" {found.value:.3f}{interval}" if found.value is not None else ""
    source = "by outcomes" if found.source == "Feedback" else "estimated"
    seen = f"({source}, {count(found.samples, 'prediction')} of version {found.version}, {age(found.time, now)} ago)"
    verdict = PERFORMANCE[found.verdict].format(beyond="above" if found.metric in ERRORS else "below")
    return f"{found.metric}{value} {verdict} {seen}"


def run_text(run: RunStatus, now: datetime) -> str:
    version = f"version {run.version}" if run.version else ""
    what = " · ".join(filter(None, (version, run.rollout, run.message)))
    head = f"last run {PHASES[run.phase]} ({run.cause}, {age(run.time, now)} ago)"
    return f"{head}: {what}" if what else head
