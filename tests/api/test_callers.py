"""Which pods reach a model's, by the policies that the operator has made on a real API server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from heart_api.kube.kinds import BY_NAME, HEART_MODEL, SERVICE
from heart_api.names import Component, Label
from tests.api.test_attacks import answer, give_edit
from tests.support.apiserver.client import KubeApi, Resource, poll
from tests.support.apiserver.lifecycle import HELD, at_pause, retrain, submit
from tests.support.apiserver.world import PROFILES, World, model
from tests.support.policies import NAME, Pod, admits, pod

pytestmark = pytest.mark.api
POLICY = BY_NAME["networking.k8s.io/v1", "NetworkPolicy"]
HOME = "other-callers"
PREDICTIONS, GRPC, METRICS = 8080, 9000, 8081
ROUTE = {"gateway": {"name": "public", "namespace": "gateways"}, "hostnames": ["heart.example.org"]}


def reaches(world: World, source: Pod, version: str, port: int = PREDICTIONS) -> bool:
    labels = {Label.MODEL: "heart", Label.COMPONENT: Component.SERVING, Label.MODEL_VERSION: version}
    target = Pod(world.namespace, labels, {NAME: world.namespace})
    return admits(world.api.list(POLICY, world.namespace), source, target, port)


def named(world: World) -> None:
    """A profile that says where gateways and monitoring are."""
    places = {"ingressNamespaces": ["envoy"], "monitoringNamespaces": ["ops", "heartops"]}
    world.profiles.write_text(json.dumps({"default": PROFILES["default"] | places}))


@pytest.fixture(scope="module")
def mallory(api_server: Path, kube_api: KubeApi) -> Iterator[KubeApi]:
    """May edit a namespace of its own."""
    mallory = KubeApi(api_server, as_user="mallory")
    give_edit(kube_api, mallory, HOME)
    yield mallory
    mallory.close()


def test_another_tenants_pods_reach_no_model(world: World) -> None:
    """Whatever labels they and their namespace bear."""
    labels = {Label.MODEL: "heart", Label.COMPONENT: Component.SERVING, Label.PART_OF: "heartops"}
    disguised = Pod(HOME, labels, {NAME: HOME, "heartops.dev/namespace": world.namespace})
    named(world)
    with world.start():
        world.create()
        world.wait_serving("1")
        for port in (PREDICTIONS, GRPC, METRICS):
            assert not reaches(world, disguised, "1", port)
        assert reaches(world, pod(world.namespace, app="ward"), "1")
        assert not reaches(world, pod(world.namespace, app="ward"), "1", METRICS)
        assert reaches(world, pod("ops"), "1", METRICS)


OPEN = {"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]}}


def test_another_tenant_opens_no_policy(world: World, mallory: KubeApi) -> None:
    """Nor one that its own model makes: policies are about the pods of their namespace."""
    own = {"metadata": {"namespace": world.namespace, "name": "open"}, **OPEN}
    everybody = {"callers": [{"namespaceSelector": {}}], "replicas": 1}
    with world.start():
        world.create()
        world.wait_serving("1")
        place = world.namespace
        for method, path, body in (
            ("POST", POLICY.path(place), own),
            ("PATCH", POLICY.path(place, "heart-callers"), OPEN),
            ("DELETE", POLICY.path(place, "heart-callers"), None),
            ("PATCH", SERVICE.path(place, "heart-pods"), {"spec": {"selector": {}}}),
            ("PATCH", HEART_MODEL.path(place, "heart"), {"spec": {"serving": everybody}}),
        ):
            assert answer(mallory, method, path, body)[0] == 403, path
        mallory.create(POLICY, {"metadata": {"namespace": HOME, "name": "open"}, **OPEN})
        mallory.create(HEART_MODEL, model(HOME, "heart", serving=everybody))
        poll("its policy", lambda: world.api.get(POLICY, HOME, "heart-callers"))
        assert not reaches(world, pod(HOME), "1")
        world.api.delete(HEART_MODEL, HOME, "heart")


@pytest.mark.parametrize(
    ("caller", "says"),
    [
        ({}, "select namespaces, pods or both"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Near"}]}}, "operator"),
        ({"podSelector": {"matchExpressions": [{"operator": "Exists"}]}}, "key"),
        ({"ipBlock": {"cidr": "0.0.0.0/0"}}, "select namespaces, pods or both"),
    ],
)
def test_what_selects_nobody_is_rejected(mallory: KubeApi, caller: Resource, says: str) -> None:
    odd = model(HOME, "odd", serving={"callers": [caller]})
    status, found = answer(mallory, "POST", HEART_MODEL.path(HOME), odd, dryRun="All")
    assert (status, says in found["message"]) == (422, True), found


def test_a_candidate_is_asked_by_its_gateway_alone(world: World) -> None:
    named(world)
    with world.start():
        rollout = HELD | {"steps": [{"setWeight": 20}, {"pause": {}}]}
        world.create(rollout=rollout, serving={"replicas": 2, "route": ROUTE})
        world.wait_serving("1")
        retrain(world)
        at_pause(world)
        ward = pod(world.namespace, app="ward")
        poll("it is closed", lambda: not reaches(world, ward, "2"))
        assert reaches(world, ward, "1")
        assert reaches(world, pod("envoy"), "2")
        poll("its Service is there", lambda: world.api.get(SERVICE, world.namespace, "heart-candidate"))
        submit(world, "promote", "2")
        world.wait_serving("2")
        poll("it is open", lambda: reaches(world, ward, "2"))


def test_who_may_call_is_changed_while_pods_run(world: World) -> None:
    ward = {"namespaceSelector": {"matchLabels": {NAME: "wards"}}, "podSelector": {"matchLabels": {"app": "ward"}}}
    with world.start():
        world.create()
        world.wait_serving("1")
        assert not reaches(world, pod("wards", app="ward"), "1")
        world.edit({"serving": {"callers": [ward]}})
        poll("the ward is admitted", lambda: reaches(world, pod("wards", app="ward"), "1"))
        assert not reaches(world, pod("wards", app="other"), "1")
        assert not reaches(world, pod(world.namespace), "1")
        world.edit({"serving": {"callers": []}})
        poll("nobody is admitted", lambda: not reaches(world, pod("wards", app="ward"), "1"))
