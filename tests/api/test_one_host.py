"""The HTTPRoutes of examples/one-host: a real gateway controller carries requests for two models at one host.

The pods are played: for those of each model a server answers with the path that it was asked for. The Ingresses are
tested in test_ingress.py and tests/e2e/test_one_host.py.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml

from hack.cluster.paths import gateway_dir
from tests.api.conftest import CLUSTER, ROOT, Kubectl
from tests.support.apiserver.client import poll
from tests.support.apiserver.endpoints import publish
from tests.support.apiserver.gateway import Gateway, answering, gateway_objects, running
from tests.support.apiserver.world import PROFILES, World
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(not SOAK, reason="compiles a gateway controller: in make test-soak"),
    pytest.mark.skipif(os.geteuid() != 0, reason="gives the loopback interface addresses: needs root"),
    pytest.mark.timeout(1800),
]

ADDRESSES = {"iris": "192.0.2.13", "housing": "192.0.2.14"}
"""By model, and no other test's; the range is for examples and nobody's."""
HOST = "models.example.org"


def example(name: str) -> dict[str, Any]:
    """`spec.serving` of the patch."""
    patch: dict[str, Any] = yaml.safe_load((ROOT / "examples/one-host" / f"{name}-gateway.yaml").read_text())
    return patch["spec"]["serving"]


@pytest.fixture(scope="module")
def entrance(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A controller that takes the HTTPRoutes of the example."""
    subprocess.run((*CLUSTER, "build", "--gateway"), cwd=ROOT, check=True)
    log = tmp_path_factory.mktemp("entrance") / "traefik.log"
    with running(gateway_dir() / "bin" / "traefik", kubectl.kubeconfig, log) as found:
        taken = {"apiVersion": "v1", "kind": "List", "items": gateway_objects(found.port)}
        done = kubectl("apply", "-f", "-", stdin=taken)
        assert done.returncode == 0, done.stderr
        yield found


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, str]]:
    """The URL of each model's server."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(answering(name, address)) for name, address in ADDRESSES.items()}


def answer(entrance: Gateway, path: str) -> tuple[str, str] | None:
    """Whose server answers, and which path it sees."""
    reply = entrance.ask(HOST, path)
    return (reply.json()["version"], reply.json()["path"]) if reply.status_code == 200 else None


def allow(world: World) -> None:
    """What an administrator lists for the example (`runtimes.default.routes` of the chart)."""
    routes = {"gateways": ["gateways/public"], "hosts": [HOST]}
    world.profiles.write_text(json.dumps({"default": PROFILES["default"] | {"routes": routes}}))


def serve(world: World, servers: dict[str, str]) -> None:
    """Both models, each at the address of the example."""
    for name, url in servers.items():
        world.create(name, serving={"replicas": 1} | example(name))
        world.wait_serving("1", name)
        poll(f"pods of {name}", lambda name=name, url=url: publish_and_see(world, name, url), 30)


def publish_and_see(world: World, service: str, url: str) -> bool:
    publish(world, service, {"1": url})
    return True


def test_an_http_route_leads_each_path_to_its_model(world: World, entrance: Gateway, servers: dict[str, str]) -> None:
    """The Gateway cuts the path off, and `/predict/NAME` itself becomes `/predict`."""
    allow(world)
    with world.start():
        serve(world, servers)
        for name in ADDRESSES:
            poll(
                f"an answer of {name}", lambda name=name: answer(entrance, f"/predict/{name}") == (name, "/predict"), 30
            )
            assert answer(entrance, f"/predict/{name}/explain") == (name, "/explain")
        assert answer(entrance, "/predict/others") is None
