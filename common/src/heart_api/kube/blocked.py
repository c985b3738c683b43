"""Why a Job or Deployment has no running pod: conditions, pods and events → cause, Kubernetes' message, advice. No I/O.

The texts are those of the API server's admission, the scheduler, the kubelet and the controllers; an unknown text still
gives a cause, with Kubernetes' message.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from heart_api.kube.objects import MAX_TEXT, condition
from heart_api.kube.queues import queue_of
from heart_api.kube.values import Blocked, Manifest
from heart_api.times import read

ADVICE = {
    "Quota": "Raise the namespace's ResourceQuota, or lower {resources}",
    "LimitRange": "Change the namespace's LimitRange, or set {resources} within it",
    "PodSecurity": "Ask the administrator which Pod Security level the namespace enforces",
    "Admission": "Ask the administrator about the admission policy or webhook that is named",
    "ServiceAccount": "Wait a few seconds; if it lasts, check who deletes the ServiceAccount",
    "Queued": "See `kubectl get workloads` in the namespace: its quota may be in use, or Kueue may not run",
    "PodCreation": "See `kubectl get events` in the namespace",
    "Scheduling": "Lower {resources}, or add a node that has room and meets the runtime profile's nodeSelector",
    "VolumeMissing": "Create it, or correct spec.dataset.uri",
    "ConfigMissing": "Create it with the key that is named",
    "Volume": "Check the PersistentVolumeClaim and its storage class with `kubectl describe pvc`",
    "ImagePull": "Ask the administrator to check images and imagePullSecrets of the runtime profile",
    "Container": "See `kubectl describe pod`; the node could not start the container",
    "InitContainer": "See `kubectl logs -c` with the init container's name",
    "OutOfMemory": "Raise {resources} (limits.memory); the runtime profile may cap it",
    "Crash": "See `kubectl heart logs`",
    "Evicted": "It was moved off its node (drain, shutdown, eviction API); see `kubectl get nodes` for room elsewhere",
    "NodePressure": "The node was short of memory or disk; set {resources} (requests) to what the pod needs",
    "Preempted": "A pod of higher priority took its place; add a node that has room",
    "NodeLost": "The node does not answer; the pod is replaced once Kubernetes gives the node up",
    "Network": "Ask the administrator to check the cluster's network plugin on the node",
}
"""By cause; {resources} is the field of the spec that sizes the pod."""

FORBIDDEN = (
    ("exceeded quota", "Quota"),
    ("failed quota", "Quota"),
    ("status unknown for quota", "Quota"),
    ("usage per Container", "LimitRange"),
    ("usage per Pod", "LimitRange"),
    ("limit to request ratio per", "LimitRange"),
    ("violates PodSecurity", "PodSecurity"),
    ("looking up service account", "ServiceAccount"),
    ("admission webhook", "Admission"),
    ("ValidatingAdmissionPolicy", "Admission"),
    ("is forbidden", "Admission"),
)
"""The rejection of a pod: parts of the message by relevance, and its cause."""
IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
SERVING_CONTAINERS = frozenset({"fetch", "server"})
STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})
EVENTS = {
    "FailedMount": "Volume",
    "FailedAttachVolume": "Volume",
    "FailedBinding": "Volume",
    "FailedCreatePodSandBox": "Network",
    "NodeNotReady": "NodeLost",
    "FailedScheduling": "Scheduling",
}
"""Reasons of a pod's events that explain why it does not start."""
CREATION = frozenset({"FailedCreate", "TrainJobResourcesCreationFailed"})
"""Reasons of events of a Job, and of a TrainJob, whose pods were not made."""
MISSING_CLAIM = re.compile(r'persistentvolumeclaim "[^"]+" not found')
MISSING_SOURCE = re.compile(
    r'(configmap|secret) "[^"]+" not found|references non-existent config key|couldn\'t find key'
)
SYNCING = re.compile(r"failed to sync (configmap|secret) cache")
DISRUPTIONS = {
    "EvictionByEvictionAPI": "Evicted",
    "TerminationByKubelet": "NodePressure",
    "PreemptionByScheduler": "Preempted",
    "DeletionByTaintManager": "NodeLost",
    "DeletionByPodGC": "NodeLost",
}
"""Reasons of a pod's condition DisruptionTarget."""
ENDED_BY_NODE = {
    "Evicted": "NodePressure",
    "Preempting": "Preempted",
    "NodeShutdown": "Evicted",
    "Terminated": "Evicted",
    "NodeLost": "NodeLost",
    "NodeAffinity": "Scheduling",
    "UnexpectedAdmissionError": "Scheduling",
}
"""Reasons in the status of a pod that its node ended or did not take; besides these OutOfcpu and the like."""
POD_NAME = re.compile(r'pods "([a-z0-9.-]+)-[a-z0-9]{5}"')
REPLACEMENT = timedelta(minutes=1)
"""How long the replacement of a lost pod may take to start before anything is said of it."""
PREEMPTION = re.compile(r",? *(no new claims to deallocate, *)?preemption: .*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Found:
    """Before the advice is known."""

    cause: str
    message: str
    hopeless: bool = False
    since: datetime | None = None


def find_blocked(
    item: Manifest, pods: Iterable[Manifest], events: Iterable[Manifest] = (), queue_says: str = ""
) -> Blocked | None:
    """The reason why pods of this Job or Deployment do not run; None while they are only starting.

    `pods`: those of the item. `events`: of the item where it has no pods, else of the pods that are not ready.
    `queue_says`: why Kueue does not admit it yet.
    """
    newest = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    waiting = [pod for pod in newest if not has_ended_well(pod) and condition(pod, "Ready") is None]
    found = (
        next(filter(None, map(_of_pod, waiting)), None)
        or _of_queue(item, queue_says)
        or _of_replica_failure(item)
        or _of_events(events, waiting, has_pods=bool(newest))
    )
    return _with_advice(found, item, max(filter(None, map(lost_at, newest)), default=None)) if found else None


def _of_queue(item: Manifest, says: str) -> _Found | None:
    """A Job that waits for Kueue, which makes it run by resuming it."""
    if not (queue := queue_of(item)):
        return None
    return _Found("Queued", f"It waits until the queue {queue} admits it{f' (Kueue: {says})' if says else ''}")


def unexplained(pods: Iterable[Manifest]) -> list[str]:
    """Uids of pods that are not ready, the oldest first: their events may say why."""
    found = [pod for pod in pods if not has_ended_well(pod) and condition(pod, "Ready") is None]
    return [pod["metadata"]["uid"] for pod in sorted(found, key=lambda pod: pod["metadata"]["creationTimestamp"])]


def has_ended_well(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") == "Succeeded"


def lost_at(pod: Manifest) -> datetime | None:
    """When the pod was evicted, preempted or lost, or ended with an error for good; None if it was not."""
    disruption = condition(pod, "DisruptionTarget") or {}
    moments = [disruption.get("lastTransitionTime"), *_ends(pod)]
    return max((read(moment) for moment in moments if moment), default=None)


def _ends(pod: Manifest) -> list[str | None]:
    """Of containers that Kubernetes does not begin again: their Job ends a moment later, or makes another pod."""
    status = pod.get("status") or {}
    if status.get("phase") != "Failed":
        return []
    ended = [(entry.get("state") or {}).get("terminated") or {} for entry in status.get("containerStatuses") or []]
    return [entry.get("finishedAt") for entry in ended]


def is_being_replaced(blocked: Blocked, now: datetime) -> bool:
    """Whether a pod was lost so recently that its replacement may only be starting."""
    return blocked.lost is not None and now - blocked.lost < REPLACEMENT


def _with_advice(found: _Found, item: Manifest, lost: datetime | None) -> Blocked:
    resources = "spec.serving.resources" if item.get("kind") == "Deployment" else "spec.training.resources"
    advice = ADVICE[found.cause].format(resources=resources)
    return Blocked(found.cause, plain(found.message), advice, found.hopeless, found.since, lost)


def plain(message: str) -> str:
    """One line that stays the same from try to try: every try to make a pod invents another name."""
    text = POD_NAME.sub(r'pods "\1-…"', " ".join(message.removeprefix("Error creating: ").split()))
    return text[:MAX_TEXT].rstrip(". ")


# --- pods that were never made ------------------------------------------------------------------------------


def _of_replica_failure(item: Manifest) -> _Found | None:
    failure = condition(item, "ReplicaFailure")
    return _Found(creation_cause(failure.get("message", "")), failure.get("message", "")) if failure else None


def creation_cause(message: str) -> str:
    return next((cause for text, cause in FORBIDDEN if text in message), "PodCreation")


def _of_events(events: Iterable[Manifest], waiting: Sequence[Manifest], *, has_pods: bool) -> _Found | None:
    """By the newest event that explains anything."""
    reasons = {*EVENTS} if has_pods else CREATION
    telling = [event for event in events if event.get("reason") in reasons and not _is_passing(event)]
    newest = max(telling, key=event_time, default=None)
    if newest is None:
        return None
    message = newest.get("message") or newest["reason"]
    if not has_pods:
        return _Found(creation_cause(message), message)
    since = next((created(pod) for pod in waiting), None)
    return _missing(message, since) or _Found(EVENTS[newest["reason"]], f"{newest['reason']}: {message}", since=since)


def _is_passing(event: Manifest) -> bool:
    """The kubelet mounts before it has read a new pod's ConfigMaps and Secrets, and tries again half a second later."""
    return SYNCING.search(event.get("message") or "") is not None


def event_time(event: Manifest) -> str:
    """Either form of an Event: with `lastTimestamp`, or with `eventTime` alone."""
    return event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or ""


# --- pods that do not start -----------------------------------------------------------------------------------


def _of_pod(pod: Manifest) -> _Found | None:
    return _of_disruption(pod) or _of_scheduling(pod) or _of_containers(pod)


def _of_disruption(pod: Manifest) -> _Found | None:
    """An eviction, or a node that went away or did not take the pod."""
    status = pod.get("status") or {}
    reason = status.get("reason") or ""
    cause = ENDED_BY_NODE.get(reason) or ("Scheduling" if reason.startswith("OutOf") else "")
    if cause:
        return _Found(cause, f"{reason}: {status.get('message') or ''}".rstrip(": "))
    disruption = condition(pod, "DisruptionTarget")
    if disruption is None:
        return None
    reason = disruption.get("reason", "")
    return _Found(DISRUPTIONS.get(reason, "Evicted"), f"{reason}: {disruption.get('message', '')}".strip(": "))


def _of_scheduling(pod: Manifest) -> _Found | None:
    for entry in (pod.get("status") or {}).get("conditions") or []:
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            message = PREEMPTION.sub("", entry.get("message", ""))
            if found := _missing(message, created(pod)):
                return found
            cause = "Volume" if "unbound immediate PersistentVolumeClaims" in message else "Scheduling"
            return _Found(cause, f"{entry.get('reason', 'Unschedulable')}: {message}".rstrip(": "))
    return None


def _missing(message: str, since: datetime | None) -> _Found | None:
    """What is named does not exist: no waiting helps, only a person does."""
    if MISSING_CLAIM.search(message) or MISSING_SOURCE.search(message):
        return _Found("VolumeMissing", message, hopeless=True, since=since)
    return None


def _of_containers(pod: Manifest) -> _Found | None:
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or []:
            if found := _of_container(container, created(pod), init=kind.startswith("init")):
                return found
    return None


def _of_container(container: Mapping[str, Any], since: datetime, *, init: bool) -> _Found | None:
    state, name = container.get("state") or {}, container["name"]
    waiting, ended = state.get("waiting") or {}, last_end(container)
    reason, message = waiting.get("reason", ""), waiting.get("message") or ""
    text = f"{reason} in {name}: {message}".rstrip(": ")
    if reason in IMAGE:
        return _Found("ImagePull", text)
    if reason == "CreateContainerConfigError":
        return _Found("ConfigMissing", text, hopeless=bool(MISSING_SOURCE.search(message)), since=since)
    if ended.get("reason") == "OOMKilled":
        return _Found("OutOfMemory", f"OOMKilled in {name}")
    if reason == "CrashLoopBackOff" or ended.get("exitCode", 0) != 0:
        return _Found("InitContainer" if init else "Crash", crash_text(reason, name, ended))
    return None if reason in STARTING else _Found("Container", text)


def crash_text(reason: str, name: str, ended: Mapping[str, Any]) -> str:
    """`CrashLoopBackOff in fetch: …` with the last message of a serving pod's container, else its exit code.

    Those containers write their messages for people. A training that breaks may leave anything, also values of rows.
    """
    said = (ended.get("message") or "").strip() if name in SERVING_CONTAINERS else ""
    said = said or f"exit code {ended.get('exitCode', '?')}"
    return f"{reason or ended.get('reason') or 'Error'} in {name}: {said}"


def last_end(container: Mapping[str, Any]) -> Mapping[str, Any]:
    """How it ended: now, or before it was begun again. Empty: it never did, or it runs well again."""
    states = container.get("state") or {}, container.get("lastState") or {}
    ended: Mapping[str, Any] = next((state["terminated"] for state in states if state.get("terminated")), {})
    return {} if container.get("ready") else ended


def created(pod: Manifest) -> datetime:
    return read(pod["metadata"]["creationTimestamp"])
