"""An HTTPRoute splits the traffic exactly, and what its Gateway says of it is believed."""

from typing import Any

from tests.support.plan.samples import GOOD
from tests.support.plan.world import World, bring_up, serving_world, watch

ROUTE = {"gateway": {"name": "public"}, "hostnames": ["heart.example.org"]}
ROLLOUT = {
    "steps": [{"setWeight": 10}, {"pause": {"duration": "5m"}}, {"setWeight": 50}, {"pause": {"duration": "5m"}}],
    "analysis": {"interval": "30s", "minRequests": 50, "failureLimit": 1},
}


def routed_world() -> World:
    """Version 1 serves, with a route that no gateway has looked at."""
    world = serving_world()
    world.kinds = world.kinds | {"HTTPRoute"}
    world.merge_spec({"rollout": ROLLOUT, "serving": {"replicas": 3, "route": ROUTE}})
    bring_up(world)
    return world


def train(world: World) -> None:
    """Version 2, with its first pods."""
    world.retrain("x")
    world.settle()
    world.finish_job()
    world.settle()
    world.start_pods()
    world.settle()


def weights(world: World) -> dict[str, int]:
    rules = route(world)["spec"]["rules"]
    return {entry["name"]: entry["weight"] for rule in rules for entry in rule["backendRefs"]}


def route(world: World) -> dict[str, Any]:
    found = world.child("HTTPRoute")
    assert found
    return found


def says(world: World, type_: str, status: str, **entry: Any) -> None:
    """The Gateway's controller."""
    condition = {"type": type_, "status": status, "reason": "NotAllowedByListeners", "message": "no listener", **entry}
    route(world)["status"] = {"parents": [{"parentRef": {"name": "public"}, "conditions": [condition]}]}
    world.settle()


def reached(world: World) -> int:
    assert world.model.status.candidate
    return world.model.status.candidate.actual_weight


def test_a_route_splits_exactly_and_the_service_stays() -> None:
    world = routed_world()
    world.sample = GOOD
    train(world)
    assert world.answering == {"1"}, "the Service inside the cluster keeps to the stable version"
    assert reached(world) == 10
    assert weights(world) == {"heart": 90, "heart-candidate": 10}
    watch(world, 330)
    assert weights(world) == {"heart": 50, "heart-candidate": 50}
    watch(world, 360)
    assert weights(world) == {"heart": 100}
    assert world.selected == "2"


def test_a_route_that_the_gateway_rejects_is_told_in_its_words() -> None:
    world = routed_world()
    assert world.condition("Ready") == ("True", "Serving"), "nobody has said anything"
    says(world, "Accepted", "False")
    assert world.condition("Ready") == ("False", "RouteNotAccepted")
    assert "Gateway public does not take HTTPRoute heart (NotAllowedByListeners: no listener)" in world.message("Ready")
    assert world.condition("Available") == ("True", "Serving"), "it serves inside the cluster"
    assert world.events.count("RouteNotAccepted") == 1
    says(world, "Accepted", "True")
    assert world.condition("Ready") == ("True", "Serving")


def test_what_was_said_of_an_older_route_is_not_believed() -> None:
    world = routed_world()
    route(world)["metadata"]["generation"] = 2
    says(world, "ResolvedRefs", "False", observedGeneration=1)
    assert world.condition("Ready") == ("True", "Serving")
    says(world, "ResolvedRefs", "False", observedGeneration=2)
    assert world.condition("Ready") == ("False", "RouteNotAccepted")


def test_a_candidate_behind_a_rejected_route_waits_and_says_why() -> None:
    """The weight that is asked for is not what anybody gets."""
    world = routed_world()
    train(world)
    says(world, "Accepted", "False")
    watch(world, 900)
    assert world.selected == "1"
    assert (reached(world), weights(world)) == (0, {"heart": 90, "heart-candidate": 10})
    assert "Gateway public does not take HTTPRoute heart" in world.message("Progressing")
    says(world, "Accepted", "True")
    world.sample = GOOD
    watch(world, 900)
    assert world.selected == "2"
    assert world.condition("Ready") == ("True", "Serving")
