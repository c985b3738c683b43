"""An A/B experiment on a node: users in two groups, the outcomes that they report, and the version that wins.

In the chart's own namespace, whose Secret names the prediction log's database.
"""

import json
import random
from collections.abc import Iterator

import pytest

from tests.e2e.kit import HTTP, ROOT, SYSTEM, TRAINING, Model, declare, eventually, example, kubectl
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not SOAK, reason="three minutes: in make test-soak"),
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


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    """Version 1 serves, and version 2 has its pods and its users."""
    manifest = example("iris", SYSTEM)
    manifest["metadata"]["name"] = NAME
    manifest["spec"]["serving"] = {"replicas": 2}
    manifest["spec"]["rollout"] |= {"experiment": EXPERIMENT, "analysis": {"interval": "5s", "maxPredictionShift": 10}}
    found = declare(manifest)
    try:
        found.wait_serving("1", TRAINING)
        kubectl("annotate", "heartmodel", NAME, "-n", SYSTEM, "heartops.dev/retrain=second")
        eventually(lambda: candidate(found).get("phase") == "Experimenting", TRAINING, "an experiment with version 2")
        yield found
    finally:
        kubectl("delete", "heartmodel", NAME, "-n", SYSTEM, "--ignore-not-found")


def candidate(model: Model) -> dict[str, object]:
    found: dict[str, object] = model.status.get("candidate", {})
    return found


def ask(model: Model, proxy: str, user: str) -> dict[str, str]:
    """The answer, and the version that gave it."""
    headers = {"X-User-Id": user} if user else {}
    reply = HTTP.post(f"{model.address(proxy)}/predict", json=FLOWER, headers=headers).raise_for_status()
    return reply.json() | {"version": reply.headers["x-model-version"]}


def versions(model: Model, proxy: str) -> dict[str, str]:
    return {user: ask(model, proxy, user)["version"] for user in USERS}


def test_a_user_stays_with_one_version_and_strangers_get_the_stable_one(model: Model, proxy: str) -> None:
    eventually(lambda: set(versions(model, proxy).values()) == {"1", "2"}, SETTLED, "both versions to answer users")
    eventually(lambda: settled(model, proxy), SETTLED, "every pod to know of the experiment")
    before = versions(model, proxy)
    assert 10 < list(before.values()).count("2") < 50
    assert versions(model, proxy) == before
    assert {ask(model, proxy, "")["version"] for _ in range(20)} == {"1"}


def settled(model: Model, proxy: str) -> bool:
    """Whether two rounds in a row, by whatever pods, agree."""
    return versions(model, proxy) == versions(model, proxy)


def test_the_version_whose_predictions_come_true_takes_over(model: Model, proxy: str) -> None:
    chance = random.Random(7)

    def promoted() -> bool:
        told = [outcome(ask(model, proxy, user), chance) for user in USERS]
        for one in told:
            HTTP.post(f"{model.address(proxy)}/feedback", json=one).raise_for_status()
        return model.status["serving"]["version"] == "2"

    eventually(promoted, SETTLED * 2, "version 2 to win")
    assert model.status["history"][-1]["reason"] == "Promoted"
    assert {ask(model, proxy, user)["version"] for user in USERS[:10]} == {"2"}


def outcome(answer: dict[str, str], chance: random.Random) -> dict[str, str]:
    """What a user reports: that the prediction came true, or another species."""
    said = answer["label"]
    others = [species for species in SPECIES if species != said]
    true = said if chance.random() < RIGHT[answer["version"]] else chance.choice(others)
    return {"request_id": answer["request_id"], "proof": answer["proof"], "outcome": true}
