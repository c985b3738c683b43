"""Whose requests reach a candidate's pods, at each step of its rollout."""

from heart_api.names import Component, Label
from heart_api.profile import RuntimeProfile
from tests.support.plan.samples import GOOD
from tests.support.plan.world import PROFILE, World, bring_up, serving_world, watch
from tests.support.policies import NAME, Pod, admits, pod
from tests.unit.heart_operator.plan.rollout.test_route import ROLLOUT, ROUTE, train

PREDICTIONS = 8080
NAMED = RuntimeProfile.model_validate(
    PROFILE.dump() | {"ingressNamespaces": ["envoy"], "monitoringNamespaces": ["ops"]}
)


def callers(world: World, version: str, port: int = PREDICTIONS) -> set[str]:
    """Which of these may connect to a pod of the version."""
    here = world.model.namespace
    labels = {Label.MODEL: "heart", Label.COMPONENT: Component.SERVING, Label.MODEL_VERSION: version}
    sources = {
        "a pod of the namespace": pod(here, app="ward"),
        "another namespace": pod("elsewhere", app="ward"),
        "the gateway": pod("envoy"),
        "monitoring": pod("ops"),
        "the other version": Pod(here, labels | {Label.MODEL_VERSION: "0"}, {NAME: here}),
    }
    policies = [child for key, child in world.children.items() if key.kind == "NetworkPolicy"]
    target = Pod(here, labels, {NAME: here})
    return {name for name, source in sources.items() if admits(policies, source, target, port)}


EVERYBODY = {"a pod of the namespace", "the gateway", "the other version"}
PLATFORM = {"the gateway", "the other version"}


def started(**spec: object) -> World:
    world = serving_world()
    world.kinds = world.kinds | {"HTTPRoute"}
    world.profile = NAMED
    world.merge_spec(spec)
    bring_up(world)
    world.sample = GOOD
    return world


def test_behind_a_gateway_only_the_gateway_reaches_it() -> None:
    world = started(rollout=ROLLOUT, serving={"replicas": 3, "route": ROUTE})
    train(world)
    assert world.model.status.candidate is not None
    assert callers(world, "2") == PLATFORM
    assert callers(world, "1") == EVERYBODY
    assert callers(world, "2", 8081) == {"monitoring", "the other version"}
    watch(world, 900)
    assert world.selected == "2"
    assert callers(world, "2") == EVERYBODY


def test_while_only_copies_come_callers_do_not_reach_it() -> None:
    rollout = {**ROLLOUT, "steps": [{"pause": {}}, {"setWeight": 50}, {"pause": {}}], "mirror": {"percent": 20}}
    world = started(rollout=rollout, serving={"replicas": 2})
    train(world)
    assert callers(world, "2") == {"the other version"}
    assert world.child("Service", "heart-candidate")
    world.submit("promote", "2")
    bring_up(world)
    assert world.answering == {"1", "2"}
    assert callers(world, "2") == EVERYBODY


def test_by_replica_ratio_it_is_open_before_the_service_sends_anybody() -> None:
    rollout = {**ROLLOUT, "steps": [{"setWeight": 50}, {"pause": {}}]}
    world = started(rollout=rollout, serving={"replicas": 2})
    world.retrain("x")
    world.settle()
    world.finish_job()
    world.settle()
    assert world.answering == {"1"}
    assert "a pod of the namespace" in callers(world, "2")
    world.start_pods()
    world.settle()
    assert world.answering == {"1", "2"}
    assert world.child("Service", "heart-candidate") is None, "nothing uses it"


def test_nobody_calls_across_namespaces_unless_it_is_said() -> None:
    world = started(serving={"replicas": 1})
    assert callers(world, "1") == EVERYBODY
    world.merge_spec({"serving": {"callers": [{"namespaceSelector": {"matchLabels": {NAME: "elsewhere"}}}]}})
    world.settle()
    assert callers(world, "1") == {"another namespace", "the gateway", "the other version"}
