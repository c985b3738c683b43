"""Several models under one host by their Ingresses: a real ingress controller carries requests to real servers.

The servers are processes of `heart_serving` with the paths of the ConfigMap that the operator wrote; their place
among a Service's endpoints is played.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from hack.cluster.paths import gateway_dir
from hack.cluster.ports import free_port
from heart_api.handover import PATHS_FILE, Env
from heart_api.kube.kinds import BY_NAME
from heart_api.names import auth_config_name
from tests.api.conftest import CLUSTER, ROOT, Kubectl
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.endpoints import publish
from tests.support.apiserver.gateway import Gateway, assigned, ingress_class, running
from tests.support.apiserver.world import PROFILES, World
from tests.support.serving.app import environment, start
from tests.support.serving.tiny_model import tiny_model
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(not SOAK, reason="compiles an ingress controller: in make test-soak"),
    pytest.mark.skipif(os.geteuid() != 0, reason="gives the loopback interface addresses: needs root"),
    pytest.mark.timeout(1800),
]

CONFIG_MAP, INGRESS = BY_NAME[("v1", "ConfigMap")], BY_NAME[("networking.k8s.io/v1", "Ingress")]
CLASS = "public"
ADDRESSES = {"iris": "192.0.2.11", "housing": "192.0.2.12"}
"""By model; the range is for examples and nobody's."""


@pytest.fixture(scope="module")
def entrance(kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A controller that serves the Ingresses of one class."""
    subprocess.run((*CLUSTER, "build", "--gateway"), cwd=ROOT, check=True)
    log = tmp_path_factory.mktemp("ingress") / "traefik.log"
    with running(gateway_dir() / "bin" / "traefik", kubectl.kubeconfig, log) as found:
        done = kubectl("apply", "-f", "-", stdin=ingress_class(CLASS))
        assert done.returncode == 0, done.stderr
        yield found


@contextmanager
def server(world: World, name: str, folder: Path) -> Iterator[str]:
    """A serving pod's process with the paths that the operator gives it; yields its URL."""
    model, address, port = tiny_model(), ADDRESSES[name], free_port()
    paths = folder / PATHS_FILE
    paths.write_text(world.child(CONFIG_MAP, auth_config_name(name))["data"][PATHS_FILE])
    own = {Env.MODEL_NAME: name, Env.PATHS_FILE: str(paths), "HEARTOPS_HOST": address}
    process = start(environment(model.write(folder), model.sha256, port, **own), folder / "server.log")
    try:
        url = f"http://{address}:{port}"
        poll(f"{name} answers", lambda: is_ready(url), 60)
        yield url
    finally:
        process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@dataclass(frozen=True)
class Users:
    """Of the models at one host."""

    entrance: Gateway
    host: str

    def ask(self, path: str) -> httpx.Response:
        return self.entrance.ask(self.host, path)

    def post(self, path: str, body: object) -> httpx.Response:
        url = f"http://127.0.0.1:{self.entrance.port}{path}"
        return httpx.post(url, json=body, headers={"Host": self.host}, timeout=10)


@pytest.fixture
def users(world: World, entrance: Gateway, tmp_path: Path) -> Iterator[Users]:
    """Of two models at one host, which no other test has, at `/predict/NAME`."""
    found = Users(entrance, f"{world.namespace}.example.org")
    routes = {"ingressClasses": [CLASS, "nobodys"], "hosts": [found.host]}
    world.profiles.write_text(json.dumps({"default": PROFILES["default"] | {"routes": routes}}))
    with world.start(), ExitStack() as stack:
        urls = {}
        for name, address in ADDRESSES.items():
            stack.enter_context(assigned(address))
            world.create(name, serving={"replicas": 1, "ingress": ingress(found.host, name)})
            world.wait_serving("1", name, 60)
            (tmp_path / name).mkdir()
            urls[name] = stack.enter_context(server(world, name, tmp_path / name))
        poll("both models are reached", lambda: all(list(reached(world, found, urls))), 60)
        yield found


def ingress(host: str, name: str, class_name: str = CLASS) -> Resource:
    return {"className": class_name, "host": host, "path": f"/predict/{name}"}


def reached(world: World, users: Users, urls: Mapping[str, str]) -> Iterator[bool]:
    for name, url in urls.items():
        publish(world, name, {"1": url})
        yield users.ask(f"/predict/{name}/health").status_code == 200


def test_each_model_answers_at_its_path(users: Users) -> None:
    for name in ADDRESSES:
        card = users.ask(f"/predict/{name}/model").json()
        assert card["name"] == name
        answer = users.post(f"/predict/{name}", card["examples"][0])
        assert (answer.status_code, answer.json()["model_version"]) == (200, card["version"])
        assert users.ask(f"/predict/{name}/openapi.json").json()["servers"][0] == {"url": f"/predict/{name}"}
    assert users.ask("/predict/others").status_code == 404
    assert users.entrance.ask("elsewhere.example.org", "/predict/iris/health").status_code == 404


def test_no_model_answers_for_another_or_shows_what_is_the_platforms(users: Users) -> None:
    paths = ("iris/metrics", "iris/artifacts/x", "iris/predict/housing", "irises")
    assert {path: users.ask(f"/predict/{path}").status_code for path in paths} == dict.fromkeys(paths, 404)


def test_the_controller_is_the_one_whose_class_the_model_names(users: Users, world: World) -> None:
    assert world.child(INGRESS, "iris")["spec"]["ingressClassName"] == CLASS
    world.edit({"serving": {"ingress": ingress(users.host, "iris", "nobodys")}}, "iris")
    poll("the controller lets go of it", lambda: users.ask("/predict/iris/health").status_code == 404, 60)
    assert users.ask("/predict/housing/health").status_code == 200
