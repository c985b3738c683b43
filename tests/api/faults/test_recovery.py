"""There and back again: a change that is taken back, a mistake that is mended, a status that is lost on the way."""

import pytest

from heart_api.kube.kinds import HEART_MODEL
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.lifecycle import PATIENT, at_pause, picture, retrain, submit
from tests.support.apiserver.world import World
from tests.support.soak import SOAK

pytestmark = pytest.mark.api

CHANGES: tuple[Resource, ...] = (
    {"serving": {"replicas": 3}},
    {"serving": {"replicas": None, "autoscaling": {"minReplicas": 2, "maxReplicas": 4}}},
    {"serving": {"resources": {"limits": {"memory": "300Mi"}}}},
    {"monitoring": {"serviceMonitor": False}},
    {"monitoring": {"alerts": {"errorRate": {"warning": 0.01, "critical": 0.03}}}},
)
"""Of what runs; what is learnt makes a new version instead."""


def carried_out(world: World) -> None:
    generation = world.model()["metadata"]["generation"]
    poll("the edit is seen", lambda: world.status().get("observedGeneration") == generation)
    world.wait_serving("1", seconds=40)


def test_a_change_that_is_taken_back_leaves_nothing_behind(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.settle()
        whole, before = world.model()["spec"], picture(world)
        for change in CHANGES:
            world.edit(change)
            carried_out(world)
            replace_spec(world, whole)
            carried_out(world)
            poll(f"without {change} all is as before", lambda: same(world, before), 30)


MISTAKES: dict[str, Resource] = {  # by the path that the message names
    "spec.runtime": {"runtime": "absent"},
    "spec.rollout.steps[1].setWeight": {"rollout": {"steps": [{"setWeight": 50}, {"setWeight": 10}]}},
}


def test_a_mistake_that_is_mended_leaves_nothing_behind(world: World) -> None:
    with world.start() as operator:
        world.create()
        world.wait_serving("1")
        world.settle()
        whole, before = world.model()["spec"], picture(world)
        for path, mistake in MISTAKES.items():
            world.edit(mistake)
            found = world.wait_condition("Ready", "False", "InvalidSpec")
            assert path in found["message"]
            assert world.selected() == "1"
            replace_spec(world, whole)
            carried_out(world)
            poll(f"after {mistake} all is as before", lambda: same(world, before), 30)
        assert operator.metric("heartops_reconcile_errors_total") == 0


@pytest.mark.parametrize("when", ["canary", "promoted", "rolled back"] if SOAK else ["canary", "rolled back"])
def test_a_status_that_is_lost_starts_no_training_and_moves_no_traffic(world: World, when: str) -> None:
    with world.start():
        world.create(rollout=PATIENT)
        world.wait_serving("1")
        retrain(world)
        at_pause(world)
        serving = "1"
        if when != "canary":
            submit(world, "promote", "2")
            world.wait_serving("2")
            serving = "2"
        if when == "rolled back":
            submit(world, "rollback", "2")
            world.wait_serving("1")
            serving = "1"
        world.settle()
        before = world.status()
        world.api.call("PUT", HEART_MODEL.path(world.namespace, "heart", "status"), world.model() | {"status": {}})
        poll("a status", lambda: world.status().get("serving"))
        world.settle()
        after = world.status()
        assert after["serving"]["version"] == serving
        assert after["serving"]["digest"] == before["serving"]["digest"]
        assert len(world.jobs()) == len(world.registry.versions[f"{world.namespace}.heart"]) == 2
        if when == "canary":
            assert after["candidate"]["version"] == "2"


def replace_spec(world: World, spec: Resource) -> None:
    whole = [{"op": "replace", "path": "/spec", "value": spec}]
    world.api.call("PATCH", HEART_MODEL.path(world.namespace, "heart"), whole, media="application/json-patch+json")


def same(world: World, before: Resource) -> bool:
    """But for the generation, which counts every edit."""
    return without_generation(picture(world)) == without_generation(before)


def without_generation(shown: Resource) -> Resource:
    status = {key: value for key, value in shown["status"].items() if key != "observedGeneration"}
    conditions = [{**entry, "observedGeneration": 0} for entry in status["conditions"]]
    return shown | {"status": status | {"conditions": conditions}}
