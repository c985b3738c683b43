"""Quotas of a namespace: what waits, why, and until when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heart_api.names import training_job_name
from heart_api.profile import Quota, RuntimeProfile
from heart_operator.plan.actions import Plan
from heart_operator.plan.heartmodel import plan_heart_model
from heart_operator.plan.quota import QuotaWait, StartedTraining, Usage, models_wait, schedules_wait, training_wait
from heart_operator.plan.schedule.cron import shortest_interval
from heart_operator.plan.schedule.schedule import plan_retrain_schedule
from heart_operator.plan.selection.selection import select_version
from heart_operator.plan.training.triggers import current_trigger
from tests.support.plan.schedules import ScheduledWorld, retrain_schedule
from tests.support.plan.world import PROFILE, START, World, serving_world


def limited(**quota: object) -> RuntimeProfile:
    return PROFILE.model_copy(update={"quota": Quota.model_validate(quota)})


def plan(world: World, usage: Usage) -> Plan:
    observed = replace(world.observe(), usage=usage)
    return plan_heart_model(observed, select_version(observed), world.now)


def condition(plan: Plan, type_: str) -> tuple[str, str, str]:
    found = next(entry for entry in plan.conditions if entry.type == type_)
    return found.status, found.reason, found.message


def minutes_ago(*minutes: int, job: str = "other", pending: bool = False) -> tuple[StartedTraining, ...]:
    return tuple(StartedTraining(job, START - timedelta(minutes=count), pending) for count in minutes)


def test_the_newest_models_beyond_the_quota_wait() -> None:
    world = World(profile=limited(models=2))
    assert plan(world, Usage(count=3, older=1)).create
    found = plan(world, Usage(count=3, older=2))
    assert found.create == ()
    assert [(wait.quota, wait.until) for wait in found.waits] == [("models", None)]
    status, reason, message = condition(found, "Progressing")
    assert (status, reason) == ("False", "QuotaExceeded")
    assert "Namespace clinic has 3 HeartModels, its quota is 2" in message
    assert "runtimes.default.quota.models" in message
    assert {event.reason for event in found.events} == {"QuotaExceeded"}


def test_a_model_beyond_the_quota_goes_on_serving() -> None:
    world = serving_world()
    world.profile = limited(models=0)
    found = plan(world, Usage(count=1, older=0))
    assert found.facts.serving
    assert found.facts.serving.version == "1"
    assert condition(found, "Available")[0] == condition(found, "Ready")[0] == "True"
    assert found.delete == ()


def test_a_training_waits_until_the_hour_has_room_again() -> None:
    world = World(profile=limited(trainingsPerHour=2))
    assert plan(world, Usage(trainings=minutes_ago(59))).create
    found = plan(world, Usage(trainings=minutes_ago(50, 20)))
    assert found.create == ()
    assert found.requeue_after == 600
    (wait,) = found.waits
    assert (wait.quota, wait.until) == ("trainingsPerHour", START + timedelta(minutes=10))
    for type_ in ("Trained", "Progressing", "Ready"):
        _, reason, message = condition(found, type_)
        assert reason == "QuotaExceeded"
        assert f"waits until {(START + timedelta(minutes=10)).strftime('%Y-%m-%dT%H:%M:%SZ')}" in message
    assert found.facts.training is None, "nothing may be recorded of a training that has not begun"
    world.now += timedelta(minutes=10)
    assert plan(world, Usage(trainings=minutes_ago(50, 20))).create


def test_models_that_wait_for_the_same_moment_do_not_all_come_at_once() -> None:
    world = World(profile=limited(trainingsPerHour=2))
    waits = [plan(world, Usage(5000, older, minutes_ago(50, 20))).requeue_after for older in (0, 1, 100, 4999)]
    assert waits == [600, 600.1, 610, 660]


def test_what_began_an_hour_ago_does_not_count() -> None:
    assert plan(World(profile=limited(trainingsPerHour=1)), Usage(trainings=minutes_ago(60))).create


def test_the_wait_follows_a_lowered_quota() -> None:
    found = plan(World(profile=limited(trainingsPerHour=1)), Usage(trainings=minutes_ago(50, 40, 30)))
    assert found.waits[0].until == START + timedelta(minutes=30)


def test_a_training_that_is_planned_already_does_not_wait_for_itself() -> None:
    world = World(profile=limited(trainingsPerHour=1))
    job = training_job_name("heart", world.model.uid, current_trigger(world.observe()))
    assert plan(world, Usage(trainings=minutes_ago(0, job=job, pending=True))).create
    assert plan(world, Usage(trainings=minutes_ago(0, job=job))).create == (), (
        "its Job was made, and somebody deleted it"
    )


def test_a_change_of_the_time_is_no_new_event() -> None:
    world = World(profile=limited(trainingsPerHour=1))
    first = plan(world, Usage(trainings=minutes_ago(50)))
    assert [event.reason for event in first.events if event.type == "Warning"].count("QuotaExceeded") >= 1
    world.model = world.model.model_copy(update={"status": first.status})
    again = plan(world, Usage(trainings=minutes_ago(20)))
    assert again.status != first.status
    assert again.events == ()


def test_without_a_quota_nothing_waits() -> None:
    usage = Usage(count=10_000, older=9_999, trainings=minutes_ago(*range(60)))
    assert plan(World(), usage).create
    assert plan(World(), usage).waits == ()


def test_the_newest_schedules_beyond_the_quota_do_nothing() -> None:
    world = ScheduledWorld(profile=limited(schedules=1))
    observed = world.observe_schedule()
    assert plan_retrain_schedule(replace(observed, usage=Usage(2, 0)), world.now).waits == ()
    found = plan_retrain_schedule(replace(observed, usage=Usage(2, 1)), world.now)
    ready = next(entry for entry in found.conditions if entry.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "QuotaExceeded")
    assert "Namespace clinic has 2 RetrainSchedules, its quota is 1" in ready.message
    assert [wait.quota for wait in found.waits] == ["schedules"]
    assert found.facts.next_schedule_time is None


@pytest.mark.parametrize(
    ("cron", "shorter"),
    [
        ("* * * * *", True),
        ("*/30 * * * *", True),
        ("0 * * * *", False),
        ("0,59 3 * * *", True),
        ("59 23 * * *", False),
        ("0 0,23 * * *", False),
        ("0,59 0,23 * * *", True),
        ("0 3 29 2 *", False),
        ("*/59 * * * *", True),
        ("0 3 * * 0", False),
    ],
)
def test_the_shortest_interval_of_a_cron(cron: str, shorter: bool) -> None:
    assert (shortest_interval(cron, timedelta(hours=1)) is not None) == shorter


@pytest.mark.parametrize("field", ["schedule", "drift"])
def test_a_schedule_that_comes_too_often_names_field_and_interval(field: str) -> None:
    fast = {"schedule": "*/5 * * * *"} if field == "schedule" else {"drift": {"schedule": "*/5 * * * *"}}
    world = ScheduledWorld(profile=limited(minScheduleInterval="1h"), schedule=retrain_schedule(fast))
    found = plan_retrain_schedule(world.observe_schedule(), world.now)
    ready = next(entry for entry in found.conditions if entry.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "InvalidSpec")
    assert f"spec.{field}" in ready.message
    assert "comes again after 0:05:00, and at least 1h have to lie between two times" in ready.message
    assert "runtimes.default.quota.minScheduleInterval" in ready.message
    assert found.create == ()


ASK = "delete another, or ask an administrator to raise runtimes.gpu.quota"


@pytest.mark.parametrize(
    ("wait", "quota", "kinds"),
    [(models_wait, "models", "HeartModels"), (schedules_wait, "schedules", "RetrainSchedules")],
)
def test_what_is_beyond_the_quota_and_what_to_do(wait: Callable[..., Any], quota: Any, kinds: str) -> None:
    profile, usage = limited(**{quota: 3}), Usage(count=5, older=3)
    message = f"Namespace lab has 5 {kinds}, its quota is 3, and 3 are older than this one; {ASK}.{quota}"
    assert wait("lab", "gpu", profile, usage) == QuotaWait(quota, message)
    assert wait("lab", "gpu", profile, replace(usage, older=2)) is None
    assert wait("lab", "gpu", limited(), usage) is None
    assert wait("lab", "gpu", None, usage) is None


def test_who_waits_for_the_hours_quota_and_until_when() -> None:
    started = Usage(trainings=minutes_ago(50, 40, 30, 60))
    found = training_wait("lab", "gpu", limited(trainingsPerHour=2), started, "mine", START)
    assert found == QuotaWait(
        "trainingsPerHour",
        "Namespace lab has started 3 trainings within an hour and its quota is 2; the training waits until"
        " 2026-01-01T00:20:00Z at least (runtimes.gpu.quota.trainingsPerHour)",
        START + timedelta(minutes=20),
    )
    assert training_wait("lab", "gpu", limited(trainingsPerHour=3), started, "mine", START)
    assert training_wait("lab", "gpu", limited(trainingsPerHour=4), started, "mine", START) is None
    assert training_wait("lab", "gpu", limited(), started, "mine", START) is None
    assert training_wait("lab", "gpu", None, started, "mine", START) is None


def test_only_the_trainings_own_plan_does_not_count() -> None:
    one = limited(trainingsPerHour=1)
    for job, pending, waits in (("mine", True, False), ("mine", False, True), ("other", True, True)):
        usage = Usage(trainings=minutes_ago(0, job=job, pending=pending))
        assert (training_wait("lab", "gpu", one, usage, "mine", START) is not None) is waits
