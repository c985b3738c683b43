"""Deployments and what keeps their pods from starting → the values that decisions use. No I/O."""

from collections.abc import Iterable
from typing import Any

from heart_api.kube.blocked import find_blocked
from heart_api.kube.objects import MAX_TEXT, condition_text
from heart_api.kube.values import Manifest, VersionDeployment
from heart_api.names import SECURE_PORT, Annotation, Label
from heart_api.times import read


def parse_deployment(
    item: Manifest, pods: Iterable[Manifest] = (), events: Iterable[Manifest] = ()
) -> VersionDeployment:
    """A version's Deployment; `pods`, and `events` of those, only where some of them are not ready."""
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    pods = list(pods)
    blocked = None if is_ready(item) else find_blocked(item, pods, events)
    annotations, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    seen = status.get("observedGeneration", 0) >= meta.get("generation", 1)
    return VersionDeployment(
        name=meta["name"],
        uid=meta["uid"],
        version=labels.get(Label.MODEL_VERSION, ""),
        digest=annotations.get(Annotation.DIGEST, ""),
        trigger=annotations.get(Annotation.TRIGGER, ""),
        run_id=annotations.get(Annotation.RUN_ID, ""),
        created=read(meta["creationTimestamp"]),
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        up_to_date=seen and status.get("updatedReplicas", 0) == status.get("replicas", 0),
        problem=next((text for pod in pods if (text := pod_problem(pod))), blocked.message if blocked else ""),
        evaluation_sha256=annotations.get(Annotation.EVALUATION, ""),
        crashes=sum(map(restarts, pods)),
        blocked=blocked,
        is_secure=is_secure(item),
    )


def is_secure(item: Manifest) -> bool:
    """Whether the pods of a Deployment take predictions over TLS: those do not listen without it."""
    containers = item["spec"].get("template", {}).get("spec", {}).get("containers") or ()
    return any(port.get("name") == SECURE_PORT for container in containers for port in container.get("ports") or ())


def is_ready(item: Manifest) -> bool:
    """Whether every pod that a Deployment should have is ready."""
    ready: int = (item.get("status") or {}).get("readyReplicas", 0)
    wanted: int = item["spec"].get("replicas", 1)
    return ready >= wanted


def restarts(pod: Manifest) -> int:
    """How often a pod's server ended; its init container may try as often as it likes."""
    return sum(entry.get("restartCount", 0) for entry in (pod.get("status") or {}).get("containerStatuses") or [])


def pod_problem(pod: Manifest) -> str:
    """Why a pod does not start, as given by Kubernetes; empty while it is only starting."""
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if text := waiting_text(container) or terminated_text(container):
            return text
    for entry in status.get("conditions") or []:
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            return condition_text(entry)
    return ""


def waiting_text(container: dict[str, Any]) -> str:
    """`CrashLoopBackOff in fetch: …` with what the container said when it died last."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason: str = waiting.get("reason", "")
    if reason in ("", "ContainerCreating", "PodInitializing"):
        return ""
    died = (container.get("lastState") or {}).get("terminated") or {}
    said = died.get("message") or died.get("reason") or waiting.get("message") or ""
    return f"{reason} in {container['name']}: {said.strip()}".rstrip(": ")[:MAX_TEXT]


def terminated_text(container: dict[str, Any]) -> str:
    """`OOMKilled in server` while a container that died begins anew."""
    states = container.get("state") or {}, container.get("lastState") or {}
    died: dict[str, Any] = next((state["terminated"] for state in states if state.get("terminated")), {})
    if container.get("ready") or died.get("exitCode", 0) == 0:
        return ""
    said: str = died.get("message", "").strip()
    return f"{died.get('reason', 'Error')} in {container['name']}: {said}".rstrip(": ")[:MAX_TEXT]
