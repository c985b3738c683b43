"""kstatus, by which Flux waits: what its own library makes of the statuses that the operator plans.

The program is `hack/cluster/extras/kstatus`, which asks sigs.k8s.io/cli-utils.
"""

import json
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from hack.cluster.paths import extras_dir
from heart_api.kube.kinds import FEDERATION_SITE, HEART_MODEL, RETRAIN_SCHEDULE, Kind
from heart_operator.plan.schedule.schedule import plan_retrain_schedule
from tests.support.plan.federated import federated_world
from tests.support.plan.schedules import ScheduledWorld, retrain_schedule
from tests.support.plan.world import START, World, bring_up, serving_world

pytestmark = pytest.mark.api


def kstatus(kind: Kind, generation: int, status: dict[str, Any]) -> str:
    """The library's word for a resource with this status: InProgress, Current, Failed …"""
    binary = extras_dir() / "bin" / "kstatus"
    assert binary.exists(), "kstatus is not built yet: run `python3 -m hack.cluster build --extras`"
    metadata = {"name": "heart", "namespace": "clinic", "generation": generation}
    resource = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "status": status}
    done = subprocess.run([str(binary)], input=json.dumps(resource), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\t")[0]


def judged(world: World, generation: int = 0) -> str:
    return kstatus(HEART_MODEL, generation or world.model.generation, world.model.status.dump())


def retrained(auc: float) -> World:
    world = serving_world()
    world.retrain("again")
    world.settle()
    world.finish_job(auc=auc)
    bring_up(world)
    return world


def test_what_serves_is_current() -> None:
    assert judged(serving_world()) == "Current"


def test_a_change_that_the_operator_has_not_seen_is_in_progress() -> None:
    world = serving_world()
    assert judged(world, world.model.generation + 1) == "InProgress"


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
    assert kstatus(RETRAIN_SCHEDULE, observed.schedule.generation, plan.status.dump()) == "Failed"


def test_a_schedule_that_waits_for_its_time_is_current() -> None:
    world = ScheduledWorld(schedule=retrain_schedule())
    world.rest()
    world.serve()
    assert kstatus(RETRAIN_SCHEDULE, world.schedule.generation, world.schedule.status.dump()) == "Current"


def site_judged(*, fails: bool) -> str:
    world = federated_world(checked=False)
    world.rest()
    before = world.sites["north/ward"].site
    assert kstatus(FEDERATION_SITE, before.generation, before.status.dump()) == "InProgress"
    if fails:
        world.fail_check("north/ward")
    else:
        world.answer_checks()
    world.rest()
    found = world.sites["north/ward"].site
    return kstatus(FEDERATION_SITE, found.generation, found.status.dump())


def test_a_site_is_current_once_its_data_are_checked() -> None:
    assert site_judged(fails=False) == "Current"


def test_a_site_whose_data_cannot_be_read_fails() -> None:
    assert site_judged(fails=True) == "Failed"
