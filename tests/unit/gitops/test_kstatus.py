"""kstatus, by which Flux waits: what the conditions and observedGeneration of a resource come to.

The rules are those of kubernetes-sigs/cli-utils, pkg/kstatus/status (generic.go, core.go `checkGenericProperties`):
another observedGeneration, or Reconciling=True: InProgress; Stalled=True: Failed; else the condition Ready decides,
Current if it is True and InProgress otherwise.
"""

from dataclasses import replace
from typing import Any

from heart_operator.plan.schedule.schedule import plan_retrain_schedule
from tests.support.plan.schedules import ScheduledWorld, retrain_schedule
from tests.support.plan.world import START, World, bring_up, serving_world


def kstatus(generation: int, status: dict[str, Any]) -> str:
    if status.get("observedGeneration", generation) != generation:
        return "InProgress"
    found = {entry["type"]: entry["status"] for entry in status.get("conditions", ())}
    if found.get("Reconciling") == "True":
        return "InProgress"
    if found.get("Stalled") == "True":
        return "Failed"
    return "Current" if found.get("Ready", "True") == "True" else "InProgress"


def judged(world: World) -> str:
    return kstatus(world.model.generation, world.model.status.dump())


def retrained(auc: float) -> World:
    world = serving_world()
    world.retrain("again")
    world.settle()
    world.finish_job(auc=auc)
    bring_up(world)
    return world


def test_what_serves_is_current() -> None:
    assert judged(serving_world()) == "Current"


def test_a_first_training_is_in_progress() -> None:
    world = World()
    world.settle()
    assert judged(world) == "InProgress"


def test_a_retraining_is_in_progress_until_its_version_serves() -> None:
    world = serving_world()
    world.retrain("again")
    world.settle()
    assert judged(world) == "InProgress"
    world.finish_job()
    bring_up(world)
    assert judged(world) == "Current"


def test_a_rejected_version_fails_and_a_corrected_one_is_current_again() -> None:
    world = retrained(auc=0.5)
    assert judged(world) == "Failed"
    world.retrain("once more")
    world.settle()
    assert judged(world) == "InProgress"
    world.finish_job(auc=0.95)
    bring_up(world)
    assert judged(world) == "Current"


def test_an_invalid_spec_fails() -> None:
    world = serving_world()
    world.merge_spec({"monitoring": {"alerts": {"errorRate": {"warning": 0.1, "critical": 0.05}}}})
    world.settle()
    assert judged(world) == "Failed"


def test_an_outage_of_the_registry_is_in_progress() -> None:
    world = serving_world()
    world.registry_error = "down"
    world.settle()
    assert judged(world) == "InProgress"


def test_the_two_conditions_are_absent_while_they_are_not_true() -> None:
    types = {entry.type for entry in serving_world().model.status.conditions}
    assert not types & {"Reconciling", "Stalled"}


def test_the_time_of_a_condition_stays_while_it_lasts() -> None:
    world = retrained(auc=0.5)
    (before,) = [entry for entry in world.model.status.conditions if entry.type == "Stalled"]
    world.pass_time(3600)
    world.settle()
    (after,) = [entry for entry in world.model.status.conditions if entry.type == "Stalled"]
    assert before.last_transition_time == after.last_transition_time


def test_they_make_no_events_of_their_own() -> None:
    events = [event for event in retrained(auc=0.5).events if "GateFailed" in event]
    assert len(events) == 1


def test_a_schedule_without_its_model_fails() -> None:
    observed = ScheduledWorld(schedule=retrain_schedule()).observe_schedule()
    plan = plan_retrain_schedule(replace(observed, model=None), START)
    assert kstatus(observed.schedule.generation, plan.status.dump()) == "Failed"
