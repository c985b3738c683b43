"""Why pods do not run, from the exact texts that Kubernetes 1.34 writes."""

from typing import Any

import pytest

from heart_api.kube.blocked import find_blocked, unexplained
from heart_api.kube.deployments import parse_deployment
from heart_api.kube.queues import queue_reason
from heart_api.times import read

CREATED, LATER = "2026-01-02T03:04:05Z", "2026-01-02T03:05:05Z"
JOB = {"kind": "Job", "metadata": {"name": "heart-train-1a2b3c4d", "uid": "job"}}
QUOTA = (
    'Error creating: pods "heart-train-1a2b3c4d-x7k2p" is forbidden: exceeded quota: small, requested: '
    "requests.cpu=500m, used: requests.cpu=0, limited: requests.cpu=100m"
)
SCHEDULED = {"type": "PodScheduled", "status": "True"}


def pod(name: str = "p", created: str = CREATED, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "creationTimestamp": created}, "status": status}


def event(reason: str, message: str, time: str = CREATED) -> dict[str, Any]:
    return {"metadata": {"creationTimestamp": time}, "reason": reason, "message": message, "lastTimestamp": time}


def unschedulable(message: str) -> dict[str, Any]:
    entry = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(phase="Pending", conditions=[entry])


def waiting(reason: str, message: str = "", *, init: bool = False, **more: Any) -> dict[str, Any]:
    entry = {"name": "fetch" if init else "trainer", "state": {"waiting": {"reason": reason, "message": message}}}
    statuses = {"initContainerStatuses" if init else "containerStatuses": [entry | more]}
    return pod(phase="Pending", conditions=[SCHEDULED], **statuses)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (QUOTA, "Quota"),
        (
            'Error creating: pods "a-b-x7k2p" is forbidden: failed quota: q: must specify limits.cpu for: trainer',
            "Quota",
        ),
        (
            'Error creating: pods "a-b-x7k2p" is forbidden: [maximum cpu usage per Container is 100m, but limit is 2, '
            "maximum memory usage per Container is 64Mi, but limit is 4Gi]",
            "LimitRange",
        ),
        (
            'Error creating: pods "a-b-x7k2p" is forbidden: violates PodSecurity "restricted:latest": '
            'runAsNonRoot != true (pod or container "trainer" must set securityContext.runAsNonRoot=true)',
            "PodSecurity",
        ),
        ('Error creating: admission webhook "deny.example.org" denied the request: no', "Admission"),
        (
            "Error creating: pods \"a-b-x7k2p\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied "
            "request: images must be signed",
            "Admission",
        ),
        (
            'Error creating: pods "a-b-" is forbidden: error looking up service account clinic/heart-model: '
            'serviceaccount "heart-model" not found',
            "ServiceAccount",
        ),
        ("Error creating: Internal error occurred", "PodCreation"),
    ],
)
def test_pods_that_are_never_made(message: str, cause: str) -> None:
    found = find_blocked(JOB, [], [event("FailedCreate", message), event("SuccessfulCreate", "Created pod", LATER)])
    assert found
    assert (found.cause, found.hopeless) == (cause, False)
    assert found.advice
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    status = {"conditions": [failure | {"message": message.removeprefix("Error creating: ")}]}
    deployment = {"kind": "Deployment", "metadata": {"name": "heart-v1"}, "status": status}
    found = find_blocked(deployment, [pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}])])
    assert found
    assert found.cause == cause


def test_every_try_to_make_a_pod_reads_the_same() -> None:
    first, second = (
        find_blocked(JOB, [], [event("FailedCreate", QUOTA.replace("x7k2p", name))]) for name in ("abcde", "fghij")
    )
    assert first == second
    assert first
    assert str(first) == (
        'pods "heart-train-1a2b3c4d-…" is forbidden: exceeded quota: small, requested: requests.cpu=500m, '
        "used: requests.cpu=0, limited: requests.cpu=100m. Raise the namespace's ResourceQuota, or lower "
        "spec.training.resources"
    )


@pytest.mark.parametrize(
    ("message", "cause", "hopeless"),
    [
        (
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are "
            "available: 1 Preemption is not helpful for scheduling.",
            "Scheduling",
            False,
        ),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: true}.", "Scheduling", False),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "Volume", False),
        ('0/1 nodes are available: persistentvolumeclaim "nowhere" not found. not found', "VolumeMissing", True),
    ],
)
def test_pods_that_no_node_takes(message: str, cause: str, hopeless: bool) -> None:
    found = find_blocked(JOB, [unschedulable(message)])
    assert found
    assert (found.cause, found.hopeless) == (cause, hopeless)
    assert "reemption" not in found.message


@pytest.mark.parametrize(
    ("reason", "message", "cause", "hopeless"),
    [
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "data" : configmap "nowhere" not found',
            "VolumeMissing",
            True,
        ),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "data" : configmap references non-existent config key: x.csv',
            "VolumeMissing",
            True,
        ),
        ("FailedMount", 'MountVolume.SetUp failed for volume "x" : secret "x" not found', "VolumeMissing", True),
        ("FailedMount", "Unable to attach or mount volumes: timed out waiting for the condition", "Volume", False),
        ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1"', "Volume", False),
        ("FailedCreatePodSandBox", "Failed to create pod sandbox: no network", "Network", False),
        ("NodeNotReady", "Node is not ready", "NodeLost", False),
    ],
)
def test_pods_that_wait_on_their_node(reason: str, message: str, cause: str, hopeless: bool) -> None:
    starting = waiting("ContainerCreating")
    assert find_blocked(JOB, [starting]) is None
    assert unexplained([starting]) == ["p"]
    found = find_blocked(JOB, [starting], [event("Scheduled", "assigned", LATER), event(reason, message)])
    assert found
    assert (found.cause, found.hopeless) == (cause, hopeless)
    assert (found.since is not None) >= hopeless


@pytest.mark.parametrize("kind", ["configmap", "secret"])
def test_a_kubelet_that_has_not_read_a_new_pods_volumes_yet_is_no_cause(kind: str) -> None:
    text = f"failed to sync {kind} cache: timed out waiting for the condition"
    assert find_blocked(JOB, [waiting("ContainerCreating")], [event("FailedMount", text)]) is None


@pytest.mark.parametrize(
    ("living", "cause", "hopeless"),
    [
        (waiting("ImagePullBackOff", 'Back-off pulling image "trainer:1"'), "ImagePull", False),
        (waiting("ErrImagePull", "not found"), "ImagePull", False),
        (waiting("InvalidImageName"), "ImagePull", False),
        (waiting("CreateContainerConfigError", 'secret "heartops-runtime" not found'), "ConfigMissing", True),
        (waiting("CreateContainerConfigError", "couldn't find key A in ConfigMap clinic/a"), "ConfigMissing", True),
        (waiting("CreateContainerError", "context deadline exceeded"), "Container", False),
        (waiting("CrashLoopBackOff", "back-off 10s", init=True), "InitContainer", False),
        (waiting("CrashLoopBackOff", "back-off 10s"), "Crash", False),
        (
            waiting("CrashLoopBackOff", lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "OutOfMemory",
            False,
        ),
        (pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."), "NodePressure", False),
        (pod(phase="Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu"), "Scheduling", False),
        (pod(phase="Failed", reason="NodeAffinity", message="Predicate NodeAffinity failed"), "Scheduling", False),
        (pod(phase="Failed", reason="Terminated", message="in response to imminent node shutdown"), "Evicted", False),
        (pod(phase="Failed", reason="NodeLost"), "NodeLost", False),
        (
            pod(conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]),
            "NodeLost",
            False,
        ),
        (
            pod(conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]),
            "Preempted",
            False,
        ),
    ],
)
def test_pods_that_cannot_start_or_are_taken_away(living: dict[str, Any], cause: str, hopeless: bool) -> None:
    found = find_blocked(JOB, [living])
    assert found
    assert (found.cause, found.hopeless) == (cause, hopeless)
    assert found.message


@pytest.mark.parametrize(
    "living",
    [
        pod(phase="Pending"),
        waiting("ContainerCreating"),
        waiting("PodInitializing"),
        pod(phase="Succeeded", conditions=[{"type": "Ready", "status": "False"}]),
        pod(phase="Running", conditions=[{"type": "Ready", "status": "True"}]),
    ],
)
def test_what_is_only_starting_or_runs_is_not_blocked(living: dict[str, Any]) -> None:
    assert find_blocked(JOB, [living]) is None


def test_the_newest_pod_speaks() -> None:
    old, new = pod("old", reason="Evicted", phase="Failed"), waiting("ErrImagePull")
    new["metadata"]["creationTimestamp"] = LATER
    found = find_blocked(JOB, [old, new])
    assert found
    assert found.cause == "ImagePull"


def test_an_eviction_is_named_with_its_time_and_without_blaming_the_node() -> None:
    target = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": LATER,
    }
    evicted, replacement = pod("old", conditions=[target]), pod("new", LATER, phase="Pending")
    found = find_blocked({"kind": "Deployment"}, [evicted, replacement])
    assert found
    assert (found.cause, found.message) == ("Evicted", "EvictionByEvictionAPI: Eviction API: evicting")
    assert "short" not in found.advice
    assert found.lost == read(LATER)


def test_a_pod_that_ended_with_an_error_is_named_with_its_time() -> None:
    """Its Job fails a moment later, or makes another pod: nothing is said of it before a minute has passed."""
    ended = {"exitCode": 2, "reason": "Error", "finishedAt": LATER}
    crashed = pod(phase="Failed", containerStatuses=[{"name": "trainer", "state": {"terminated": ended}}])
    found = find_blocked(JOB, [crashed])
    assert found
    assert (found.cause, found.message, found.lost) == ("Crash", "Error in trainer: exit code 2", read(LATER))


def test_a_deployment_whose_pods_were_never_made_says_so() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    message = (
        'pods "heart-v1-5d9c-abcde" is forbidden: exceeded quota: one, requested: pods=1, used: pods=1, limited: pods=1'
    )
    meta = {"name": "heart-v1", "uid": "d", "creationTimestamp": CREATED}
    status = {"readyReplicas": 1, "conditions": [failure | {"message": message}]}
    item = {"kind": "Deployment", "metadata": meta, "spec": {"replicas": 3}, "status": status}
    found = parse_deployment(item)
    assert found.blocked
    assert found.blocked.cause == "Quota"
    assert "spec.serving.resources" in found.blocked.advice
    assert "exceeded quota" in found.problem
    assert parse_deployment(item | {"spec": {"replicas": 1}}).blocked is None


def test_a_job_that_waits_in_a_queue_says_so_and_one_that_was_admitted_does_not() -> None:
    job = {"kind": "Job", "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "trainings"}}, "spec": {"suspend": True}}
    found = find_blocked(job, [])
    assert found
    assert (found.cause, found.hopeless) == ("Queued", False)
    assert "the queue trainings" in found.message
    assert "kubectl get workloads" in found.advice
    assert find_blocked({**job, "spec": {"suspend": False}}, []) is None
    assert find_blocked({**job, "metadata": {}}, []) is None, "suspended by somebody else"


def workload(created: str, **said: str) -> dict[str, Any]:
    """With conditions that are False, by their type."""
    conditions = [{"type": kind, "status": "False", "message": message} for kind, message in said.items()]
    return {"metadata": {"creationTimestamp": created}, "status": {"conditions": conditions}}


def test_kueues_own_words_are_said() -> None:
    job = {"kind": "Job", "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "trainings"}}, "spec": {"suspend": True}}
    old = workload("2026-01-01T00:00:00Z", QuotaReserved="it was preempted")
    new = workload("2026-01-02T00:00:00Z", QuotaReserved="insufficient quota for cpu.", Admitted="no quota yet")
    found = find_blocked(job, [], (), queue_reason([new, old]))
    assert found
    assert found.message == "It waits until the queue trainings admits it (Kueue: insufficient quota for cpu)"
    assert queue_reason([workload("2026-01-02T00:00:00Z", Admitted="a check is pending")]) == "a check is pending"
    assert queue_reason([]) == ""
    assert queue_reason([{"metadata": {"creationTimestamp": "2026-01-02T00:00:00Z"}}]) == ""
