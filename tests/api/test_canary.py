"""Canaries on a real API server: what the Service, the route and the status say while a version is on its way."""

import pytest

from heart_api.kube.kinds import BY_NAME, SERVICE, Kind
from heart_api.names import Annotation, Label
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.lifecycle import HELD, ME, annotate, at_pause, retrain, submit
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api

CONFIG_MAP, HTTP_ROUTE = (BY_NAME[key] for key in (("v1", "ConfigMap"), ("gateway.networking.k8s.io/v1", "HTTPRoute")))


def child(world: World, kind: Kind, name: str) -> Resource:
    return world.child(kind, name)


def service(world: World) -> tuple[str | None, str]:
    """(version in the selector, version in the annotation)."""
    found = child(world, SERVICE, "heart")
    stable: str = found["metadata"]["annotations"][Annotation.STABLE_VERSION]
    return found["spec"]["selector"].get(Label.MODEL_VERSION), stable


def test_the_service_spreads_and_narrows_again(world: World) -> None:
    with world.start():
        world.create(rollout=HELD)
        world.wait_serving("1")
        assert service(world) == ("1", "1")
        retrain(world)
        at_pause(world)
        poll("the Service selects both versions", lambda: service(world) == (None, "1"))
        candidate = world.status()["candidate"]
        assert (candidate["version"], candidate["weight"], candidate["actualWeight"]) == ("2", 50, 50)
        assert world.condition("Available")["status"] == "True"
        world.wait_condition("Ready", "False", "Paused")
        submit(world, "promote", "2", reason="looks fine")
        world.wait_serving("2")
        poll("the Service selects one version", lambda: service(world) == ("2", "2"))
        last = world.status()["history"][-1]
        assert (last["version"], last["reason"], last["by"], last["message"]) == ("2", "Promoted", ME, "looks fine")
        world.wait_event("CommandExecuted")
        submit(world, "rollback", "2", reason="complaints")
        world.wait_serving("1")
        poll("the Service selects the version before", lambda: service(world) == ("1", "1"))
        poll("its pods are gone", lambda: set(world.deployments()) == {"1"})
        assert world.status()["rejected"][0]["reason"] == "RolledBack"
        world.settle()
        assert world.serving() == "1"


def test_an_aborted_version_is_gone_until_a_person_retries(world: World) -> None:
    with world.start():
        world.create(rollout=HELD)
        world.wait_serving("1")
        retrain(world)
        at_pause(world)
        submit(world, "abort", "2")
        world.wait_condition("RolloutSucceeded", "False", "Aborted")
        poll("the Service selects the stable version", lambda: service(world) == ("1", "1"))
        poll("the candidate's pods are gone", lambda: set(world.deployments()) == {"1"})
        annotate(world, {Annotation.COMMAND: f"retry 2 - again-{world.namespace[-4:]}", Annotation.COMMAND_BY: ME})
        at_pause(world)
        assert world.status()["candidate"]["version"] == "2"


def test_a_route_carries_exact_weights(world: World) -> None:
    route = {"gateway": {"name": "public", "namespace": "ingress"}, "hostnames": ["heart.example.org"]}
    with world.start():
        world.create(
            rollout=HELD | {"steps": [{"setWeight": 20}, {"pause": {}}]}, serving={"replicas": 2, "route": route}
        )
        world.wait_serving("1")
        assert weights(world) == {"heart": 100}
        retrain(world)
        at_pause(world)
        poll("the route splits", lambda: weights(world) == {"heart": 80, "heart-candidate": 20})
        assert service(world) == ("1", "1")
        behind = child(world, SERVICE, "heart-candidate")["spec"]["selector"]
        assert behind[Label.MODEL_VERSION] == "2"
        submit(world, "promote", "2")
        world.wait_serving("2")
        poll("the route is whole", lambda: weights(world) == {"heart": 100})


def weights(world: World) -> dict[str, int]:
    rules = child(world, HTTP_ROUTE, "heart")["spec"]["rules"]
    return {backend["name"]: backend["weight"] for rule in rules for backend in rule["backendRefs"]}


def test_shadow_traffic_is_switched_by_a_config_map(world: World) -> None:
    with world.start():
        world.create(rollout={"steps": [{"pause": {}}], "mirror": {"percent": 30}})
        world.wait_serving("1")
        assert '"percent": 0' in child(world, CONFIG_MAP, "heart-mirror")["data"]["mirror.json"]
        retrain(world)
        at_pause(world)
        poll("mirroring", lambda: '"percent": 30' in child(world, CONFIG_MAP, "heart-mirror")["data"]["mirror.json"])
        assert service(world) == ("1", "1")


def test_what_cannot_be_carried_out_is_said(world: World) -> None:
    with world.start():
        world.create(rollout={"steps": [{"setWeight": 50}, {"setWeight": 10}]})
        found = world.wait_condition("Ready", "False", "InvalidSpec")
        assert "spec.rollout.steps[1].setWeight" in found["message"]


def test_naming_a_version_that_is_not_there(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.edit({"version": 7})
        found = world.wait_condition("Ready", "False", "VersionNotFound")
        assert "newest: 1" in found["message"]
        world.edit({"version": "@champion"})
        world.wait_condition("Ready", "False", "VersionNotFound")
        assert world.selected() == "1"
        world.edit({"version": 1})
        world.wait_serving("1")


def test_a_version_by_hand_is_measured_and_served(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.registry.register_by_hand(f"{world.namespace}.heart")
        world.wait_serving("2", seconds=40)
        world.wait_event("Evaluating")
        names = [job["metadata"]["name"] for job in world.jobs()]
        assert sum("evaluate" in name for name in names) == 1
