"""Values of patients and secrets in addresses, put wherever a person or a pod can put them, show up nowhere else."""

import json
import logging

import pytest

from heart_api.handover import TrainingRequest
from heart_api.kube.kinds import EVENT, POD
from heart_api.names import Component, Label
from tests.support.apiserver.client import poll
from tests.support.apiserver.fake_kubelet import container
from tests.support.apiserver.running_operator import RunningOperator
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api

MARKER = "zq7marker"
MARKED = {
    "dataset": {
        "uri": f"https://{MARKER}:{MARKER}@example.org/heart.csv?signature={MARKER}",
        "missingValues": [MARKER],
    },
    "features": [
        {"name": "age", "type": "number", "description": MARKER, "unit": MARKER},
        {"name": "sex", "type": "category", "values": [f"{MARKER}-a", f"{MARKER}-b"], "sensitive": True},
    ],
    "target": {"name": "num", "positiveAbove": 0, "labels": ["no", f"{MARKER}"], "description": MARKER},
}


def leaks(world: World, operator: RunningOperator, logs: str) -> list[str]:
    """Where the marker shows."""
    told = {
        "log": logs,
        "events": json.dumps(world.api.list(EVENT, world.namespace)),
        "status": json.dumps(world.status()),
        "metrics": operator.metrics(),
    }
    return [where for where, text in told.items() if MARKER in text]


def test_marked_inputs_stay_in_the_spec(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    requests: list[TrainingRequest] = []

    def train(request: TrainingRequest):
        requests.append(request)
        return world.registry.train(request)

    world.kubelet.train = train
    with world.start() as operator:
        world.create(**MARKED)
        world.wait_serving("1")
        world.kubelet.fates["2"] = "crash"
        world.edit({"training": {"seed": 7}, "rollout": {"readyDeadline": "2s"}})
        world.wait_condition("RolloutSucceeded", "False", "ReadyDeadlineExceeded", seconds=40)
        assert all(MARKER in request.model_dump_json() for request in requests), "it must reach the training"
        assert "created Deployment" in caplog.text, "the log must be looked at"
        assert leaks(world, operator, caplog.text) == []


def test_the_messages_of_a_broken_training_are_not_passed_on(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    world.kubelet.train = lambda request: None
    with world.start() as operator:
        world.create(training={"backoffLimit": 0})
        selector = f"{Label.COMPONENT}={Component.TRAINING}"
        pod = poll("a training pod", lambda: world.api.list(POD, world.namespace, selector))[0]
        words = f"Traceback (most recent call last): ValueError: could not convert {MARKER!r}"
        ended = {"terminated": {"exitCode": 1, "reason": "Error", "message": words}}
        status = {"phase": "Failed", "message": words, "containerStatuses": [container("trainer", ended)]}
        world.api.patch(POD, world.namespace, pod["metadata"]["name"], {"status": status}, "status")
        world.wait_condition("Trained", "False", seconds=40)
        assert leaks(world, operator, caplog.text) == []
