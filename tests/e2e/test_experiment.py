"""An A/B experiment on a node: users in two groups, the outcomes that they report, and the version that wins.

In the chart's own namespace, whose Secret names the prediction log's database. Users come through the Service, and
through a real gateway controller on this machine, which reaches the pods of the cluster tool's node.
"""

import json
import os
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from hack.cluster.paths import gateway_dir
from tests.e2e.kit import HTTP, ROOT, SYSTEM, TRAINING, Model, apply, declare, eventually, example, kubectl
from tests.e2e.release import ROUTED_HOST
from tests.support.apiserver.gateway import GATEWAY, gateway_objects, running
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not SOAK, reason="three minutes, and compiles a gateway controller: in make test-soak"),
    pytest.mark.skipif("HEARTOPS_CLUSTER" not in os.environ, reason="needs a node whose pods this machine reaches"),
]

NAME = "ab-iris"
FLOWER = json.loads((ROOT / "examples/iris/requests/predict.json").read_text())[0]
SPECIES = ("setosa", "versicolor", "virginica")
USERS = [f"user-{number}" for number in range(60)]
SETTLED = 180
"""Seconds for the pods to hear of the experiment, and for the operator to hear of outcomes."""
RIGHT = {"1": 0.5, "2": 0.95}
"""How often each version's users say that its prediction came true."""
EXPERIMENT = {"duration": "2h", "by": {"header": "X-User-Id"}, "minDetectable": 0.1}


@dataclass(frozen=True)
class Entry:
    """A way in for users."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, path: str, body: object, user: str = "") -> httpx.Response:
        headers = self.headers | ({"X-User-Id": user} if user else {})
        return HTTP.post(f"{self.url}/{path}", json=body, headers=headers).raise_for_status()

    def ask(self, user: str) -> dict[str, str]:
        """The answer, and the version that gave it."""
        reply = self.send("predict", FLOWER, user)
        return reply.json() | {"version": reply.headers["x-model-version"]}

    def versions(self) -> dict[str, str]:
        return {user: self.ask(user)["version"] for user in USERS}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    subprocess.run(("python3", "-m", "hack.cluster", "build", "--gateway"), cwd=ROOT, check=True)
    log, kubeconfig = tmp_path_factory.mktemp("gateway") / "traefik.log", Path(os.environ["KUBECONFIG"])
    with running(gateway_dir() / "bin" / "traefik", kubeconfig, log) as controller:
        apply(*gateway_objects(controller.port))
        yield Entry(f"http://127.0.0.1:{controller.port}", {"Host": ROUTED_HOST})


@pytest.fixture(scope="module")
def model(gateway: Entry) -> Iterator[Model]:
    """Version 1 serves, and version 2 has its pods and its users."""
    manifest = example("iris", SYSTEM)
    manifest["metadata"]["name"] = NAME
    manifest["spec"]["serving"] = {"replicas": 2, "route": {"gateway": GATEWAY, "hostnames": [ROUTED_HOST]}}
    manifest["spec"]["rollout"] |= {"experiment": EXPERIMENT, "analysis": {"interval": "5s", "maxPredictionShift": 10}}
    found = declare(manifest)
    try:
        found.wait_serving("1", TRAINING)
        kubectl("annotate", "heartmodel", NAME, "-n", SYSTEM, "heartops.dev/retrain=second")
        eventually(lambda: candidate(found).get("phase") == "Experimenting", TRAINING, "an experiment with version 2")
        yield found
    finally:
        kubectl("delete", "heartmodel", NAME, "-n", SYSTEM, "--ignore-not-found")


@pytest.fixture(scope="module")
def service(model: Model, proxy: str) -> Entry:
    return Entry(model.address(proxy))


def candidate(model: Model) -> dict[str, object]:
    found: dict[str, object] = model.status.get("candidate", {})
    return found


def test_a_user_stays_with_one_version_and_strangers_get_the_stable_one(service: Entry) -> None:
    eventually(lambda: set(service.versions().values()) == {"1", "2"}, SETTLED, "both versions to answer users")
    eventually(lambda: service.versions() == service.versions(), SETTLED, "every pod to know of the experiment")
    before = service.versions()
    assert 10 < list(before.values()).count("2") < 50
    assert service.versions() == before
    assert {service.ask("")["version"] for _ in range(20)} == {"1"}


def test_a_user_gets_the_same_version_through_the_gateway(service: Entry, gateway: Entry) -> None:
    assert gateway.versions() == service.versions()
    assert {gateway.ask("")["version"] for _ in range(20)} == {"1"}


def test_the_version_whose_predictions_come_true_takes_over(model: Model, service: Entry, gateway: Entry) -> None:
    """Half of the users ask and report through the gateway."""
    chance = random.Random(7)
    entries = (service, gateway) * (len(USERS) // 2)

    def promoted() -> bool:
        for user, entry in zip(USERS, entries, strict=True):
            entry.send("feedback", outcome(entry.ask(user), chance))
        return model.status["serving"]["version"] == "2"

    eventually(promoted, SETTLED * 2, "version 2 to win")
    assert model.status["history"][-1]["reason"] == "Promoted"
    for entry in (service, gateway):
        eventually(lambda entry=entry: set(entry.versions().values()) == {"2"}, 30, "version 2 to answer every user")


def outcome(answer: dict[str, str], chance: random.Random) -> dict[str, str]:
    """What a user reports: that the prediction came true, or another species."""
    said = answer["label"]
    others = [species for species in SPECIES if species != said]
    true = said if chance.random() < RIGHT[answer["version"]] else chance.choice(others)
    return {"request_id": answer["request_id"], "proof": answer["proof"], "outcome": true}
