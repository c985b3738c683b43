"""Why nothing runs, as a person sees it: quotas, limits and admission are the API server's own, the rest is played."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from heart_api.kube.kinds import EVENT, JOB, POD
from heart_api.names import PART_OF, Label
from tests.support.apiserver.client import KubeApi, Resource, poll
from tests.support.apiserver.users import Person, make_person
from tests.support.apiserver.world import OPERATOR_NAMESPACE, World

pytestmark = pytest.mark.api
INSTALLATION_JOB = "heartops-secrets-1a2b3c4d"

SECONDS = 30
"""Far less than anybody waits; the controllers' own first tries are among them."""


def forbid(world: World, plural: str, kind: str, spec: Resource, namespace: str = "") -> None:
    """A ResourceQuota or LimitRange in the world's namespace, or in another one."""
    metadata = {"name": "small", "namespace": namespace or world.namespace}
    body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
    path = f"/api/v1/namespaces/{namespace or world.namespace}/{plural}"
    world.api.call("POST", path, body)
    if kind == "ResourceQuota":
        poll("the quota counts", lambda: world.api.call("GET", f"{path}/small").get("status", {}).get("hard"), SECONDS)


def training_pod(world: World) -> Resource:
    return poll("a training pod", lambda: world.api.list(POD, world.namespace, Label.MODEL), SECONDS)[0]


def pending(world: World, cause: str, *texts: str) -> None:
    """Until Trained says so; then the event, status.training and the other conditions say the same."""
    found = world.wait_condition("Trained", "Unknown", "TrainingPending", seconds=SECONDS)
    for text in (f"({cause})", *texts):
        assert text in found["message"]
        assert text in world.condition("Ready")["message"]
    assert world.status()["training"]["message"] == found["message"]
    world.wait_event("TrainingPending", seconds=SECONDS)


def test_a_quota_that_is_too_small_and_is_raised(world: World) -> None:
    forbid(world, "resourcequotas", "ResourceQuota", {"hard": {"requests.cpu": "10m"}})
    with world.start() as operator:
        world.create()
        pending(world, "Quota", "exceeded quota: small", "Raise the namespace's ResourceQuota")
        (job,) = world.jobs()
        series = (
            f'cause="Quota",kind="Job",model="heart",name="{job["metadata"]["name"]}",namespace="{world.namespace}"'
        )
        operator.wait_metric(f"heartops_blocked_workloads{{{series}}}", 1)
        assert world.event_reasons().count("TrainingPending") == 1
        world.api.call("DELETE", f"/api/v1/namespaces/{world.namespace}/resourcequotas/small")
        world.wait_serving("1", seconds=90)
        poll("the cause is gone from the metrics", lambda: series not in operator.metrics())


def test_a_limit_range_with_a_lower_maximum(world: World) -> None:
    limits = [{"type": "Container", "max": {"cpu": "100m", "memory": "64Mi"}}]
    forbid(world, "limitranges", "LimitRange", {"limits": limits})
    with world.start():
        world.create()
        pending(world, "LimitRange", "maximum cpu usage per Container is 100m", "spec.training.resources")


def test_pods_that_no_node_takes_and_volumes_that_do_not_exist(world: World) -> None:
    """What the scheduler and the kubelet would write."""
    world.kubelet.train = lambda request: None
    with world.start():
        world.create()
        pod = training_pod(world)["metadata"]
        cpu = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available."
        entry = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": cpu}
        world.api.patch(POD, world.namespace, pod["name"], {"status": {"conditions": [entry]}}, "status")
        pending(world, "Scheduling", "1 Insufficient cpu", "Lower spec.training.resources")
        entry = {"type": "PodScheduled", "status": "True"}
        world.api.patch(POD, world.namespace, pod["name"], {"status": {"conditions": [entry]}}, "status")
        say(world, pod, "FailedMount", 'MountVolume.SetUp failed for volume "data" : configmap "nowhere" not found')
        poll("the missing ConfigMap", lambda: "VolumeMissing" in world.condition("Trained")["message"], SECONDS)
        assert 'configmap "nowhere" not found' in world.condition("Trained")["message"]


def say(world: World, pod: dict[str, Any], reason: str, message: str) -> None:
    """An Event as the kubelet writes it."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"apiVersion": "v1", "kind": "Pod", "name": pod["name"], "namespace": world.namespace, "uid": pod["uid"]}
    world.api.create(
        EVENT,
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{pod['name']}.1", "namespace": world.namespace},
            "involvedObject": about,
            "type": "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": "kubelet"},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        },
    )


def test_serving_pods_that_a_quota_forbids(world: World) -> None:
    with world.start():
        world.create(serving={"replicas": 1})
        world.wait_serving("1", seconds=60)
        forbid(world, "resourcequotas", "ResourceQuota", {"hard": {"pods": "1"}})
        world.edit({"serving": {"replicas": 3}})
        found = world.wait_condition("Ready", "False", "PodsPending", seconds=SECONDS)
        assert "1 of 3 pods of version 1 are ready (Quota): " in found["message"]
        assert "exceeded quota: small" in found["message"]
        assert world.condition("Available")["status"] == "True"
        world.wait_event("PodsPending", seconds=SECONDS)


@pytest.fixture
def admin(api_server: Path, tools: Path) -> Person:
    return Person("admin", api_server, tools)


@pytest.fixture
def vera(world: World, kube_api: KubeApi, tools: Path, tmp_path: Path) -> Person:
    """May look at the world's namespace alone."""
    return make_person(kube_api, tools, tmp_path, world.namespace, "vera", "view")


@pytest.fixture
def quota_of_the_installation(world: World) -> Iterator[None]:
    """No pod more in the operator's namespace."""
    forbid(world, "resourcequotas", "ResourceQuota", {"hard": {"pods": "0"}}, OPERATOR_NAMESPACE)
    yield
    world.api.call("DELETE", f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/resourcequotas/small")
    world.api.delete(JOB, OPERATOR_NAMESPACE, INSTALLATION_JOB)


def test_a_job_of_the_installation_that_a_quota_forbids(
    world: World, quota_of_the_installation: None, admin: Person, vera: Person
) -> None:
    """Said in an event, a metric, `kubectl heart status` and `kubectl heart doctor`."""
    labels = {Label.PART_OF: PART_OF, "app.kubernetes.io/component": "secrets"}
    pod = {"restartPolicy": "Never", "containers": [{"name": "secrets", "image": "heartops/operator"}]}
    metadata = {"name": INSTALLATION_JOB, "namespace": OPERATOR_NAMESPACE, "labels": labels}
    spec = {"template": {"metadata": {"labels": labels}, "spec": pod}}
    with world.start() as operator:
        world.api.create(JOB, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
        (said,) = poll("an event on the Job", lambda: events_about(world, INSTALLATION_JOB), 2 * SECONDS)
        assert "exceeded quota: small" in said["message"]
        assert "Raise the namespace's ResourceQuota" in said["message"]
        name = f'kind="Job",model="",name="{INSTALLATION_JOB}",namespace="{OPERATOR_NAMESPACE}"'
        operator.wait_metric(f'heartops_blocked_workloads{{cause="Quota",{name}}}', 1)
        world.create()
        shown = admin("status", "heart", "-n", world.namespace, "--system-namespace", OPERATOR_NAMESPACE)
        assert f"{OPERATOR_NAMESPACE}: Job {INSTALLATION_JOB} cannot run (Quota): " in shown.stdout, shown.stderr
        assert "exceeded quota: small" in shown.stdout
        asked = admin("doctor", "-n", world.namespace, "--system-namespace", OPERATOR_NAMESPACE)
        assert f"Job {INSTALLATION_JOB} cannot run (Quota)" in asked.stdout, asked.stderr
        seen = vera("status", "heart", "--system-namespace", OPERATOR_NAMESPACE)
        assert seen.returncode == 0, seen.stderr
        assert INSTALLATION_JOB not in seen.stdout, "she may not read the installation's namespace"


def events_about(world: World, name: str) -> list[Resource]:
    """Warnings of the operator."""
    found = world.api.list(EVENT, OPERATOR_NAMESPACE)
    return [item for item in found if item["involvedObject"]["name"] == name and item["reason"] == "PodsPending"]
