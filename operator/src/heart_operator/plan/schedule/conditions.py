"""The conditions of a RetrainSchedule, and the events that follow from their changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from heart_api.heartmodel import ConditionStatus
from heart_api.names import ScheduleCondition, ScheduleReason
from heart_api.schedulestatus import RetrainScheduleStatus, RunStatus
from heart_api.times import written
from heart_operator.plan.actions import Event
from heart_operator.plan.blocked import job_text
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.schedule.due import Due, check_schedule, checks_unavailable
from heart_operator.plan.schedule.observed import ScheduleObserved, scheduled_time_of
from heart_operator.plan.status.kstatus import TYPES, set_abnormal

Answer = Literal["True", "False", "Unknown"]

DRIFT: dict[str, tuple[Answer, str]] = {
    "Drift": ("False", ScheduleReason.DRIFT_DETECTED),
    "NoDrift": ("True", ScheduleReason.NO_DRIFT),
    "Unconfirmed": ("Unknown", ScheduleReason.DRIFT_UNCONFIRMED),
    "InsufficientSamples": ("Unknown", ScheduleReason.INSUFFICIENT_SAMPLES),
}
PERFORMANCE: dict[str, tuple[Answer, str]] = {
    "Below": ("False", ScheduleReason.PERFORMANCE_BELOW_THRESHOLD),
    "Acceptable": ("True", ScheduleReason.PERFORMANCE_ACCEPTABLE),
    "Uncertain": ("Unknown", ScheduleReason.PERFORMANCE_UNCERTAIN),
    "InsufficientSamples": ("Unknown", ScheduleReason.INSUFFICIENT_SAMPLES),
}
ANNOUNCED = {
    ScheduleReason.RUN_MISSED,
    ScheduleReason.SUSPENDED,
    ScheduleReason.VERSION_PINNED,
    ScheduleReason.INVALID_SPEC,
    ScheduleReason.QUOTA_EXCEEDED,
    ScheduleReason.MODEL_NOT_FOUND,
    ScheduleReason.CHECK_FAILED,
    ScheduleReason.CHECK_PENDING,
    ScheduleReason.CHECKS_UNAVAILABLE,
    ScheduleReason.DRIFT_DETECTED,
    ScheduleReason.DRIFT_UNCONFIRMED,
    ScheduleReason.PERFORMANCE_BELOW_THRESHOLD,
    ScheduleReason.RETRAIN_REQUESTED,
    ScheduleReason.RETRAINING_COMPLETED,
    ScheduleReason.RETRAINING_FAILED,
}
"""Reasons that make an event when they come up, or when they speak of something new."""

ON_PURPOSE = (ScheduleReason.SUSPENDED, ScheduleReason.VERSION_PINNED)
"""Reasons for which a person has stopped it, with nothing to mend."""


@dataclass(frozen=True, slots=True)
class Finding:
    status: Answer
    reason: str
    message: str = ""


def build_conditions(
    observed: ScheduleObserved,
    status: RetrainScheduleStatus,
    obstacle: Obstacle | None,
    due: Due | None,
    now: datetime,
) -> tuple[ConditionStatus, ...]:
    """The conditions that the spec needs; lastTransitionTime changes only with the status."""
    spec = observed.schedule.spec
    found = {ScheduleCondition.READY: find_ready(status, obstacle, due)}
    if check_schedule(spec):
        found[ScheduleCondition.CHECKED] = find_checked(observed)
    if spec.drift:
        found[ScheduleCondition.INPUTS_STABLE] = find_stable(status)
    if spec.performance:
        found[ScheduleCondition.PERFORMANCE_ACCEPTABLE] = find_performance(status)
    found[ScheduleCondition.RUN_SUCCEEDED] = find_run(status.runs)
    old = {entry.type: entry for entry in observed.schedule.status.conditions}
    conditions = tuple(
        dated(type_, finding, old.get(type_), observed.schedule.generation, now) for type_, finding in found.items()
    )
    if conditions[0].status != "False":
        return conditions
    return set_abnormal(conditions, old.values(), ScheduleCondition.STALLED, conditions[0], now)


def dated(type_: str, finding: Finding, old: ConditionStatus | None, generation: int, now: datetime) -> ConditionStatus:
    return ConditionStatus(
        type=type_,
        status=finding.status,
        reason=finding.reason,
        message=finding.message,
        last_transition_time=old.last_transition_time if old and old.status == finding.status else written(now),
        observed_generation=generation,
    )


def find_ready(status: RetrainScheduleStatus, obstacle: Obstacle | None, due: Due | None) -> Finding:
    """Whether the schedule does what it says; one that somebody has stopped does, too."""
    if obstacle:
        return Finding("True" if obstacle.reason in ON_PURPOSE else "False", obstacle.reason, obstacle.message)
    if due and due.wait:
        return Finding("True", ScheduleReason.WAITING, f"The run of {written(due.moment)} is waiting: {due.wait}")
    if status.overdue_since and not any(run.phase == "Requested" for run in status.runs):
        missed = f"No training has started since the scheduled time {status.overdue_since}; the next run is due"
        return Finding("False", ScheduleReason.RUN_MISSED, f"{missed} at {status.next_schedule_time or 'no time'}")
    upcoming = status.next_schedule_time
    return Finding("True", ScheduleReason.SCHEDULED, f"The next run is due at {upcoming}" if upcoming else "")


def find_checked(observed: ScheduleObserved) -> Finding:
    """The result of the latest check; once its Job is gone, the previous condition."""
    if problem := checks_unavailable(observed):
        return Finding("False", ScheduleReason.CHECKS_UNAVAILABLE, problem)
    newest = max(observed.checks, key=scheduled_time_of, default=None)
    if newest is None:
        return before(observed, ScheduleCondition.CHECKED) or Finding("Unknown", ScheduleReason.NEVER_CHECKED)
    if newest.phase == "Running" and newest.blocked:
        return Finding("Unknown", ScheduleReason.CHECK_PENDING, job_text(newest.name, newest.blocked))
    if newest.phase == "Running":
        known = before(observed, ScheduleCondition.CHECKED)
        failed = known if known and known.status == "False" else None
        return failed or Finding(
            "Unknown", ScheduleReason.CHECKING, f"Job {newest.name} is checking the prediction log"
        )
    if newest.result:
        return Finding(
            "True", ScheduleReason.CHECKED, f"The prediction log was checked up to {written(scheduled_time_of(newest))}"
        )
    said = newest.failure.message if newest.failure else f"Job {newest.name} ended early: {newest.why}"
    return Finding("False", ScheduleReason.CHECK_FAILED, said)


def before(observed: ScheduleObserved, type_: str) -> Finding | None:
    old = next((entry for entry in observed.schedule.status.conditions if entry.type == type_), None)
    return Finding(old.status, old.reason, old.message) if old else None


def find_stable(status: RetrainScheduleStatus) -> Finding:
    if status.last_drift is None:
        return Finding("Unknown", ScheduleReason.NEVER_CHECKED)
    return Finding(*DRIFT[status.last_drift.verdict], status.last_drift.message)


def find_performance(status: RetrainScheduleStatus) -> Finding:
    if status.last_performance is None:
        return Finding("Unknown", ScheduleReason.NEVER_CHECKED)
    return Finding(*PERFORMANCE[status.last_performance.verdict], status.last_performance.message)


def find_run(runs: Iterable[RunStatus]) -> Finding:
    """What became of the newest run; the message names it, so that each is announced of."""
    run = next(iter(runs), None)
    if run is None:
        return Finding("Unknown", ScheduleReason.NEVER_RUN)
    name = f"The run of {run.time} ({run.cause})"
    if run.phase == "Succeeded":
        return Finding(
            "True", ScheduleReason.RETRAINING_COMPLETED, f"{name} finished: version {run.version} was promoted"
        )
    if run.phase in ("Failed", "Missed"):
        return Finding(
            "False", ScheduleReason.RETRAINING_FAILED, f"{name} finished without a serving version: {run.message}"
        )
    if run.phase == "Requested":
        return Finding("Unknown", ScheduleReason.RETRAIN_REQUESTED, f"{name}: training requested")
    doing = f"Job {run.job} trains" if run.phase == "Training" else f"version {run.version} is in gates or rollout"
    return Finding("Unknown", ScheduleReason.RETRAINING, f"{name}: {doing}")


def build_events(old: Iterable[ConditionStatus], new: Iterable[ConditionStatus]) -> tuple[Event, ...]:
    """One event per condition whose reason or subject changed; a restart repeats none."""
    known = {entry.type: (entry.reason, entry.message) for entry in old}
    announced = (
        entry
        for entry in new
        if entry.reason in ANNOUNCED
        and entry.type not in TYPES
        and known.get(entry.type) != (entry.reason, entry.message)
    )
    return tuple(
        Event(
            "Warning" if entry.status == "False" or entry.reason == ScheduleReason.CHECK_PENDING else "Normal",
            entry.reason,
            entry.message,
        )
        for entry in announced
    )
