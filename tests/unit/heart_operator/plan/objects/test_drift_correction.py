"""Deployments: pinned while they serve, mended when edited, made anew while they only try to start."""

from typing import Any

from heart_api.kube.values import ObjectKey
from heart_api.profile import Images
from tests.support.plan.world import PROFILE, World, bring_up, names, serving_world

NEWER = PROFILE.model_copy(update={"images": Images(trainer="trainer:2", serving="serving:2")})
MORE_MEMORY = {"autoscaling": {"minReplicas": 2}, "resources": {"limits": {"memory": "1Gi"}}}


def server(world: World, name: str = "heart-v1") -> dict[str, Any]:
    containers: list[dict[str, Any]] = world.templates[name]["spec"]["template"]["spec"]["containers"]
    return containers[0]


def test_an_edited_deployment_is_mended_and_its_count_left_alone() -> None:
    world = serving_world()
    world.autoscale(4)
    server(world)["image"] = "somebody:else"
    plan = world.reconcile()
    assert names(plan.apply) == [("Deployment", "heart-v1")]
    assert server(world)["image"] == "serving:1"
    assert world.deployment("1").replicas == 4
    world.settle()


def test_what_serves_is_pinned() -> None:
    world = serving_world()
    world.profile = NEWER
    world.merge_spec({"serving": MORE_MEMORY})
    bring_up(world)
    assert server(world)["image"] == "serving:1"
    assert "1Gi" not in str(server(world)["resources"])
    world.retrain("x")
    world.settle()
    world.finish_job()
    bring_up(world)
    assert server(world, "heart-v2")["image"] == "serving:2", "the next version has the new runtime"
    assert server(world, "heart-v2")["resources"]["limits"]["memory"] == "1Gi"
    assert server(world)["image"] == "serving:1", "the previous one could still take over as it was"


def test_a_version_that_does_not_start_gets_what_the_spec_says_now() -> None:
    world = World()
    world.settle()
    world.finish_job()
    world.settle()
    world.pass_time(600)
    world.settle()
    world.merge_spec({"serving": MORE_MEMORY})
    plan = world.reconcile()
    assert plan.delete == (ObjectKey("apps/v1", "Deployment", "heart-v1"),)
    world.settle()
    assert server(world)["resources"]["limits"]["memory"] == "1Gi"
    bring_up(world)
    assert world.selected == "1"
