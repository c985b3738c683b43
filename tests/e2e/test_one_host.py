"""Several models under one host name, each at its own path.

The node has no ingress controller: one is played here, which reads the living Ingresses and passes paths on unchanged,
as the API says.
"""

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.e2e.kit import HTTP, ROOT, TRAINING, Model, declare, eventually, example, items
from tests.e2e.release import ENTRANCE, PUBLIC_HOST

pytestmark = pytest.mark.timeout(600)

FLOWERS = json.loads((ROOT / "examples/iris/requests/predict.json").read_text())
LABELS = {"iris": ["setosa", "versicolor", "virginica"], "flowers": ["first", "second", "third"]}


@dataclass(frozen=True)
class Entrance:
    """An ingress controller for one namespace."""

    namespace: str
    proxy: str

    def ask(self, path: str, body: Any = None) -> httpx.Response:
        """By the longest path of the host's Ingresses; 404 where there is none."""
        service = self.backend(path)
        if not service:
            return httpx.Response(404)
        url = f"{self.proxy}/api/v1/namespaces/{self.namespace}/services/{service}:http/proxy{path}"
        return HTTP.get(url) if body is None else HTTP.post(url, json=body)

    def backend(self, path: str) -> str:
        rules = [rule for entry in items("ingresses", "-n", self.namespace) for rule in entry["spec"]["rules"]]
        paths = [found for rule in rules if rule["host"] == PUBLIC_HOST for found in rule["http"]["paths"]]
        matching = [found for found in paths if f"{path}/".startswith(f"{found['path'].rstrip('/')}/")]
        best = max(matching, key=lambda found: len(found["path"]), default=None)
        return best["backend"]["service"]["name"] if best else ""


@pytest.fixture(scope="module")
def entrance(namespace: str, proxy: str) -> Entrance:
    """In front of two models, `/predict/iris` and `/predict/flowers`."""
    models = [at_path(name, namespace) for name in LABELS]
    for model in models:
        model.wait_serving("1", TRAINING)
    return Entrance(namespace, proxy)


def at_path(name: str, namespace: str) -> Model:
    manifest = example("iris", namespace)
    manifest["metadata"]["name"] = name
    manifest["spec"]["target"]["labels"] = LABELS[name]
    manifest["spec"]["serving"] = {"replicas": 1, "ingress": ingress(f"/predict/{name}")}
    return declare(manifest)


def ingress(path: str) -> dict[str, str]:
    return {"className": ENTRANCE, "host": PUBLIC_HOST, "path": path}


def test_each_model_answers_at_its_path(entrance: Entrance) -> None:
    for name, labels in LABELS.items():
        reply = entrance.ask(f"/predict/{name}", FLOWERS).raise_for_status()
        assert [answer["label"] for answer in reply.json()["predictions"]] == labels
        assert entrance.ask(f"/predict/{name}/model").json()["name"] == name
        document = entrance.ask(f"/predict/{name}/openapi.json").json()
        assert document["servers"][0] == {"url": f"/predict/{name}"}
    assert entrance.ask("/predict/others", FLOWERS).status_code == 404


def test_what_is_the_platforms_is_not_found_below_a_path(entrance: Entrance) -> None:
    for path in ("metrics", "artifacts/x", "predict/iris/health"):
        assert entrance.ask(f"/predict/iris/{path}").status_code == 404


def test_running_pods_follow_a_change_of_the_path(entrance: Entrance) -> None:
    iris = Model(entrance.namespace, "iris")
    before = iris.pods("1")
    iris.patch(serving={"ingress": ingress("/plants/iris")})
    eventually(
        lambda: entrance.ask("/plants/iris/predict", FLOWERS).status_code == 200, 120, "an answer at the new path"
    )
    assert entrance.ask("/predict/iris", FLOWERS).status_code == 404
    assert iris.pods("1") == before


def test_an_address_is_one_models(entrance: Entrance) -> None:
    flowers, iris = Model(entrance.namespace, "flowers"), Model(entrance.namespace, "iris")
    living = sorted((model.get()["metadata"]["creationTimestamp"], model.name, model) for model in (flowers, iris))
    older, newer = living[0][2], living[1][2]
    newer.patch(serving={"ingress": older.get()["spec"]["serving"]["ingress"]})
    found = newer.wait("Ready", "False", 60, reason="InvalidSpec")
    assert f"the HeartModel {older.name} is at {PUBLIC_HOST}" in found["message"]
