"""The logs of a model's pods, several at once where it has several."""

import threading
from collections.abc import Callable
from urllib.parse import quote

from heart_api.kube.kinds import POD
from heart_api.kube.values import Manifest
from heart_api.names import Component, Label
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
        return newest_pod(client.list(POD, labelSelector=f"{JOB_LABEL}={job.job}"), job.job)
    wanted = version or (model.status.serving.version if model.status.serving else "")
    if not wanted:
        raise Failure(f"No version of {name} is serving yet; choose one with --version, or use --training")
    selector = f"{Label.MODEL}={name},{Label.COMPONENT}={Component.SERVING},{Label.MODEL_VERSION}={wanted}"
    found = sorted(pod["metadata"]["name"] for pod in client.list(POD, labelSelector=selector))
    if not found:
        raise Failure(f"Version {wanted} of {name} has no pods: see kubectl heart status {name}")
    return found


def newest_pod(pods: list[Manifest], job: str) -> list[str]:
    if not pods:
        raise Failure(f"The pods of Job {job} no longer exist, and neither do their logs; see the run in MLflow")
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    return [newest["metadata"]["name"]]


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
