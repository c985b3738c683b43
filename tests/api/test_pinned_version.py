"""`spec.version` names a number on a real API server: what is copied serves, and only a person's request trains."""

import pytest

from tests.support.apiserver.client import poll
from tests.support.apiserver.lifecycle import retrain
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api


def test_a_copied_version_serves_and_only_a_person_trains_another(world: World) -> None:
    world.registry.register_by_hand(f"{world.namespace}.heart")
    with world.start():
        world.create(version=1)
        world.create_schedule(schedule="0 3 * * *")
        world.wait_serving("1", seconds=40)
        world.wait_condition("Trained", "Unknown", "VersionPinned")
        world.wait_event("VersionPinned")
        poll("the schedule is held", lambda: reason_of(world) == "VersionPinned")
        world.edit({"training": {"seed": 7}})
        generation = world.model()["metadata"]["generation"]
        poll("the edit is seen", lambda: world.status()["observedGeneration"] == generation)
        assert ["evaluate" in job["metadata"]["name"] for job in world.jobs()] == [True], "nothing was trained"
        retrain(world)
        poll("version 2 is trained", lambda: (world.status().get("training") or {}).get("version") == "2")
        assert world.serving() == "1"
        world.edit({"version": "latest"})
        world.wait_serving("2")


def reason_of(world: World) -> str | None:
    """Of the schedule's condition Ready."""
    found = world.schedule_status().get("conditions") or []
    return next((entry["reason"] for entry in found if entry["type"] == "Ready"), None)
