"""What is due: a scheduled training, a check, or a training triggered by a finding. Missed times are not replayed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from heart_api.durations import seconds
from heart_api.names import Condition, Reason
from heart_api.retrainschedule import DriftCheck, RetrainScheduleSpec
from heart_api.schedulestatus import Cause, RetrainScheduleStatus
from heart_api.times import read
from heart_operator.plan.schedule.cron import latest_scheduled_time, next_scheduled_time
from heart_operator.plan.schedule.observed import SKEW, ScheduleObserved, scheduled_time_of
from heart_operator.plan.training.requests import CAUSES, request_id, requests_of

CHECK_SCHEDULE: str = DriftCheck.model_fields["schedule"].default
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Due:
    """A training that is due; `wait` says what it waits for (empty: it may begin), `until` when that ends by itself."""

    cause: Cause
    moment: datetime
    wait: str = ""
    until: datetime | None = None

    @property
    def id(self) -> str:
        return request_id(self.cause, self.moment)


def check_schedule(spec: RetrainScheduleSpec) -> str | None:
    """The cron expression of the checks; None if there are none."""
    if spec.drift:
        return spec.drift.schedule
    return CHECK_SCHEDULE if spec.performance else None


def due_schedule(observed: ScheduleObserved, now: datetime) -> Due | None:
    """The latest scheduled time without a training, at most startingDeadlineSeconds ago. Raises BadCron.

    Any training that started after the scheduled time counts. A recorded time in the future (a wrong clock) is ignored.
    """
    schedule = observed.schedule
    if schedule.spec.schedule is None:
        return None
    after, last = earliest(observed, now), schedule.status.last_schedule_time
    if last and read(last) <= now:
        after = max(after, read(last))
    scheduled = latest_scheduled_time(schedule.spec.schedule, schedule.spec.time_zone, after, now)
    if (
        scheduled is None
        or observed.trained_since(scheduled, now)
        or observed.answers(request_id("Schedule", scheduled))
    ):
        return None
    return Due("Schedule", scheduled, wait=busy(observed))


def earliest(observed: ScheduleObserved, now: datetime) -> datetime:
    """What was due before is given up."""
    deadline = timedelta(seconds=observed.schedule.spec.starting_deadline_seconds)
    return max(read(observed.schedule.created), now - deadline)


def busy(observed: ScheduleObserved) -> str:
    """Why a training may not begin now, empty when it may."""
    if observed.schedule.spec.concurrency_policy == "Replace":
        return ""
    if observed.is_training:
        return "a training of the model is in progress"
    candidate = observed.model.status.candidate if observed.model else None
    return f"version {candidate.version} is being rolled out" if candidate and not is_undecided(observed) else ""


def is_undecided(observed: ScheduleObserved) -> bool:
    """Whether the gate lacks evidence, which only another training (or a person) brings: waiting would be for ever."""
    conditions = observed.model.status.conditions if observed.model else ()
    return any((each.type, each.reason) == (Condition.GATE_PASSED, Reason.INSUFFICIENT_EVIDENCE) for each in conditions)


def checks_unavailable(observed: ScheduleObserved) -> str:
    """Why checks are unavailable and what to do; empty if they are available."""
    schedule, model = observed.schedule, observed.model
    if model is None or check_schedule(schedule.spec) is None:
        return ""
    if model.spec.serving.prediction_log.sink != "PostgreSQL":
        return f"HeartModel {model.name} has no prediction log: set spec.serving.predictionLog.sink to PostgreSQL"
    performance = schedule.spec.performance
    needed = "regression" if performance and performance.above is not None else "classification"
    if performance and model.spec.training.task != needed:
        needs = f"spec.performance: {performance.metric} requires a {needed} model"
        return f"{needs}; HeartModel {model.name} is a {model.spec.training.task} model"
    return ""


def due_check(observed: ScheduleObserved, now: datetime) -> datetime | None:
    """The latest scheduled time of a check; None while one is running, or if nothing serves. Raises BadCron.

    The Jobs alone record the checks, and the newest one is kept: a crash repeats a check.
    """
    spec = observed.schedule.spec
    cron = check_schedule(spec)
    if cron is None or observed.serving_version is None or checks_unavailable(observed):
        return None
    if any(job.phase == "Running" for job in observed.checks):
        return None
    scheduled = latest_scheduled_time(cron, spec.time_zone, earliest(observed, now), now)
    return (
        None
        if scheduled is None or any(scheduled <= scheduled_time_of(job) <= now for job in observed.checks)
        else scheduled
    )


def due_finding(observed: ScheduleObserved, status: RetrainScheduleStatus, now: datetime) -> Due | None:
    """A training triggered by the latest finding, within the cooldown and the weekly limit.

    A finding about a version that no longer serves triggers nothing, nor does one older than its own window.
    """
    for cause, moment, window in findings(observed, status):
        if now - moment > window or observed.trained_since(moment, now) or observed.answers(request_id(cause, moment)):
            continue
        if any(run.id == request_id(cause, moment) for run in status.runs):
            continue
        until, why = allowance(observed, status, now)
        return Due(cause, moment, wait=why or busy(observed), until=until)
    return None


def findings(observed: ScheduleObserved, status: RetrainScheduleStatus) -> list[tuple[Cause, datetime, timedelta]]:
    """Cause, time and window of what speaks for a training now."""
    spec, found = observed.schedule.spec, list[tuple[Cause, datetime, timedelta]]()
    drift, performance = status.last_drift, status.last_performance
    if spec.drift and drift and (drift.verdict, drift.version) == ("Drift", observed.serving_version):
        found.append(("Drift", read(drift.time), length(spec.drift.window)))
    if (
        spec.performance
        and performance
        and (performance.verdict, performance.version) == ("Below", observed.serving_version)
    ):
        found.append(("Performance", read(performance.time), length(spec.performance.window)))
    return found


def length(duration: str) -> timedelta:
    return timedelta(seconds=seconds(duration))


def allowance(observed: ScheduleObserved, status: RetrainScheduleStatus, now: datetime) -> tuple[datetime | None, str]:
    """Until when, and why, no data-triggered run may begin; (None, ""): one may."""
    spec, begun = observed.schedule.spec, sorted(data_runs(observed, status, now).values())
    if not begun:
        return None, ""
    if (rested := begun[-1] + length(spec.cooldown)) > now:
        return rested, f"cooldown {spec.cooldown} after the last data-triggered run"
    if len(begun) >= spec.max_runs_per_week:
        return begun[-spec.max_runs_per_week] + WEEK, f"{spec.max_runs_per_week} runs in seven days (maxRunsPerWeek)"
    return None, ""


def data_runs(observed: ScheduleObserved, status: RetrainScheduleStatus, now: datetime) -> dict[str, datetime]:
    """Times of the runs that data triggered in the last seven days, by request; from the Jobs if the status is lost."""
    jobs = {request: job.created for job in observed.trainings for request in requests_of(job.trigger)}
    known = jobs | {run.id: read(run.time) for run in status.data_runs}
    asked_by_data = {id_: moment for id_, moment in known.items() if CAUSES[id_[0]] != "Schedule"}
    return {id_: moment for id_, moment in asked_by_data.items() if -SKEW <= now - moment < WEEK}


def overdue_since(observed: ScheduleObserved, now: datetime) -> datetime | None:
    """The latest scheduled time, however long ago, since which no training has started. Raises BadCron."""
    spec, created = observed.schedule.spec, read(observed.schedule.created)
    if spec.schedule is None or spec.suspend:
        return None
    scheduled = latest_scheduled_time(spec.schedule, spec.time_zone, created, now)
    followed = (
        scheduled is None
        or observed.trained_since(scheduled, now)
        or observed.answers(request_id("Schedule", scheduled))
    )
    return (
        None
        if followed or any(begun_since(run.started_at, scheduled) for run in observed.schedule.status.runs)
        else scheduled
    )


def begun_since(started: str | None, scheduled: datetime | None) -> bool:
    return bool(started and scheduled and read(started) >= scheduled)


def next_moment(cron: str | None, spec: RetrainScheduleSpec, now: datetime) -> datetime | None:
    """The next scheduled time; None if there is none or the schedule is suspended. Raises BadCron."""
    return None if cron is None or spec.suspend else next_scheduled_time(cron, spec.time_zone, now)
