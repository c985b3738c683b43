"""The plan of one RetrainSchedule: the training to request, the check to start, and the result of each run.

A schedule never trains. It records a request in its status; the HeartModel reads the open requests of its schedules and
starts one Job for each. Both are level-triggered: a crash between the two repeats a check, but no training.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import ScheduleReason
from heart_api.retrainschedule import RetrainScheduleSpec
from heart_api.schedulestatus import DataRun, RetrainScheduleStatus, RunStatus
from heart_api.times import read, written
from heart_operator.manifests.check_job import build_check_job
from heart_operator.plan.actions import SchedulePlan
from heart_operator.plan.blocked import blocked_workloads, observe_again_after, unless_replaced
from heart_operator.plan.jobs import foreign_event, keys, records
from heart_operator.plan.observed import CheckJob
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.quota import QuotaWait, schedules_wait
from heart_operator.plan.schedule.conditions import build_conditions, build_events
from heart_operator.plan.schedule.cron import BadCron, BadZone, shortest_interval
from heart_operator.plan.schedule.due import (
    Due,
    check_schedule,
    data_runs,
    due_check,
    due_finding,
    due_schedule,
    length,
    next_moment,
    overdue_since,
)
from heart_operator.plan.schedule.observed import ScheduleObserved, scheduled_time_of
from heart_operator.plan.schedule.runs import ENDED, changed, follow, kept
from heart_operator.plan.training.requests import OPEN

KEPT_CHECKS = 3
LEAST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Timing:
    """What is due by the schedule's times; all None if they cannot be computed."""

    next: datetime | None = None
    next_check: datetime | None = None
    overdue_since: datetime | None = None
    check: datetime | None = None
    """Scheduled time of the check that is due."""


def plan_retrain_schedule(observed: ScheduleObserved, now: datetime) -> SchedulePlan:
    """What to do next. At a fixed point the plan holds no action and no event, and its status is the stored one."""
    observed = replace(observed, checks=tuple(unless_replaced(job, now) for job in observed.checks))
    obstacle, timing = find_timing(observed, now)
    before = observed.schedule.status
    status = with_findings(before, observed.checks)
    runs = tuple(follow(observed, run, now) for run in before.runs)
    status = status.model_copy(update={"runs": runs})
    due = None if obstacle else find_due(observed, status, now)
    facts = build_facts(observed, request(observed, status, due, now), timing, now)
    conditions = build_conditions(observed, facts, obstacle, due, now)
    return SchedulePlan(
        facts,
        create=tuple(new_check(observed, timing.check)),
        delete=(*observed.foreign_jobs, *keys(surplus_checks(observed))),
        conditions=conditions,
        events=(*build_events(before.conditions, conditions), *foreign_event(observed.foreign_jobs)),
        requeue_after=requeue_after(observed, facts, due, now),
        blocked=blocked_workloads(observed.checks),
        waits=(wait,) if (wait := find_quota(observed)) else (),
    )


def find_timing(observed: ScheduleObserved, now: datetime) -> tuple[Obstacle | None, Timing]:
    """The obstacle that stops the schedule, and its times as far as they can be computed."""
    spec = observed.schedule.spec
    try:
        upcoming = next_moment(spec.schedule, spec, now), next_moment(check_schedule(spec), spec, now)
        overdue, check = overdue_since(observed, now), due_check(observed, now)
    except BadCron:
        return Obstacle(ScheduleReason.INVALID_SPEC, "; ".join(cron_problems(spec, now))), Timing()
    if observed.model is None:
        message = f'HeartModel "{spec.model_name}" not found in this namespace; create it, or delete this schedule'
        return Obstacle(ScheduleReason.MODEL_NOT_FOUND, message), Timing(*upcoming)
    if spec.suspend:
        message = "The schedule is suspended; set spec.suspend to false to resume"
        return Obstacle(ScheduleReason.SUSPENDED, message), Timing()
    if wait := find_quota(observed):
        return Obstacle(ScheduleReason.QUOTA_EXCEEDED, wait.message), Timing()
    if problems := interval_problems(observed):
        return Obstacle(ScheduleReason.INVALID_SPEC, "; ".join(problems)), Timing()
    if observed.model.spec.pinned_version:
        pinned = Obstacle(ScheduleReason.VERSION_PINNED, pinned_text(observed.model))
        return pinned, Timing(next_check=upcoming[1], check=check)
    return None, Timing(*upcoming, overdue, check)


def pinned_text(model: HeartModel) -> str:
    return (
        f"spec.version of HeartModel {model.name} names version {model.spec.pinned_version}: no training is requested,"
        " for nobody would serve it; checks go on. Set it to latest or an alias to resume"
    )


def find_quota(observed: ScheduleObserved) -> QuotaWait | None:
    schedule, model = observed.schedule, observed.model
    if model is None or schedule.spec.suspend:
        return None
    return schedules_wait(schedule.namespace, model.spec.runtime, observed.profile, observed.usage)


def interval_problems(observed: ScheduleObserved) -> list[str]:
    """Cron expressions that come more often than the runtime profile allows, with the field's path. Raises BadCron."""
    spec, model, profile = observed.schedule.spec, observed.model, observed.profile
    least = profile.quota.min_schedule_interval if profile else None
    if model is None or least is None:
        return []
    found = []
    for path, cron in (("spec.schedule", spec.schedule), ("spec.drift.schedule", check_schedule(spec))):
        if cron and (interval := shortest_interval(cron, length(least))):
            found.append(
                f"{path}: {cron!r} comes again after {interval}, and at least {least} have to lie between two times;"
                " choose fewer, or ask an administrator to change"
                f" runtimes.{model.spec.runtime}.quota.minScheduleInterval"
            )
    return found


def cron_problems(spec: RetrainScheduleSpec, now: datetime) -> list[str]:
    """What no pattern can see, with the field's path."""
    found = []
    for path, cron in (("spec.schedule", spec.schedule), ("spec.drift.schedule", check_schedule(spec))):
        try:
            next_moment(cron, spec.model_copy(update={"suspend": False}), now)
        except BadZone as problem:
            return [f"spec.timeZone: {problem}"]
        except BadCron as problem:
            found.append(f"{path}: {problem}")
    return found


def find_due(observed: ScheduleObserved, status: RetrainScheduleStatus, now: datetime) -> Due | None:
    """The scheduled time comes first: it is not limited."""
    return due_schedule(observed, now) or due_finding(observed, status, now)


def with_findings(status: RetrainScheduleStatus, checks: tuple[CheckJob, ...]) -> RetrainScheduleStatus:
    """The status with the findings of the latest check."""
    update: dict[str, Any] = {}
    for job in sorted(checks, key=scheduled_time_of):
        result = job.result
        if result and result.drift and newer(result.drift.time, status.last_drift):
            update["last_drift"] = result.drift
        if result and result.performance and newer(result.performance.time, status.last_performance):
            update["last_performance"] = result.performance
    return status.model_copy(update=update)


def newer(time: str, known: Any) -> bool:
    return known is None or read(time) > read(known.time)


def request(
    observed: ScheduleObserved, status: RetrainScheduleStatus, due: Due | None, now: datetime
) -> RetrainScheduleStatus:
    """The status with what is due as a request. Under Replace it takes the place of the one before."""
    unanswered = any(run.phase in OPEN for run in status.runs)
    replaces = observed.schedule.spec.concurrency_policy == "Replace"
    if due is None or due.wait or (unanswered and not replaces):
        return status
    run = RunStatus(id=due.id, cause=due.cause, time=written(due.moment), phase="Requested", requested_at=written(now))
    update: dict[str, Any] = {"runs": (run, *(withdrawn(old, now) for old in status.runs if old.id != run.id))}
    if due.cause == "Schedule":
        update["last_schedule_time"] = written(due.moment)
    else:
        update["data_runs"] = (*status.data_runs, DataRun(id=due.id, time=written(now)))
    return status.model_copy(update=update)


def withdrawn(run: RunStatus, now: datetime) -> RunStatus:
    """A run that a newer one replaces; one whose version is there already goes its way."""
    if run.phase not in OPEN:
        return run
    phase = "Missed" if run.phase == "Requested" else "Failed"
    return changed(run, phase=phase, message="A newer run took its place", finished_at=written(now))


def build_facts(
    observed: ScheduleObserved, status: RetrainScheduleStatus, timing: Timing, now: datetime
) -> RetrainScheduleStatus:
    """The next status, with the conditions as they were."""
    spec, before = observed.schedule.spec, observed.schedule.status
    ended = [run.finished_at for run in status.runs if run.phase == "Succeeded" and run.finished_at]
    open_runs = [run for run in status.runs if run.phase not in ENDED]
    recent = sorted(data_runs(observed, status, now).items(), key=lambda run: run[1])
    checked = [written(scheduled_time_of(job)) for job in observed.checks]
    return status.model_copy(
        update={
            "observed_generation": observed.schedule.generation,
            "next_schedule_time": text(timing.next),
            "next_check_time": text(timing.next_check),
            "jobs": records(observed.checks),
            "last_check_time": max(checked, default=before.last_check_time),
            "overdue_since": text(timing.overdue_since),
            "last_successful_time": max([*ended, *filter(None, [before.last_successful_time])], default=None),
            "active": tuple(run.job for run in open_runs if run.job),
            "runs": kept(status.runs, spec.successful_runs_history_limit, spec.failed_runs_history_limit),
            "data_runs": tuple(DataRun(id=id_, time=written(moment)) for id_, moment in recent),
        }
    )


def text(moment: datetime | None) -> str | None:
    return written(moment) if moment else None


def new_check(observed: ScheduleObserved, scheduled: datetime | None) -> list[Manifest]:
    """The Job of a check that is due; nothing if no profile says how to run it."""
    if scheduled is None or observed.model is None or observed.profile is None:
        return []
    return [build_check_job(observed.schedule, observed.model, observed.profile, scheduled)]


def surplus_checks(observed: ScheduleObserved) -> list[CheckJob]:
    """Finished checks beyond the newest three; their findings are in the status."""
    newest_first = sorted(observed.checks, key=scheduled_time_of, reverse=True)
    return [job for job in newest_first[KEPT_CHECKS:] if job.phase != "Running"]


def requeue_after(
    observed: ScheduleObserved, facts: RetrainScheduleStatus, due: Due | None, now: datetime
) -> float | None:
    """Seconds until the next scheduled time or check, the end of a cooldown, or the deadline of a request."""
    deadline = timedelta(seconds=observed.schedule.spec.starting_deadline_seconds)
    moments = [read(moment) for moment in (facts.next_schedule_time, facts.next_check_time) if moment]
    moments += [read(run.requested_at) + deadline for run in facts.runs if run.phase == "Requested"]
    if due and due.until:
        moments.append(due.until)
    elif due and due.cause == "Schedule":
        moments.append(due.moment + deadline)
    waits = [(moment - now).total_seconds() for moment in moments]
    waits += observe_again_after((job.created for job in observed.checks if job.waiting), now)
    return max(LEAST_SECONDS, min(waits)) if waits else None
