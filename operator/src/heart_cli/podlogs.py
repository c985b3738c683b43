"""The logs of a model's pods, several at once where it has several."""

import threading
from collections.abc import Callable
from urllib.parse import quote

from heart_api.heartmodel import TrainingStatus
from heart_api.kube.kinds import POD
from heart_api.kube.values import Manifest
from heart_api.names import Component, Condition, Label, Reason
from heart_cli.client import Client
from heart_cli.errors import Failure
from heart_cli.reading import read_model

JOB_LABEL = "batch.kubernetes.io/job-name"
Write = Callable[[bytes], None]


def find_pods(client: Client, name: str, version: str, training: bool) -> list[str]:
    """Names of the pods to read: of one version (by default the one that serves), or of the newest training.

    Raises:
        Failure: there is none.
    """
    model = read_model(client, name)
    if training:
        job = model.status.training
        if job is None:
            raise Failure(f"{name} has never been trained")
        return training_pods(client.list(POD, labelSelector=f"{JOB_LABEL}={job.job}"), job)
    wanted = version or (model.status.serving.version if model.status.serving else "")
    if not wanted:
        raise Failure(f"No version of {name} is serving yet; choose one with --version, or use --training")
    selector = f"{Label.MODEL}={name},{Label.COMPONENT}={Component.SERVING},{Label.MODEL_VERSION}={wanted}"
    found = sorted(pod["metadata"]["name"] for pod in client.list(POD, labelSelector=selector))
    if not found:
        ready = next((entry for entry in model.status.conditions if entry.type == Condition.READY), None)
        why = ready.message if ready and ready.reason == Reason.PODS_PENDING else f"see kubectl heart status {name}"
        raise Failure(f"Version {wanted} of {name} has no pods: {why}")
    return found


def training_pods(pods: list[Manifest], job: TrainingStatus) -> list[str]:
    """The newest pod of a Job, or all workers of a training on several pods, the first one first.

    Raises Failure where no pod has begun, with what the operator found, or where none is left.
    """
    running = job.phase == "Running"
    if running and job.reason == Reason.TRAINING_PENDING and not any(map(has_logs, pods)):
        raise Failure(f"There are no logs yet. {job.message}")
    if running and not pods:
        raise Failure(f"There are no logs yet: Job {job.job} has no pod yet; see kubectl heart status")
    if not pods:
        raise Failure(f"The pods of Job {job.job} no longer exist, and neither do their logs; see the run in MLflow")
    workers = {int(pod["metadata"]["labels"][Label.POD_INDEX]): pod for pod in pods if is_worker(pod)}
    if workers:
        return [workers[number]["metadata"]["name"] for number in sorted(workers)]
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    return [newest["metadata"]["name"]]


def is_worker(pod: Manifest) -> bool:
    return Label.POD_INDEX in (pod["metadata"].get("labels") or {})


def has_logs(pod: Manifest) -> bool:
    """Whether a container of the pod has begun."""
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    states = [container.get(name) or {} for container in containers for name in ("state", "lastState")]
    return any("running" in state or "terminated" in state for state in states)


def copy_logs(client: Client, pods: list[str], tail: int, follow: bool, write: Write) -> None:
    """Each line as it is, after the pod's name where there are several; `tail` lines of each pod, all when negative."""
    query = {"follow": "true"} if follow else {}
    query |= {"tailLines": str(tail)} if tail >= 0 else {}

    def copy(pod: str) -> None:
        prefix = f"[{pod}] ".encode() if len(pods) > 1 else b""
        path = f"{POD.path(client.namespace, quote(pod, safe=''))}/log"
        for line in client.lines(path, query):
            write(prefix + line + b"\n")

    if follow:
        at_once(copy, pods)
    else:
        for pod in pods:
            copy(pod)


def at_once(copy: Callable[[str], None], pods: list[str]) -> None:
    """Until the last stream ends, or Ctrl-C (the threads are daemons). Raises the first failure."""
    failures: list[Failure] = []

    def run(pod: str) -> None:
        try:
            copy(pod)
        except Failure as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(pod,), daemon=True) for pod in pods]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
