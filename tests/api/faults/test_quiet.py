"""Once everything is as declared, nothing is written any more."""

import time

import pytest

from tests.support.apiserver.client import poll
from tests.support.apiserver.lifecycle import HELD
from tests.support.apiserver.world import World
from tests.support.soak import SOAK

pytestmark = pytest.mark.api

SECONDS = 120 if SOAK else 20
HOLDING = {
    "steps": [{"setWeight": 50}, {"pause": {"duration": "1s"}}],
    "analysis": {"interval": "1s", "onInconclusive": "Hold"},
}


def test_nothing_is_written_once_all_is_done(world: World) -> None:
    """A model that never changed, one with a warm previous version, a paused canary, and one held for evidence."""
    warm = {"steps": [], "analysis": {"interval": "5s"}}
    rollouts = {"plain": {"steps": []}, "warm": warm, "paused": HELD, "held": HOLDING}
    with world.start(resync_seconds=1) as operator:
        for name, rollout in rollouts.items():
            world.create(name, rollout=rollout)
        for name in rollouts:
            world.wait_serving("1", name, seconds=40)
        for name in ("warm", "paused", "held"):
            world.edit({"training": {"seed": 7}}, name)
        world.wait_serving("2", "warm", seconds=40)
        for name in ("paused", "held"):
            poll(f"{name} waits", lambda n=name: phase(world, n) == n.capitalize(), 60)
        assert world.status("warm")["previous"]["version"] == "1"
        poll(
            "the first analysis after the promotion",
            lambda: world.status("warm")["serving"].get("postPromotionAnalysis"),
            30,
        )
        world.settle(4)
        before, reconciles = world.writes(), operator.metric("heartops_reconcile_duration_seconds_count")
        models = {name: world.model(name) for name in rollouts}
        time.sleep(SECONDS)
        for name, model in models.items():
            assert world.status(name) == model["status"], name
            assert world.model(name)["metadata"]["resourceVersion"] == model["metadata"]["resourceVersion"]
        assert world.writes() == before
        assert operator.metric("heartops_reconcile_duration_seconds_count") - reconciles >= SECONDS, (
            "it did not even look"
        )


def phase(world: World, name: str) -> str:
    return world.status(name).get("candidate", {}).get("phase", "")
