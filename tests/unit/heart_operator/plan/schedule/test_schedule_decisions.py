"""A schedule's decisions one by one: what is due, what it waits for, what became of a run, and in which words."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heart_api.drift import CheckFailure, CheckResult
from heart_api.heartmodel import ConditionStatus, HeartModel
from heart_api.kube.values import Blocked, ObjectKey
from heart_api.profile import Quota, RuntimeProfile
from heart_api.retrainschedule import RetrainScheduleSpec
from heart_api.schedulestatus import DataRun, RetrainScheduleStatus, RunStatus
from heart_api.times import read, written
from heart_operator.plan.actions import Event
from heart_operator.plan.blocked import BlockedWorkload
from heart_operator.plan.observed import CheckJob, ObservedJob, TrainingJob
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.quota import Usage
from heart_operator.plan.schedule.conditions import (
    Finding,
    build_conditions,
    build_events,
    find_checked,
    find_performance,
    find_ready,
    find_run,
    find_stable,
)
from heart_operator.plan.schedule.due import (
    Due,
    allowance,
    check_schedule,
    data_runs,
    due_check,
    due_finding,
    due_schedule,
    overdue_since,
)
from heart_operator.plan.schedule.observed import SKEW, ScheduleObserved
from heart_operator.plan.schedule.runs import follow, kept
from heart_operator.plan.schedule.schedule import (
    LEAST_SECONDS,
    cron_problems,
    plan_retrain_schedule,
    request,
    requeue_after,
    surplus_checks,
    with_findings,
)
from tests.support.plan.schedules import drift_found, quality_found, retrain_schedule
from tests.support.plan.world import PROFILE, heart_model

NOW = read("2026-01-10T03:00:00Z")
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
NIGHTLY = {"schedule": "0 3 * * *"}
DRIFT = {"drift": {"schedule": "0 */6 * * *", "window": "12h"}}
QUALITY = {"performance": {"below": 0.75, "window": "2d"}}


def model(spec: dict[str, Any] | None = None, **status: Any) -> HeartModel:
    serving = {"version": "1", "digest": "sha256:1", "since": "2026-01-01T00:00:00Z"}
    return heart_model(spec, status={"serving": serving} | status)


def observed(
    spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **changes: Any
) -> ScheduleObserved:
    schedule = retrain_schedule(spec or NIGHTLY, status=status or {}, generation=4)
    return replace(ScheduleObserved(schedule, model(), PROFILE), **changes)


def training(created: datetime, trigger: str = "manual", phase: Any = "Succeeded", name: str = "job") -> TrainingJob:
    return ObservedJob(name, f"uid-{name}", trigger, created, phase)


def check_job(time: datetime, name: str = "check", phase: Any = "Succeeded", **more: Any) -> CheckJob:
    return ObservedJob(name, f"uid-{name}", written(time), time, phase, **more)


def run(phase: Any = "Requested", moment: datetime = NOW, cause: Any = "Schedule", **more: Any) -> RunStatus:
    letter = {"Schedule": "s", "Drift": "d", "Performance": "p"}[cause]
    id_ = f"{letter}{moment:%Y%m%dT%H%M%SZ}"
    return RunStatus(id=id_, cause=cause, time=written(moment), phase=phase, requested_at=written(moment), **more)


def condition(type_: str, reason: str, status: Any = "True", message: str = "") -> ConditionStatus:
    return ConditionStatus(
        type=type_, status=status, reason=reason, message=message, last_transition_time="2026-01-02T00:00:00Z"
    )


# --- what is due ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "cron"),
    [(NIGHTLY, None), (DRIFT, "0 */6 * * *"), (QUALITY, "0 */6 * * *"), (DRIFT | QUALITY, "0 */6 * * *")],
)
def test_when_checks_are_made(spec: dict[str, Any], cron: str | None) -> None:
    assert check_schedule(RetrainScheduleSpec.model_validate({"modelName": "heart"} | spec)) == cron


@pytest.mark.parametrize(
    ("late", "expected"),
    [(-SECOND, NOW - DAY), (timedelta(0), NOW), (HOUR, NOW), (HOUR + SECOND, None)],
)
def test_a_scheduled_time_is_due_until_its_deadline(late: timedelta, expected: datetime | None) -> None:
    seen = observed(NIGHTLY | {"startingDeadlineSeconds": 24 * 3600 if late < timedelta(0) else 3601})
    due = due_schedule(seen, NOW + late)
    assert (due and due.moment) == expected
    assert due is None or (due.cause, due.wait, due.until) == ("Schedule", "", None)


def test_the_id_of_what_is_due() -> None:
    due = due_schedule(observed(), NOW)
    assert due
    assert due.id == "s20260110T030000Z"


@pytest.mark.parametrize(
    "changes",
    [
        {"trainings": (training(NOW),)},
        {"trainings": (training(NOW + SKEW),)},
        {"trainings": (training(NOW - DAY, "a-s20260110T030000Z"),)},
        {"model": model(training={"job": "j", "trigger": "t", "phase": "Failed", "startedAt": written(NOW)})},
        {"model": model(training={"job": "j", "trigger": "s20260110T030000Z", "phase": "Failed"})},
    ],
)
def test_a_training_answers_the_scheduled_time(changes: dict[str, Any]) -> None:
    assert due_schedule(observed(**changes), NOW) is None
    assert overdue_since(observed(**changes), NOW) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"trainings": (training(NOW - SECOND),)},
        {"trainings": (training(NOW + SKEW + SECOND),)},
        {"trainings": (training(NOW - DAY, "s20260109T030000Z"),)},
    ],
)
def test_another_training_does_not(changes: dict[str, Any]) -> None:
    assert due_schedule(observed(**changes), NOW)
    assert overdue_since(observed(**changes), NOW) == NOW


def test_a_recorded_time_counts_unless_it_is_in_the_future() -> None:
    assert due_schedule(observed(status={"lastScheduleTime": written(NOW)}), NOW) is None
    assert due_schedule(observed(status={"lastScheduleTime": written(NOW - SECOND)}), NOW)
    assert due_schedule(observed(status={"lastScheduleTime": written(NOW + SECOND)}), NOW)


def test_what_was_due_before_the_schedule_was_created_is_not() -> None:
    young = replace(observed(), schedule=retrain_schedule(created=written(NOW)))
    assert due_schedule(young, NOW + HOUR) is None
    assert overdue_since(young, NOW + HOUR) is None
    older = replace(observed(), schedule=retrain_schedule(created=written(NOW - SECOND)))
    assert due_schedule(older, NOW + HOUR - SECOND)


RUNNING = {"job": "j", "trigger": "t", "phase": "Running"}
CANDIDATE = {"version": "7", "digest": "sha256:7", "since": written(NOW)}
LACKS = {
    "type": "GatePassed",
    "status": "Unknown",
    "reason": "InsufficientEvidence",
    "lastTransitionTime": written(NOW),
}


@pytest.mark.parametrize(
    ("changes", "wait"),
    [
        ({}, ""),
        ({"trainings": (training(NOW - HOUR, phase="Running"),)}, "a training of the model is in progress"),
        ({"model": model(training=RUNNING)}, "a training of the model is in progress"),
        ({"model": model(candidate=CANDIDATE)}, "version 7 is being rolled out"),
        ({"model": model(candidate=CANDIDATE, conditions=[LACKS])}, ""),
        (
            {"model": model(candidate=CANDIDATE, conditions=[LACKS | {"type": "Ready"}])},
            "version 7 is being rolled out",
        ),
        (
            {"model": model(candidate=CANDIDATE, conditions=[LACKS | {"reason": "GatePassed"}])},
            "version 7 is being rolled out",
        ),
    ],
)
def test_what_a_training_waits_for(changes: dict[str, Any], wait: str) -> None:
    due = due_schedule(observed(**changes), NOW)
    assert due
    assert due.wait == wait
    replacing = due_schedule(observed(NIGHTLY | {"concurrencyPolicy": "Replace"}, **changes), NOW)
    assert replacing
    assert replacing.wait == ""


def test_a_check_is_due_once_at_its_scheduled_time() -> None:
    six = read("2026-01-10T06:00:00Z")
    assert due_check(observed(DRIFT), six) == six
    assert due_check(observed(DRIFT), six - SECOND) is None, "the one at midnight is past its deadline"
    assert due_check(observed(DRIFT, checks=(check_job(six),)), six + HOUR) is None
    assert due_check(observed(DRIFT, checks=(check_job(six - SECOND),)), six + HOUR - SECOND) == six
    assert due_check(observed(DRIFT, checks=(check_job(six + 2 * HOUR),)), six + HOUR - SECOND) == six, (
        "of a wrong clock"
    )
    assert due_check(observed(DRIFT, checks=(check_job(six - 6 * HOUR, phase="Running"),)), six) is None
    assert due_check(observed(NIGHTLY), six) is None
    assert due_check(observed(DRIFT, model=heart_model()), six) is None, "nothing serves"
    silent = model({"serving": {"predictionLog": {"sink": "None"}}})
    assert due_check(observed(DRIFT, model=silent), six) is None


def status_of(**found: Any) -> RetrainScheduleStatus:
    return RetrainScheduleStatus(**found)


def drifted(moment: datetime, version: str = "1", verdict: str = "Drift") -> RetrainScheduleStatus:
    return status_of(last_drift=drift_found(moment, version, verdict).drift)


def poor(moment: datetime, version: str = "1", verdict: str = "Below") -> RetrainScheduleStatus:
    return status_of(last_performance=quality_found(moment, version, verdict).performance)


@pytest.mark.parametrize(
    ("spec", "status", "id_"),
    [
        (DRIFT, drifted(NOW), "d20260110T030000Z"),
        (DRIFT, drifted(NOW - 12 * HOUR), "d20260109T150000Z"),
        (DRIFT, drifted(NOW - 12 * HOUR - SECOND), None),
        (DRIFT, drifted(NOW, version="2"), None),
        (DRIFT, drifted(NOW, verdict="Unconfirmed"), None),
        (QUALITY, drifted(NOW), None),
        (QUALITY, poor(NOW), "p20260110T030000Z"),
        (QUALITY, poor(NOW - 2 * DAY), "p20260108T030000Z"),
        (QUALITY, poor(NOW - 2 * DAY - SECOND), None),
        (QUALITY, poor(NOW, version="2"), None),
        (QUALITY, poor(NOW, verdict="Uncertain"), None),
        (DRIFT, poor(NOW), None),
    ],
)
def test_which_findings_train(spec: dict[str, Any], status: RetrainScheduleStatus, id_: str | None) -> None:
    due = due_finding(observed(spec), status, NOW)
    assert (due and due.id) == id_


def test_a_finding_that_was_answered_does_not_hide_another_one() -> None:
    both = drifted(NOW - HOUR).model_copy(update={"last_performance": poor(NOW).last_performance})
    seen = observed(DRIFT | QUALITY | {"cooldown": "0s"})
    assert (due := due_finding(seen, both, NOW))
    assert due.cause == "Drift"
    answered = replace(seen, trainings=(training(NOW - HOUR, "d20260110T020000Z"),))
    assert (due := due_finding(answered, both, NOW))
    assert due.cause == "Performance"
    recorded = both.model_copy(update={"runs": (run("Missed", NOW - HOUR, "Drift"),)})
    assert (due := due_finding(seen, recorded, NOW))
    assert due.cause == "Performance"
    trained = replace(seen, trainings=(training(NOW),))
    assert due_finding(trained, both, NOW) is None


def test_the_cooldown_and_the_weekly_limit() -> None:
    def after(*moments: datetime, **spec: Any) -> tuple[datetime | None, str]:
        runs = tuple(DataRun(id=f"d{moment:%Y%m%dT%H%M%SZ}", time=written(moment)) for moment in moments)
        return allowance(
            observed(DRIFT | {"cooldown": "12h", "maxRunsPerWeek": 2} | spec), status_of(data_runs=runs), NOW
        )

    assert after() == (None, "")
    assert after(NOW - 12 * HOUR) == (None, "")
    rested = NOW - 12 * HOUR + SECOND
    assert after(rested) == (rested + 12 * HOUR, "cooldown 12h after the last data-triggered run")
    assert after(NOW - 3 * DAY, rested)[0] == rested + 12 * HOUR
    assert after(NOW - 3 * DAY, NOW - 2 * DAY) == (NOW + 4 * DAY, "2 runs in seven days (maxRunsPerWeek)")
    assert after(NOW - 4 * DAY, NOW - 3 * DAY, NOW - 2 * DAY) == (
        NOW + 4 * DAY,
        "2 runs in seven days (maxRunsPerWeek)",
    )
    assert after(NOW - 7 * DAY, NOW - 2 * DAY) == (None, ""), "the first is a week old"
    assert after(NOW - 3 * DAY, NOW - 2 * DAY, maxRunsPerWeek=3) == (None, "")


def test_what_waits_for_the_cooldown_says_so_before_anything_else() -> None:
    busy = observed(DRIFT, trainings=(training(NOW - HOUR, "d20260110T010000Z", "Running"),))
    due = due_finding(busy, drifted(NOW), NOW)
    assert due
    assert (due.wait, due.until) == ("cooldown 12h after the last data-triggered run", NOW + 11 * HOUR)
    free = due_finding(observed(DRIFT, model=model(candidate=CANDIDATE)), drifted(NOW), NOW)
    assert free
    assert (free.wait, free.until) == ("version 7 is being rolled out", None)


def test_data_runs_are_known_from_jobs_and_status() -> None:
    jobs = (
        training(NOW - HOUR, "x-d20260110T020000Z-s20260110T020000Z"),
        training(NOW + SKEW, "p20260110T030000Z"),
        training(NOW + SKEW + SECOND, "p20260110T040000Z"),
        training(NOW - 7 * DAY, "d20260103T030000Z"),
    )
    status = status_of(data_runs=(DataRun(id="d20260110T020000Z", time=written(NOW - 2 * HOUR)),))
    assert data_runs(observed(DRIFT, trainings=jobs), status, NOW) == {
        "d20260110T020000Z": NOW - 2 * HOUR,
        "p20260110T030000Z": NOW + SKEW,
    }


def test_overdue_is_what_no_training_has_followed() -> None:
    assert overdue_since(observed(), NOW + 9 * HOUR) == NOW
    assert overdue_since(observed(NIGHTLY | {"suspend": True}), NOW) is None
    assert overdue_since(observed(DRIFT), NOW) is None
    begun = {"runs": [run("Failed", started_at=written(NOW)).dump()]}
    assert overdue_since(observed(status=begun), NOW) is None
    earlier = {"runs": [run("Failed", started_at=written(NOW - SECOND)).dump()]}
    assert overdue_since(observed(status=earlier), NOW) == NOW
    assert overdue_since(observed(status={"runs": [run("Missed").dump()]}), NOW) == NOW


# --- conditions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "obstacle", "due", "expected"),
    [
        (status_of(), Obstacle("Suspended", "why"), None, Finding("True", "Suspended", "why")),
        (status_of(), Obstacle("VersionPinned", "why"), None, Finding("True", "VersionPinned", "why")),
        (status_of(), Obstacle("InvalidSpec", "why"), None, Finding("False", "InvalidSpec", "why")),
        (
            *(status_of(), None, Due("Drift", NOW, wait="cooldown")),
            Finding("True", "Waiting", "The run of 2026-01-10T03:00:00Z is waiting: cooldown"),
        ),
        (status_of(), None, Due("Drift", NOW), Finding("True", "Scheduled", "")),
        (
            *(status_of(next_schedule_time="2026-01-11T03:00:00Z"), None, None),
            Finding("True", "Scheduled", "The next run is due at 2026-01-11T03:00:00Z"),
        ),
        (
            *(status_of(overdue_since=written(NOW), next_schedule_time="2026-01-11T03:00:00Z"), None, None),
            Finding(
                *("False", "RunMissed"),
                "No training has started since the scheduled time 2026-01-10T03:00:00Z;"
                " the next run is due at 2026-01-11T03:00:00Z",
            ),
        ),
        (
            *(status_of(overdue_since=written(NOW)), None, None),
            Finding(
                *("False", "RunMissed"),
                "No training has started since the scheduled time 2026-01-10T03:00:00Z; the next run is due at no time",
            ),
        ),
        (status_of(overdue_since=written(NOW), runs=(run(),)), None, None, Finding("True", "Scheduled", "")),
    ],
)
def test_ready(status: RetrainScheduleStatus, obstacle: Obstacle | None, due: Due | None, expected: Finding) -> None:
    assert find_ready(status, obstacle, due) == expected


BLOCKED = Blocked("Quota", "exceeded quota", "Ask for more")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Finding("Unknown", "NeverChecked", "")),
        (
            {"checks": (check_job(NOW, "c1", "Running"),)},
            Finding("Unknown", "Checking", "Job c1 is checking the prediction log"),
        ),
        (
            {"checks": (check_job(NOW, "c1", "Running", blocked=BLOCKED),)},
            Finding("Unknown", "CheckPending", "Job c1 cannot start (Quota): exceeded quota. Ask for more"),
        ),
        (
            {"checks": (check_job(NOW, result=CheckResult()), check_job(NOW - HOUR, phase="Failed"))},
            Finding("True", "Checked", "The prediction log was checked up to 2026-01-10T03:00:00Z"),
        ),
        (
            {"checks": (check_job(NOW, "c1", "Failed", why="OOMKilled"), check_job(NOW - HOUR, result=CheckResult()))},
            Finding("False", "CheckFailed", "Job c1 ended early: OOMKilled"),
        ),
        (
            {
                "checks": (
                    check_job(NOW, phase="Failed", failure=CheckFailure(reason="LogUnavailable", message="no log")),
                )
            },
            Finding("False", "CheckFailed", "no log"),
        ),
        (
            {"checks": (check_job(NOW, "c1", "Succeeded", blocked=BLOCKED, result=CheckResult()),)},
            Finding("True", "Checked", "The prediction log was checked up to 2026-01-10T03:00:00Z"),
        ),
    ],
)
def test_checked(changes: dict[str, Any], expected: Finding) -> None:
    assert find_checked(observed(DRIFT, **changes)) == expected


def test_checked_remembers_what_was_before() -> None:
    failed = condition("Checked", "CheckFailed", "False", "no log")
    assert find_checked(observed(DRIFT, {"conditions": [failed.dump()]})) == Finding("False", "CheckFailed", "no log")
    running = {"checks": (check_job(NOW, "c1", "Running"),)}
    assert find_checked(observed(DRIFT, {"conditions": [failed.dump()]}, **running)) == Finding(
        "False", "CheckFailed", "no log"
    )
    passed = condition("Checked", "Checked", "True", "up to then")
    assert find_checked(observed(DRIFT, {"conditions": [passed.dump()]}, **running)).reason == "Checking"
    other = condition("Ready", "Scheduled", "True", "other")
    assert find_checked(observed(DRIFT, {"conditions": [other.dump()]})).reason == "NeverChecked"


@pytest.mark.parametrize(
    ("spec", "model_spec", "message"),
    [
        (
            *(DRIFT, {"serving": {"predictionLog": {"sink": "Stdout"}}}),
            "HeartModel heart has no prediction log: set spec.serving.predictionLog.sink to PostgreSQL",
        ),
        (
            *(QUALITY, {"training": {"task": "regression"}, "gates": {}}),
            "spec.performance: accuracy requires a classification model; HeartModel heart is a regression model",
        ),
    ],
)
def test_checks_that_are_not_available(spec: dict[str, Any], model_spec: dict[str, Any], message: str) -> None:
    found = find_checked(observed(spec, model=model(model_spec)))
    assert found == Finding("False", "ChecksUnavailable", message)
    assert find_checked(observed(NIGHTLY, model=model(model_spec))).reason == "NeverChecked"


def test_a_regression_can_be_checked_for_drift() -> None:
    regression = model({"training": {"task": "regression"}, "gates": {}})
    assert find_checked(observed(DRIFT, model=regression)).reason == "NeverChecked"
    assert find_checked(observed(DRIFT, model=None)).reason == "NeverChecked"


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        ("Drift", "False", "DriftDetected"),
        ("NoDrift", "True", "NoDrift"),
        ("Unconfirmed", "Unknown", "DriftUnconfirmed"),
        ("InsufficientSamples", "Unknown", "InsufficientSamples"),
    ],
)
def test_inputs_stable(verdict: str, status: Any, reason: str) -> None:
    assert find_stable(drifted(NOW, verdict=verdict)) == Finding(status, reason, f"{verdict} at 2026-01-10T03:00:00Z")
    assert find_stable(status_of()) == Finding("Unknown", "NeverChecked")


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        ("Below", "False", "PerformanceBelowThreshold"),
        ("Acceptable", "True", "PerformanceAcceptable"),
        ("Uncertain", "Unknown", "PerformanceUncertain"),
        ("InsufficientSamples", "Unknown", "InsufficientSamples"),
    ],
)
def test_performance_acceptable(verdict: str, status: Any, reason: str) -> None:
    assert find_performance(poor(NOW, verdict=verdict)) == Finding(status, reason, "0.6 < 0.75")
    assert find_performance(status_of()) == Finding("Unknown", "NeverChecked")


NAMED = "The run of 2026-01-10T03:00:00Z (Schedule)"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ((), Finding("Unknown", "NeverRun")),
        (
            (run("Succeeded", version="2"), run("Failed", NOW - DAY)),
            Finding("True", "RetrainingCompleted", f"{NAMED} finished: version 2 was promoted"),
        ),
        (
            (run("Failed", message="why"),),
            Finding("False", "RetrainingFailed", f"{NAMED} finished without a serving version: why"),
        ),
        (
            (run("Missed", message="why"),),
            Finding("False", "RetrainingFailed", f"{NAMED} finished without a serving version: why"),
        ),
        ((run("Requested"),), Finding("Unknown", "RetrainRequested", f"{NAMED}: training requested")),
        ((run("Training", job="j"),), Finding("Unknown", "Retraining", f"{NAMED}: Job j trains")),
        (
            (run("RollingOut", version="2"),),
            Finding("Unknown", "Retraining", f"{NAMED}: version 2 is in gates or rollout"),
        ),
    ],
)
def test_run_succeeded(runs: tuple[RunStatus, ...], expected: Finding) -> None:
    assert find_run(runs) == expected


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        (NIGHTLY, ["Ready", "RunSucceeded"]),
        (DRIFT, ["Ready", "Checked", "InputsStable", "RunSucceeded"]),
        (QUALITY, ["Ready", "Checked", "PerformanceAcceptable", "RunSucceeded"]),
    ],
)
def test_a_schedule_has_the_conditions_that_its_spec_needs(spec: dict[str, Any], types: list[str]) -> None:
    old = [condition("Ready", "Scheduled").dump(), condition("RunSucceeded", "RetrainingCompleted").dump()]
    found = build_conditions(observed(spec, {"conditions": old}), status_of(), None, None, NOW)
    assert [entry.type for entry in found] == types
    assert {entry.observed_generation for entry in found} == {4}
    assert found[0].last_transition_time == "2026-01-02T00:00:00Z", "it was True before"
    assert found[-1].last_transition_time == "2026-01-10T03:00:00Z", "it was True and is Unknown"
    assert (found[0].status, found[0].reason, found[-1].reason) == ("True", "Scheduled", "NeverRun")


def test_events_follow_what_has_changed() -> None:
    missed = condition("Ready", "RunMissed", "False", "m1")
    pending = condition("Checked", "CheckPending", "Unknown", "m2")
    done = condition("RunSucceeded", "RetrainingCompleted", "True", "m3")
    quiet = condition("InputsStable", "NoDrift", "True", "m4")
    assert build_events((), (missed, pending, done, quiet)) == (
        Event("Warning", "RunMissed", "m1"),
        Event("Warning", "CheckPending", "m2"),
        Event("Normal", "RetrainingCompleted", "m3"),
    )
    assert build_events((missed, pending, done), (missed, pending, done)) == ()
    again = done.model_copy(update={"message": "m5"})
    assert build_events((done,), (again,)) == (Event("Normal", "RetrainingCompleted", "m5"),)
    assert build_events((condition("Ready", "Suspended", "False", "m1"),), (missed,)) != ()


# --- runs ----------------------------------------------------------------------------------------


def followed(changes: dict[str, Any], before: RunStatus | None = None, **spec: Any) -> RunStatus:
    return follow(observed(NIGHTLY | spec, **changes), before or run(), NOW + HOUR)


def answered(phase: str, trigger: str = "s20260110T030000Z", **more: Any) -> dict[str, Any]:
    record = {"job": "j", "trigger": trigger, "phase": phase, "startedAt": "2026-01-10T03:00:01Z"} | more
    return {"training": record}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Missed"])
def test_a_run_that_has_ended_stays_as_it_is(phase: Any) -> None:
    ended = run(phase, message="then")
    assert followed({"model": None}, ended) is ended


def test_a_run_whose_model_was_deleted() -> None:
    assert followed({"model": None}) == run(
        "Missed", message="The HeartModel was deleted", finished_at="2026-01-10T04:00:00Z"
    )
    stopped = run("Training", finished_at="2026-01-10T03:30:00Z")
    assert followed({"model": None}, stopped).finished_at == "2026-01-10T03:30:00Z"


def test_a_run_whose_training_runs_or_has_failed() -> None:
    begun = {"job": "j", "started_at": "2026-01-10T03:00:01Z"}
    assert followed({"model": model(**answered("Running"))}, run(message="waits")) == run("Training", **begun)
    assert followed({"model": model(**answered("Failed", message="no rows", reason="DataInvalid"))}) == run(
        "Failed", message="no rows", finished_at="2026-01-10T04:00:00Z", **begun
    )
    assert followed({"model": model(**answered("Failed", reason="DataInvalid"))}).message == "DataInvalid"
    assert followed({"model": model(**answered("Failed"))}).message == "The training failed"
    assert followed({"model": model(**answered("Succeeded"))}).message == "The training failed", "without a version"
    earlier = run(started_at="2026-01-10T03:00:00Z")
    assert followed({"model": model(**answered("Running"))}, earlier).started_at == "2026-01-10T03:00:00Z"


def test_a_run_whose_version_serves_or_served() -> None:
    trained = answered("Succeeded", version="2")
    serves = {"version": "2", "digest": "sha256:2", "since": "2026-01-10T03:30:00Z"}
    found = followed({"model": model(**trained, serving=serves)})
    assert (found.phase, found.version, found.gate, found.rollout, found.finished_at) == (
        *("Succeeded", "2", "GatePassed", "Serves since 2026-01-10T03:30:00Z", "2026-01-10T04:00:00Z"),
    )
    entry = {"version": "2", "digest": "sha256:2", "from": "2026-01-10T03:30:00Z", "reason": "Promoted"}
    found = followed({"model": model(**trained, history=[entry])})
    assert (found.phase, found.gate, found.rollout) == ("Succeeded", "GatePassed", "No longer serving")


@pytest.mark.parametrize(
    ("reason", "gate", "rollout"),
    [("GateFailed", "GateFailed", None), ("CanaryAnalysisFailed", "GatePassed", "CanaryAnalysisFailed")],
)
def test_a_run_whose_version_was_rejected(reason: str, gate: str, rollout: str | None) -> None:
    other = {"version": "9", "digest": "sha256:9", "reason": "Aborted", "message": "other", "time": written(NOW)}
    entry = {"version": "2", "digest": "sha256:2", "reason": reason, "message": "why", "time": written(NOW)}
    found = followed({"model": model(**answered("Succeeded", version="2"), rejected=[other, entry])})
    assert (found.phase, found.message, found.gate, found.rollout) == ("Failed", "why", gate, rollout)


def test_a_run_does_not_repeat_the_figures_of_every_analysis_interval() -> None:
    analysis = {"time": written(NOW), "verdict": "Inconclusive", "message": "requests: 7 of 100"}
    candidate = CANDIDATE | {
        "version": "2",
        "message": "waiting for evidence: requests: 7 of 100",
        "analysis": analysis,
    }
    found = followed({"model": model(**answered("Succeeded", version="2"), candidate=candidate)})
    assert found.message == "waiting for evidence"


def test_a_run_whose_version_is_on_its_way() -> None:
    trained = answered("Succeeded", version="2")
    candidate = CANDIDATE | {"version": "2", "weight": 20, "message": "step 1"}
    found = followed({"model": model(**trained, candidate=candidate)})
    assert (found.phase, found.gate, found.rollout, found.message, found.finished_at) == (
        *("RollingOut", "GatePassed", "Candidate, 20% of the traffic", "step 1", None),
    )
    conditions = [
        {"type": "GatePassed", "status": "Unknown", "reason": "Evaluating", "lastTransitionTime": written(NOW)},
        {
            **{"type": "Progressing", "status": "Unknown", "reason": "OnHold", "lastTransitionTime": written(NOW)},
            "message": "waits for evidence",
        },
    ]
    found = followed({"model": model(**trained, conditions=conditions)})
    assert (found.phase, found.gate, found.message) == ("RollingOut", "Evaluating", "waits for evidence")
    found = followed({"model": model(**trained)})
    assert (found.phase, found.gate, found.message) == ("RollingOut", None, "")
    found = followed({"model": model({"version": 1}, **trained)})
    assert (found.phase, found.message) == ("RollingOut", "spec.version names version 1: version 2 is not served")
    found = followed({"model": model({"version": 2}, **trained, conditions=conditions)})
    assert (found.phase, found.message) == ("RollingOut", "waits for evidence")


def test_a_run_that_rolls_out_while_another_training_is_recorded() -> None:
    rolling = run("RollingOut", version="2", job="j")
    newer = answered("Succeeded", trigger="manual", version="3")
    found = followed({"model": model(**newer)}, rolling)
    assert (found.phase, found.message) == ("Failed", "Version 3 replaced it")
    busy = answered("Running", trigger="manual")
    assert followed({"model": model(**busy)}, rolling).phase == "RollingOut"
    same = answered("Succeeded", trigger="manual", version="2")
    assert followed({"model": model(**same)}, rolling).phase == "RollingOut"


def test_a_run_is_found_by_its_job_before_the_model_records_it() -> None:
    job = training(NOW + SECOND, "x-s20260110T030000Z", "Running", "j2")
    found = followed({"trainings": (training(NOW, "manual"), job)}, run(message="waits"))
    assert found == run("Training", job="j2", started_at="2026-01-10T03:00:01Z")


def test_a_run_whose_job_was_stopped() -> None:
    found = followed({}, run("Training", job="j"))
    assert (found.phase, found.message) == ("Failed", "Replaced by another training before it finished")


def test_a_request_that_nobody_answers() -> None:
    progressing = {
        "type": "Progressing",
        "status": "False",
        "reason": "InvalidSpec",
        "lastTransitionTime": written(NOW),
    }
    stuck = {"model": model(conditions=[progressing | {"message": "spec is invalid"}])}
    assert followed(stuck) == run(message="spec is invalid"), "at the deadline itself it still counts"
    late = followed(stuck, startingDeadlineSeconds=3599)
    assert (late.phase, late.message) == ("Missed", "The training did not start within 3599 s: spec is invalid")
    assert followed({}, startingDeadlineSeconds=3599).message == "The training did not start within 3599 s"
    assert followed({}, run(message="was")).message == ""
    suspended = followed({}, suspend=True)
    assert (suspended.phase, suspended.message) == (
        *("Missed", "The schedule was suspended before the training started"),
    )
    pinned = followed({"model": model({"version": 7})})
    assert (pinned.phase, pinned.message) == (
        *("Missed", "spec.version was set to version 7 before the training started"),
    )


def test_the_history_keeps_open_runs_and_the_newest_that_ended() -> None:
    runs = [
        run("Succeeded", NOW - 5 * HOUR),
        run("Succeeded", NOW - 4 * HOUR),
        run("Failed", NOW - 3 * HOUR),
        run("Missed", NOW - 2 * HOUR),
        run("Training", NOW - HOUR),
        run("Succeeded", NOW),
    ]
    newest = runs[::-1]
    assert kept(runs, 2, 1) == (newest[0], newest[1], newest[2], newest[4])
    assert kept(runs, 0, 0) == (newest[1],)
    assert kept(runs, 9, 9) == tuple(newest)
    twins = [run("Failed", NOW), run("Failed", NOW, "Drift")]
    assert kept(twins, 0, 1) == (twins[0],), "of one second by name"


# --- the plan ------------------------------------------------------------------------------------


def test_the_newest_findings_are_kept() -> None:
    older, newer = drift_found(NOW - HOUR, "1", "NoDrift"), drift_found(NOW, "1")
    quality = quality_found(NOW, "1")
    jobs = (
        check_job(NOW, result=newer),
        check_job(NOW - HOUR, result=older),
        check_job(NOW + HOUR, result=quality),
        check_job(NOW + 2 * HOUR, phase="Failed"),
    )
    found = with_findings(status_of(), jobs)
    assert (found.last_drift, found.last_performance) == (newer.drift, quality.performance)
    later = status_of(last_drift=drift_found(NOW + HOUR, "1").drift, last_performance=quality.performance)
    assert with_findings(later, jobs).last_drift == later.last_drift
    same = status_of(last_drift=drift_found(NOW, "1", "NoDrift").drift)
    assert with_findings(same, jobs).last_drift == same.last_drift, "it was written from this Job"


def requested(due: Due | None, *runs: RunStatus, policy: str = "Forbid") -> RetrainScheduleStatus:
    return request(observed(NIGHTLY | {"concurrencyPolicy": policy}), status_of(runs=runs), due, NOW)


def test_what_is_due_becomes_a_request() -> None:
    due = Due("Schedule", NOW - SECOND)
    found = requested(due)
    assert found.runs == (
        RunStatus(
            id="s20260110T025959Z",
            cause="Schedule",
            time="2026-01-10T02:59:59Z",
            phase="Requested",
            requested_at="2026-01-10T03:00:00Z",
        ),
    )
    assert (found.last_schedule_time, found.data_runs) == ("2026-01-10T02:59:59Z", ())
    by_data = requested(Due("Drift", NOW - SECOND))
    assert by_data.last_schedule_time is None
    assert by_data.data_runs == (DataRun(id="d20260110T025959Z", time="2026-01-10T03:00:00Z"),)


def test_nothing_is_requested_twice_or_while_it_waits() -> None:
    due = Due("Schedule", NOW)
    assert requested(None) == status_of()
    assert requested(replace(due, wait="cooldown")) == status_of()
    for phase in ("Requested", "Training"):
        earlier = run(phase, NOW - DAY)
        assert requested(due, earlier).runs == (earlier,)
    rolling = run("RollingOut", NOW - DAY)
    assert requested(due, rolling).runs == (run(), rolling)


@pytest.mark.parametrize(("phase", "becomes"), [("Requested", "Missed"), ("Training", "Failed"), ("RollingOut", None)])
def test_replace_withdraws_the_run_before(phase: Any, becomes: str | None) -> None:
    earlier = run(phase, NOW - DAY)
    found = requested(Due("Schedule", NOW), earlier, policy="Replace")
    expected = earlier.model_copy(
        update={"phase": becomes, "message": "A newer run took its place", "finished_at": "2026-01-10T03:00:00Z"}
    )
    assert found.runs == (run(), expected if becomes else earlier)


def test_checks_beyond_the_newest_three_are_removed() -> None:
    jobs = tuple(
        check_job(NOW - index * HOUR, f"c{index}", "Running" if index == 4 else "Succeeded") for index in range(6)
    )
    assert [job.name for job in surplus_checks(observed(DRIFT, checks=jobs[::-1]))] == ["c3", "c5"]


def test_bad_times_are_named_by_field() -> None:
    def problems(**spec: Any) -> list[str]:
        return cron_problems(RetrainScheduleSpec.model_validate({"modelName": "heart"} | spec), NOW)

    never = "0 0 30 2 *"
    assert problems(schedule="0 3 * * *", suspend=True) == []
    both = problems(schedule=never, drift={"schedule": never}, suspend=True)
    assert [text.partition(": ")[0] for text in both] == ["spec.schedule", "spec.drift.schedule"]
    assert problems(schedule="0 3 * * *", timeZone="Mars/Olympus") == [
        "spec.timeZone: unknown time zone 'Mars/Olympus'; write it like Europe/Berlin or Etc/UTC"
    ]


def waiting(
    facts: RetrainScheduleStatus | None = None, due: Due | None = None, checks: tuple[CheckJob, ...] = ()
) -> float | None:
    return requeue_after(observed(checks=checks), facts or status_of(), due, NOW)


def test_when_a_schedule_is_reconciled_again() -> None:
    assert waiting() is None
    assert waiting(status_of(next_schedule_time=written(NOW + HOUR))) == 3600
    assert waiting(status_of(next_schedule_time=written(NOW + 2 * HOUR), next_check_time=written(NOW + HOUR))) == 3600
    assert waiting(status_of(runs=(run("Requested", NOW - HOUR + 10 * SECOND),))) == 10
    assert waiting(status_of(runs=(run("Training", NOW),))) is None
    assert waiting(due=Due("Drift", NOW, wait="cooldown", until=NOW + 20 * SECOND)) == 20
    assert waiting(due=Due("Drift", NOW, wait="busy")) is None
    assert waiting(due=Due("Schedule", NOW - HOUR + 30 * SECOND, wait="busy")) == 30
    assert waiting(status_of(next_schedule_time=written(NOW))) == LEAST_SECONDS == 0.5
    assert waiting(checks=(check_job(NOW, phase="Running", waiting=True),)) == 5
    assert waiting(checks=(check_job(NOW, phase="Running"),)) is None


def test_a_plan_without_obstacles() -> None:
    six = read("2026-01-10T06:00:00Z")
    seen = observed(DRIFT | NIGHTLY, checks=(check_job(six - 6 * HOUR, "c1", "Failed", why="OOMKilled"),))
    plan = plan_retrain_schedule(seen, six)
    (job,) = plan.create
    assert job["metadata"]["annotations"]["heartops.dev/scheduled-time"] == "2026-01-10T06:00:00Z"
    facts = plan.facts
    assert (facts.next_schedule_time, facts.next_check_time) == ("2026-01-11T03:00:00Z", "2026-01-10T12:00:00Z")
    assert (facts.last_check_time, facts.observed_generation) == ("2026-01-10T00:00:00Z", 4)
    assert facts.overdue_since == "2026-01-10T03:00:00Z"
    types = ["Ready", "Checked", "InputsStable", "RunSucceeded", "Stalled"]
    assert [entry.type for entry in plan.conditions] == types
    assert [event.reason for event in plan.events] == ["RunMissed", "CheckFailed"]
    assert plan.requeue_after == 6 * 3600
    assert plan.delete == ()


def test_a_plan_without_a_profile_starts_no_check() -> None:
    six = read("2026-01-10T06:00:00Z")
    assert plan_retrain_schedule(observed(DRIFT, profile=None), six).create == ()
    blocked = check_job(NOW, "c1", "Running", blocked=BLOCKED, waiting=True)
    plan = plan_retrain_schedule(observed(DRIFT, checks=(blocked,)), NOW)
    assert plan.blocked == (BlockedWorkload("Job", "c1", "Quota"),)
    old = tuple(check_job(NOW - index * HOUR, f"c{index}") for index in range(4))
    assert plan_retrain_schedule(observed(DRIFT, checks=old), NOW).delete == (ObjectKey("batch/v1", "Job", "c3"),)


@pytest.mark.parametrize(
    ("spec", "changes", "reason", "message", "upcoming"),
    [
        (
            *(NIGHTLY | {"suspend": True}, {}, "Suspended"),
            *("The schedule is suspended; set spec.suspend to false to resume", None),
        ),
        (
            *(NIGHTLY, {"model": None}, "ModelNotFound"),
            'HeartModel "heart" not found in this namespace; create it, or delete this schedule',
            "2026-01-11T03:00:00Z",
        ),
        (
            *(NIGHTLY, {"model": model({"version": 7})}, "VersionPinned"),
            "spec.version of HeartModel heart names version 7: no training is requested, for nobody would serve it;"
            " checks go on. Set it to latest or an alias to resume",
            None,
        ),
    ],
)
def test_a_plan_with_an_obstacle(
    spec: dict[str, Any], changes: dict[str, Any], reason: str, message: str, upcoming: str | None
) -> None:
    plan = plan_retrain_schedule(observed(spec, **changes), NOW + SECOND)
    ready = plan.conditions[0]
    assert (ready.reason, ready.message) == (reason, message)
    assert plan.facts.next_schedule_time == upcoming
    assert plan.facts.overdue_since is None


def test_both_times_can_be_wrong() -> None:
    never = "0 0 30 2 *"
    plan = plan_retrain_schedule(observed({"schedule": never, "drift": {"schedule": never}}), NOW)
    message = plan.conditions[0].message
    assert message.count("is not a cron expression") == 2
    assert "; spec.drift.schedule: " in message
    assert plan.facts.next_check_time is None


def test_the_facts_of_runs() -> None:
    serves = {"version": "2", "digest": "sha256:2", "since": "2026-01-10T03:30:00Z"}
    runs = [
        run("Training", NOW, job="j2").dump(),
        run("Succeeded", NOW - DAY, job="j1", finished_at="2026-01-09T04:00:00Z").dump(),
        run("Succeeded", NOW - 2 * DAY, job="j0", finished_at="2026-01-08T04:00:00Z").dump(),
    ]
    status = {
        "runs": runs,
        "lastSuccessfulTime": "2026-01-08T09:00:00Z",
        "lastCheckTime": "2026-01-07T00:00:00Z",
        "dataRuns": [
            {"id": "d20260109T030000Z", "time": "2026-01-09T03:00:00Z"},
            {"id": "d20260108T030000Z", "time": "2026-01-08T03:00:00Z"},
        ],
    }
    seen = observed(
        NIGHTLY, status, model=model(**answered("Running"), serving=serves), trainings=(training(NOW, phase="Running"),)
    )
    facts = plan_retrain_schedule(seen, NOW + SECOND).facts
    assert facts.active == ("j",)
    assert facts.last_successful_time == "2026-01-09T04:00:00Z"
    assert facts.last_check_time == "2026-01-07T00:00:00Z"
    assert [entry.id for entry in facts.data_runs] == ["d20260108T030000Z", "d20260109T030000Z"]
    newer = plan_retrain_schedule(observed(NIGHTLY, status | {"lastSuccessfulTime": "2026-01-09T09:00:00Z"}), NOW)
    assert newer.facts.last_successful_time == "2026-01-09T09:00:00Z"
    assert plan_retrain_schedule(observed(), NOW).facts.last_successful_time is None


# --- quotas --------------------------------------------------------------------------------------


def limited(**quota: Any) -> RuntimeProfile:
    return PROFILE.model_copy(update={"quota": Quota.model_validate(quota)})


def test_a_schedule_that_comes_too_often_does_nothing_and_names_its_fields() -> None:
    both = {"schedule": "*/10 * * * *", "drift": {"schedule": "*/20 * * * *", "window": "12h"}}
    plan = plan_retrain_schedule(observed(both, profile=limited(minScheduleInterval="1h")), NOW)
    ready = next(entry for entry in plan.status.conditions if entry.type == "Ready")
    ends = (
        "and at least 1h have to lie between two times; choose fewer, or ask an administrator to change"
        " runtimes.default.quota.minScheduleInterval"
    )
    assert (ready.status, ready.reason, ready.message) == (
        "False",
        "InvalidSpec",
        f"spec.schedule: '*/10 * * * *' comes again after 0:10:00, {ends}; "
        f"spec.drift.schedule: '*/20 * * * *' comes again after 0:20:00, {ends}",
    )
    assert (plan.create, plan.requeue_after) == ((), None)
    rarely = plan_retrain_schedule(observed(NIGHTLY, profile=limited(minScheduleInterval="1h")), NOW)
    assert next(entry for entry in rarely.status.conditions if entry.type == "Ready").status == "True"


def test_a_schedule_beyond_the_quota_of_its_namespace_waits() -> None:
    seen = observed(profile=limited(schedules=1), usage=Usage(count=2, older=1))
    plan = plan_retrain_schedule(seen, NOW)
    ready = next(entry for entry in plan.status.conditions if entry.type == "Ready")
    message = (
        "Namespace clinic has 2 RetrainSchedules, its quota is 1, and 1 are older than this one; delete another, or"
        " ask an administrator to raise runtimes.default.quota.schedules"
    )
    assert (ready.status, ready.reason, ready.message) == ("False", "QuotaExceeded", message)
    assert [(wait.quota, wait.message) for wait in plan.waits] == [("schedules", message)]
    first = plan_retrain_schedule(replace(seen, usage=Usage(count=2, older=0)), NOW)
    assert first.waits == ()


def test_the_jobs_of_checks_are_listed() -> None:
    plan = plan_retrain_schedule(observed(DRIFT, checks=(check_job(NOW - HOUR),)), NOW)
    assert [entry.name for entry in plan.status.jobs or ()] == ["check"]
