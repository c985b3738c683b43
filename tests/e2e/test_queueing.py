"""Trainings that Kueue starts and Kubeflow Trainer carries out, in pods: all three controllers run beside the node."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.cluster.paths import queueing_dir
from tests.e2e.cohorts import parquet, two_workers, writer_of_claim
from tests.e2e.kit import RELEASE, ROOT, SYSTEM, TRAINING, Object, declare, example, items, kubectl, run_kubectl
from tests.e2e.profiles import host_address
from tests.e2e.release import helm_upgrade
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.queueing import Queue, controllers
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.outage,
    pytest.mark.skipif(not SOAK, reason="compiles three controllers, and changes the release; in make test-soak"),
    pytest.mark.skipif(host_address() is None, reason="the API server has to reach this machine"),
]

RUNTIME = ROOT / "examples/kubeflow/training-runtime.yaml"
QUEUED = "queued"
"""Runtime profile whose trainings wait in a queue; those on several workers are TrainJobs."""
TRAINING_OF = {"queueName": "trainings", "trainJob": {"runtime": "heartops"}}


@pytest.fixture(scope="module")
def api() -> Iterator[KubeApi]:
    found = KubeApi(Path(os.environ["KUBECONFIG"]))
    yield found
    found.close()


@pytest.fixture(scope="module")
def queueing(api: KubeApi, images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The controllers run, and the release has the profile."""
    subprocess.run((sys.executable, "-m", "hack.cluster", "build", "--queueing"), cwd=ROOT, check=True)
    kubeconfig, folder = Path(os.environ["KUBECONFIG"]), tmp_path_factory.mktemp("queueing")
    with controllers(api, kubeconfig, queueing_dir(), folder, host_address() or ""):
        poll("the runtime", lambda: run_kubectl("apply", "-f", RUNTIME).returncode == 0, seconds=60)
        use(images, {"training": TRAINING_OF})
        yield
        use(images, None)


def use(images: dict[str, str], profile: Object | None) -> None:
    helm_upgrade(images, "--reuse-values", "--set-json", f"runtimes.{QUEUED}={json.dumps(profile)}")
    kubectl("rollout", "status", f"deployment/{RELEASE}-operator", "-n", SYSTEM, "--timeout=180s")


@pytest.fixture(scope="module")
def queue(queueing: None, api: KubeApi, namespace: str) -> Iterator[Queue]:
    """Without room at first; the namespace's trainings wait in it."""
    found = Queue(api, namespace)
    yield found
    found.remove()


def test_a_training_waits_for_quota_and_then_serves(queue: Queue, namespace: str) -> None:
    manifest = example("iris", namespace)
    manifest["spec"] |= {"runtime": QUEUED, "training": {"tuning": {"trials": 0}}}
    model = declare(manifest)
    model.wait("Trained", "Unknown", 60, reason="TrainingPending")
    poll("Kueue's reason", lambda: "insufficient quota" in model.condition("Trained")["message"], seconds=60)
    assert not items("pods", "-n", namespace, "-l", f"heartops.dev/model={model.name}")
    queue.make_room()
    model.wait_serving("1", TRAINING)


def test_two_workers_of_a_train_job_train_the_model_that_serves(
    queue: Queue, namespace: str, images: dict[str, str]
) -> None:
    queue.make_room()
    writer_of_claim(namespace, images["serving"])("small/part-0.parquet", parquet(6_000))
    model = declare(two_workers(namespace, "workers", runtime=QUEUED))
    model.wait_serving("1", TRAINING)
    (found,) = items("trainjobs", "-n", namespace)
    assert "Complete" in {entry["type"] for entry in found["status"]["conditions"] if entry["status"] == "True"}
    made = [job for job in items("jobs", "-n", namespace) if job["metadata"]["ownerReferences"][0]["kind"] == "JobSet"]
    assert [(job["spec"]["completions"], job["status"]["succeeded"]) for job in made] == [(2, 2)]
    owners = [owner for load in items("workloads", "-n", namespace) for owner in load["metadata"]["ownerReferences"]]
    assert "TrainJob" in {owner["kind"] for owner in owners}, "Kueue has admitted it"
