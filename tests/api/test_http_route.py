"""What users get by an HTTPRoute while a version is on its way: a real gateway controller carries their requests.

The pods are played: for the ready ones that a Service selects, a server of their version answers.
"""

import os
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from hack.cluster.paths import gateway_dir
from heart_api.kube.kinds import BY_NAME
from tests.api.conftest import CLUSTER, ROOT, Kubectl
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.endpoints import publish
from tests.support.apiserver.gateway import API, GATEWAY, Gateway, answering, gateway_objects, running
from tests.support.apiserver.lifecycle import HELD, retrain, submit
from tests.support.apiserver.world import World
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(not SOAK, reason="compiles a gateway controller: in make test-soak"),
    pytest.mark.skipif(os.geteuid() != 0, reason="gives the loopback interface addresses: needs root"),
    pytest.mark.timeout(1800),
]

HTTP_ROUTE = BY_NAME[(API, "HTTPRoute")]
CLOSED = {"name": "closed", "namespace": "gateways"}
"""Takes routes of its own namespace alone, which is the default."""
ADDRESSES = {"1": "192.0.2.1", "2": "192.0.2.2"}
"""By version; the range is for examples and nobody's."""
REQUESTS = 400
SLACK = 2
"""How many requests a share may be off: the gateway deals them out in turn, and a count may begin anywhere."""


@pytest.fixture(scope="module")
def gateway(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A controller with the Gateway of the documents."""
    subprocess.run((*CLUSTER, "build", "--gateway"), cwd=ROOT, check=True)
    log = tmp_path_factory.mktemp("gateway") / "traefik.log"
    with running(gateway_dir() / "bin" / "traefik", kubectl.kubeconfig, log) as gateway:
        done = kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": objects(gateway.port)})
        assert done.returncode == 0, done.stderr
        yield gateway


def objects(port: int) -> list[Resource]:
    """A Gateway that is open to the routes of every namespace, one that is not, and what they need."""
    listener = {"name": "web", "port": port, "protocol": "HTTP"}
    closed = {
        "apiVersion": API,
        "kind": "Gateway",
        "metadata": CLOSED,
        "spec": {"gatewayClassName": "here", "listeners": [listener]},
    }
    return [*gateway_objects(port), closed]


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The URL of each version's server."""
    with ExitStack() as stack:
        yield {version: stack.enter_context(answering(version, address)) for version, address in ADDRESSES.items()}


@dataclass(frozen=True)
class Users:
    """Of one model, at its host name."""

    world: World
    gateway: Gateway
    servers: Mapping[str, str]
    host: str

    def wait_weights(self, wanted: Mapping[str, int]) -> None:
        """Until the gateway deals requests out by these weights of versions."""
        by_url = {self.servers[version]: weight for version, weight in wanted.items()}

        def met() -> bool:
            for service in backends(self.world):
                publish(self.world, service, self.servers)
            return self.gateway.weights(self.world.namespace) == by_url

        poll(f"the gateway has the weights {wanted}", met, 30)

    def split(self, weights: Mapping[str, int]) -> Counter[str]:
        """Who answers their requests, once the gateway has these weights."""
        self.wait_weights(weights)
        return self.gateway.count(self.host, REQUESTS)


def backends(world: World) -> list[str]:
    """The Services that the route names."""
    rules = world.child(HTTP_ROUTE, "heart")["spec"]["rules"]
    return [backend["name"] for rule in rules for backend in rule["backendRefs"]]


def begin(users: Users, *weights: int, **route: str) -> None:
    """Version 1 serves, with a route that version 2 will take these shares of, pausing at each."""
    steps = [step for weight in weights for step in ({"setWeight": weight}, {"pause": {}})]
    routed = {"gateway": GATEWAY, "hostnames": [users.host], **route}
    users.world.create(rollout=HELD | {"steps": steps}, serving={"replicas": 2, "route": routed})
    users.world.wait_serving("1")


def at_pause(world: World, weight: int) -> None:
    def paused() -> bool:
        candidate = world.status().get("candidate", {})
        return (candidate.get("phase"), candidate.get("weight")) == ("Paused", weight)

    poll(f"the candidate pauses at {weight}%", paused, 30)


def accepted(world: World) -> dict[str, str]:
    """What the gateway says of the route."""
    parents = world.child(HTTP_ROUTE, "heart").get("status", {}).get("parents", ())
    return {entry["type"]: entry["status"] for parent in parents for entry in parent["conditions"]}


def test_every_step_gets_exactly_its_share(world: World, gateway: Gateway, servers: dict[str, str]) -> None:
    users = Users(world, gateway, servers, "heart.example.org")
    with world.start():
        begin(users, 1, 25, 50)
        assert users.split({"1": 100}) == {"1": REQUESTS}
        poll("the gateway takes the route", lambda: accepted(world) == {"Accepted": "True", "ResolvedRefs": "True"})
        world.settle()  # What the gateway writes into the route's status is no reason to write it again.
        retrain(world)
        for weight in (1, 25, 50):
            at_pause(world, weight)
            counted = users.split({"1": 100 - weight, "2": weight})
            print(f"asked for {weight}%: {counted['2']} of {counted.total()}")
            assert counted.total() == REQUESTS
            assert abs(counted["2"] - REQUESTS * weight / 100) <= SLACK
            submit(world, "promote", "2", id=f"after-{weight}")
        world.wait_serving("2")
        assert users.split({"2": 100}) == {"2": REQUESTS}
        submit(world, "rollback", "2")
        world.wait_serving("1")
        assert users.split({"1": 100}) == {"1": REQUESTS}


def test_an_aborted_version_is_asked_no_more(world: World, gateway: Gateway, servers: dict[str, str]) -> None:
    users = Users(world, gateway, servers, "aborted.example.org")
    with world.start():
        begin(users, 25)
        retrain(world)
        at_pause(world, 25)
        assert abs(users.split({"1": 75, "2": 25})["2"] - REQUESTS / 4) <= SLACK
        submit(world, "abort", "2")
        world.wait_condition("RolloutSucceeded", "False", "Aborted")
        assert users.split({"1": 100}) == {"1": REQUESTS}


def test_a_path_prefix_is_cut_off(world: World, gateway: Gateway, servers: dict[str, str]) -> None:
    users = Users(world, gateway, servers, "models.example.org")
    with world.start():
        begin(users, pathPrefix="/models/heart")
        users.wait_weights({"1": 100})
        assert gateway.ask(users.host, "/models/heart/v2/health/ready").json()["path"] == "/v2/health/ready"
        assert gateway.ask(users.host, "/models/heart").json()["path"] == "/"
        assert gateway.ask(users.host, "/models/heartache").status_code == 404
        assert gateway.ask("elsewhere.example.org", "/models/heart").status_code == 404


def test_the_name_below_predict_is_the_prediction_itself(
    world: World, gateway: Gateway, servers: dict[str, str]
) -> None:
    users = Users(world, gateway, servers, "named.example.org")
    with world.start():
        begin(users, pathPrefix="/predict/heart")
        users.wait_weights({"1": 100})
        assert gateway.ask(users.host, "/predict/heart").json()["path"] == "/predict"
        assert gateway.ask(users.host, "/predict/heart/health").json()["path"] == "/health"
        assert gateway.ask(users.host, "/predict/hearts").status_code == 404


def test_a_gateway_that_rejects_the_route_is_heard(world: World, gateway: Gateway) -> None:
    with world.start():
        world.create(serving={"replicas": 2, "route": {"gateway": CLOSED}})
        found = world.wait_condition("Ready", "False", "RouteNotAccepted", seconds=60)
        assert "Gateway closed does not take HTTPRoute heart (NotAllowedByListeners" in found["message"]
        assert world.condition("Available")["status"] == "True"
        world.edit({"serving": {"route": {"gateway": GATEWAY}}})
        world.wait_condition("Ready", "True", "Serving")
        assert world.event_reasons().count("RouteNotAccepted") == 1
