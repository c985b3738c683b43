"""Trainings on several pods on a real API server: the Job controller is real, and a fake kubelet ends the pods."""

import json

import pytest

from heart_api.handover import TrainingFailure, TrainingOutcome, TrainingRequest
from heart_api.kube.kinds import JOB, POD, SERVICE
from heart_api.names import Annotation, Label
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.fake_kubelet import failing
from tests.support.apiserver.world import PROFILES, World

pytestmark = pytest.mark.api

SEVERAL: Resource = {
    "dataset": {"uri": "pvc://cohorts/2024/", "format": "parquet"},
    "training": {"algorithms": ["xgboost"], "scale": {"mode": "Distributed", "workers": 2}},
}
LOST = TrainingOutcome(failure=TrainingFailure(reason="TrainingInterrupted", message="worker 1 was lost"))


def attempts(world: World) -> list[str]:
    """Of all training Jobs, in order."""
    annotations = (job["spec"]["template"]["metadata"]["annotations"] for job in world.jobs())
    return sorted(found[Annotation.ATTEMPT] for found in annotations)


def pods(world: World) -> list[Resource]:
    return [
        pod for pod in world.api.list(POD, world.namespace, Label.MODEL) if Label.POD_INDEX in pod["metadata"]["labels"]
    ]


def test_two_workers_train_one_version(world: World) -> None:
    with world.start():
        world.create(**SEVERAL)
        world.wait_serving("1")
        (job,) = world.jobs()
        assert (job["spec"]["completionMode"], job["spec"]["completions"]) == ("Indexed", 2)
        assert job["status"]["succeeded"] == 2
        found = pods(world)
        assert sorted(pod["metadata"]["labels"][Label.POD_INDEX] for pod in found) == ["0", "1"]
        for pod in found:
            names = [entry["name"] for entry in pod["spec"]["containers"][0]["env"]]
            assert names.count("JOB_COMPLETION_INDEX") == 1
        service = world.api.get(SERVICE, world.namespace, "heart-workers")
        assert service is not None
        assert service["spec"]["clusterIP"] == "None"


def test_a_lost_worker_ends_its_attempt_and_the_next_one_succeeds(world: World) -> None:
    begun: list[str] = []
    train = world.kubelet.train

    def lost_once(request: TrainingRequest) -> TrainingOutcome | None:
        begun.append(request.job)
        return LOST if len(begun) == 1 else train(request)

    world.kubelet.train = lost_once
    with world.start():
        world.create(**SEVERAL)
        world.wait_serving("1")
        assert attempts(world) == ["0", "1"]
        assert len(set(begun)) == 2, "each attempt is a Job of its own"
        assert world.status()["training"]["job"] == begun[1]
        first = world.api.get(JOB, world.namespace, begun[0])
        assert first is not None
        assert {c["reason"] for c in first["status"]["conditions"] if c["type"] == "Failed"} == {"BackoffLimitExceeded"}


def test_attempts_end_at_the_backoff_limit_and_survive_a_restart(world: World) -> None:
    world.kubelet.train = lambda request: LOST
    training = {**SEVERAL["training"], "backoffLimit": 1}
    with world.start():
        world.create(**{**SEVERAL, "training": training})
        poll("the first attempt", lambda: attempts(world)[:1] == ["0"])
    with world.start("operator-b"):
        world.wait_condition("Trained", "False", "TrainingInterrupted")
        assert attempts(world) == ["0", "1"]
        assert "worker 1 was lost" in world.condition("Trained")["message"]


def test_bad_data_ends_the_training_at_once(world: World) -> None:
    world.kubelet.train = failing("DataInvalid", "part-1.parquet, row group 3 of 3: 1 cells break the data contract")
    with world.start():
        world.create(**SEVERAL)
        world.wait_condition("Trained", "False", "DataInvalid")
        assert attempts(world) == ["0"]


def test_one_worker_again_removes_what_several_needed(world: World) -> None:
    with world.start():
        world.create(**SEVERAL)
        world.wait_serving("1")
        world.edit({"training": {"scale": {"mode": "External", "workers": None}}})
        poll("no Service", lambda: world.api.get(SERVICE, world.namespace, "heart-workers") is None)


def test_a_queued_training_waits_for_kueue(world: World) -> None:
    """Kueue itself does not run here: its part, admitting the Job, is played by the test."""
    queue = {"training": {"queueName": "trainings"}}
    world.profiles.write_text(json.dumps({"default": PROFILES["default"] | queue}))
    with world.start():
        world.create()
        job = poll("a suspended Job", world.jobs)[0]
        assert job["spec"]["suspend"] is True
        assert job["metadata"]["labels"][Label.QUEUE] == "trainings"
        poll("the controller's word", lambda: suspended(world))
        assert not world.api.list(POD, world.namespace, Label.MODEL)
        world.wait_condition("Trained", "Unknown", "TrainingPending")
        assert "until the queue trainings admits it" in world.condition("Trained")["message"]
        world.api.patch(JOB, world.namespace, job["metadata"]["name"], {"spec": {"suspend": False}})
        world.wait_serving("1")


def suspended(world: World) -> bool:
    conditions = world.jobs()[0].get("status", {}).get("conditions", [])
    return any(found["type"] == "Suspended" and found["status"] == "True" for found in conditions)
