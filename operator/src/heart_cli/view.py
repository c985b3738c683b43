"""What the cluster holds of one model, as frozen values."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from heart_api.heartmodel import ConditionStatus, HeartModel
from heart_api.kube.deployments import parse_deployment, pod_problem
from heart_api.kube.objects import InvalidSpec, parse_model
from heart_api.kube.schedules import model_of, parse_schedule
from heart_api.kube.values import Manifest, VersionDeployment
from heart_api.names import Label
from heart_api.retrainschedule import RetrainSchedule


@dataclass(frozen=True, slots=True)
class Pod:
    """One serving pod."""

    name: str
    version: str
    state: str
    """`ready`, `not ready` or `ending`."""
    restarts: int
    created: str
    problem: str = ""
    """Why the pod does not start, as given by Kubernetes."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was said of the model."""

    type: str
    reason: str
    message: str
    time: str


@dataclass(frozen=True, slots=True)
class View:
    """A model with its Deployments, pods (oldest first), events (oldest first) and RetrainSchedules (by name)."""

    model: HeartModel
    deployments: tuple[VersionDeployment, ...] = ()
    pods: tuple[Pod, ...] = ()
    events: tuple[Event, ...] = ()
    schedules: tuple[RetrainSchedule, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Names of schedules that another version of HeartOps wrote."""
    installation: tuple[str, ...] = ()
    """What cannot run of HeartOps itself, each with the reason and what to do."""

    def deployment(self, version: str) -> VersionDeployment | None:
        return next((entry for entry in self.deployments if entry.version == version), None)

    def condition(self, type_: str) -> ConditionStatus | None:
        return next((entry for entry in self.model.status.conditions if entry.type == type_), None)


def build_view(
    raw: Manifest,
    deployments: Iterable[Manifest] = (),
    pods: Iterable[Manifest] = (),
    events: Iterable[Manifest] = (),
    schedules: Iterable[Manifest] = (),
) -> View:
    """From objects as the API server returns them; `schedules` of all models.

    Raises:
        heart_api.kube.objects.InvalidSpec: another version of HeartOps wrote the model.
    """
    readable, unreadable = parse_schedules(item for item in schedules if model_of(item) == raw["metadata"]["name"])
    return View(
        parse_model(raw),
        tuple(parse_deployment(item) for item in deployments),
        tuple(sorted(map(parse_pod, pods), key=lambda pod: (pod.created, pod.name))),
        tuple(sorted(map(parse_event, events), key=lambda event: event.time)),
        readable,
        unreadable,
    )


def parse_schedules(items: Iterable[Manifest]) -> tuple[tuple[RetrainSchedule, ...], tuple[str, ...]]:
    """By name; one that cannot be read does not hide its model."""
    found, unreadable = [], []
    for item in sorted(items, key=lambda item: item["metadata"]["name"]):
        try:
            found.append(parse_schedule(item))
        except InvalidSpec:
            unreadable.append(item["metadata"]["name"])
    return tuple(found), tuple(unreadable)


def parse_pod(item: Manifest) -> Pod:
    meta, status = item["metadata"], item.get("status") or {}
    containers: list[dict[str, Any]] = status.get("containerStatuses") or []
    ready = bool(containers) and all(container["ready"] for container in containers)
    return Pod(
        name=meta["name"],
        version=(meta.get("labels") or {}).get(Label.MODEL_VERSION, ""),
        state="ending" if "deletionTimestamp" in meta else "ready" if ready else "not ready",
        restarts=sum(container["restartCount"] for container in containers),
        created=meta["creationTimestamp"],
        problem=pod_problem(item),
    )


def parse_event(item: Manifest) -> Event:
    """Either form of an Event: with `lastTimestamp`, or with `eventTime` alone."""
    time = item.get("lastTimestamp") or item.get("eventTime") or item["metadata"]["creationTimestamp"]
    return Event(item.get("type", "Normal"), item.get("reason", ""), item.get("message", ""), time)
