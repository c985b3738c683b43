"""Trainings that Kueue starts and Kubeflow Trainer carries out: their real controllers on a real API server.

Pods are made by the Job controller, of what Trainer and JobSet wrote; a fake kubelet ends them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hack.cluster.paths import queueing_dir
from heart_api.handover import TrainingFailure, TrainingOutcome, TrainingRequest
from heart_api.kube.kinds import JOB, POD, TRAIN_JOB
from heart_api.names import Label
from tests.api.conftest import ROOT, Kubectl, install_part, render_part
from tests.api.test_workers import SEVERAL
from tests.support.apiserver.client import KubeApi, Resource, poll
from tests.support.apiserver.fake_kubelet import failing
from tests.support.apiserver.queueing import Queue, controllers
from tests.support.apiserver.world import OPERATOR_NAMESPACE, PROFILES, World
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.api,
    pytest.mark.skipif(not SOAK, reason="compiles Kueue, JobSet and Kubeflow Trainer: in make test-soak"),
    pytest.mark.skipif(os.geteuid() != 0, reason="makes a mount namespace: needs root"),
    pytest.mark.timeout(1800),
]

RUNTIME = ROOT / "examples/kubeflow/training-runtime.yaml"
RIGHTS = ("runtimes.default.training.trainJob.runtime=heartops", "runtimes.default.training.queueName=trainings")
QUEUE, BY_TRAINER = {"queueName": "trainings"}, {"trainJob": {"runtime": "heartops"}}
LOST = TrainingOutcome(failure=TrainingFailure(reason="TrainingInterrupted", message="worker 1 was lost"))


@pytest.fixture(scope="module")
def queueing(
    api_server: Path,
    kubectl: Kubectl,
    kube_api: KubeApi,
    tools: Path,
    operator_account: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """The controllers run, the example's runtime is there, and the operator has the rights that the chart gives."""
    subprocess.run((sys.executable, "-m", "hack.cluster", "build", "--queueing"), cwd=ROOT, check=True)
    with controllers(kube_api, api_server, queueing_dir(), tmp_path_factory.mktemp("queueing")):
        rights = render_part(tools, OPERATOR_NAMESPACE, "rbac.yaml", settings=RIGHTS)
        assert kubectl("apply", "--server-side", "-f", "-", stdin=rights).returncode == 0
        poll("the runtime", lambda: kubectl("apply", "-f", str(RUNTIME)).returncode == 0, seconds=60)
        yield
        install_part(kubectl, tools, "rbac.yaml")


@pytest.fixture
def queue(queueing: None, world: World, kube_api: KubeApi) -> Iterator[Queue]:
    """A queue without room, which the world's namespace may use."""
    found = Queue(kube_api, world.namespace)
    yield found
    found.remove()


def use(world: World, **training: Any) -> None:
    world.profiles.write_text(json.dumps({"default": PROFILES["default"] | {"training": training}}))


def train_jobs(world: World) -> list[Resource]:
    return world.api.list(TRAIN_JOB, world.namespace)


def test_a_job_waits_for_quota_and_says_what_kueue_says(world: World, queue: Queue) -> None:
    use(world, **QUEUE)
    with world.start():
        world.create()
        world.wait_condition("Trained", "Unknown", "TrainingPending")
        poll("Kueue's reason", lambda: "insufficient quota" in world.condition("Trained")["message"], seconds=60)
        message = world.condition("Trained")["message"]
        assert "waits until the queue trainings admits it (Kueue: couldn't assign flavors" in message
        assert not world.api.list(POD, world.namespace, Label.MODEL)
        queue.make_room()
        world.wait_serving("1", seconds=60)


def test_a_queue_that_does_not_exist_is_named(world: World, queueing: None) -> None:
    use(world, queueName="elsewhere")
    with world.start():
        world.create()
        poll("its name", lambda: "(Kueue: LocalQueue elsewhere doesn't exist" in str(world.status()), seconds=60)


def test_a_train_job_trains_on_two_workers(world: World, queueing: None) -> None:
    use(world, **BY_TRAINER)
    with world.start(train_jobs=True):
        world.create(**SEVERAL)
        world.wait_serving("1", seconds=90)
        (found,) = train_jobs(world)
        assert not world.jobs(), "a TrainJob in place of a Job"
        assert found["spec"]["runtimeRef"]["name"] == yaml.safe_load(RUNTIME.read_text())["metadata"]["name"]
        assert "Complete" in {entry["type"] for entry in found["status"]["conditions"] if entry["status"] == "True"}
        made = [pod for pod in world.api.list(POD, world.namespace, Label.MODEL) if Label.POD_INDEX in labels(pod)]
        assert sorted(labels(pod)[Label.POD_INDEX] for pod in made) == ["0", "1"]
        variables = {entry["name"]: entry.get("value") for entry in made[0]["spec"]["containers"][0]["env"]}
        name = found["metadata"]["name"]
        assert variables["DMLC_TRACKER_URI"] == f"{name}-node-0-0.{name}"
        assert variables["DMLC_NUM_WORKER"] == "2"
        (record,) = [entry for entry in world.status()["jobs"] if entry["name"] == name]
        assert record["uid"] == found["metadata"]["uid"]
        assert record["template"]
    assert world.audit.forbidden() == []


def labels(item: Resource) -> dict[str, str]:
    found: dict[str, str] = item["metadata"].get("labels") or {}
    return found


def test_a_queued_train_job_is_started_by_kueue(world: World, queue: Queue) -> None:
    use(world, **QUEUE, **BY_TRAINER)
    with world.start(train_jobs=True):
        world.create(**SEVERAL)
        poll("Kueue's reason", lambda: "insufficient quota" in str(world.condition("Trained")), seconds=60)
        assert train_jobs(world)[0]["spec"]["suspend"] is True
        queue.make_room()
        world.wait_serving("1", seconds=90)


def test_a_lost_worker_is_followed_by_another_train_job(world: World, queueing: None) -> None:
    begun: list[str] = []
    train = world.kubelet.train

    def lost_once(request: TrainingRequest) -> TrainingOutcome | None:
        begun.append(request.job)
        return LOST if len(set(begun)) == 1 else train(request)

    world.kubelet.train = lost_once
    use(world, **BY_TRAINER)
    with world.start(train_jobs=True):
        world.create(**SEVERAL)
        world.wait_serving("1", seconds=120)
        assert len(train_jobs(world)) == 2


def test_bad_data_ends_a_train_job_for_good(world: World, queueing: None) -> None:
    world.kubelet.train = failing("DataInvalid", "part-1.parquet, row group 3 of 3: 1 cells break the data contract")
    use(world, **BY_TRAINER)
    with world.start(train_jobs=True):
        world.create(**SEVERAL)
        world.wait_condition("Trained", "False", "DataInvalid")
        assert len(train_jobs(world)) == 1


def test_an_edited_train_job_is_not_believed(world: World, queue: Queue) -> None:
    """A tenant who may edit TrainJobs replaces the patch of a suspended one, in two steps; Trainer admits both."""
    use(world, **QUEUE, **BY_TRAINER)
    with world.start(train_jobs=True):
        world.create(**SEVERAL)
        (found,) = poll("a TrainJob", lambda: train_jobs(world))
        name, patches = found["metadata"]["name"], found["spec"]["runtimePatches"]
        poll("the record", lambda: name in str(world.status().get("jobs")))
        spec = patches[0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]
        spec["template"]["spec"]["volumes"].append({"name": "evil", "emptyDir": {}})
        for value in (None, patches):
            world.api.patch(TRAIN_JOB, world.namespace, name, {"spec": {"runtimePatches": value}})
        poll(
            "another one", lambda: [it for it in train_jobs(world) if it["metadata"]["uid"] != found["metadata"]["uid"]]
        )
        queue.make_room()
        world.wait_serving("1", seconds=90)


def test_without_trainer_the_profile_is_reported(world: World) -> None:
    use(world, **BY_TRAINER)
    with world.start():
        world.create(**SEVERAL)
        world.wait_condition("Ready", "False", "InvalidSpec")
        assert "Kubeflow Trainer is not installed" in world.condition("Ready")["message"]
        assert not world.api.list(JOB, world.namespace)
