"""What each namespace uses, kept in memory: counted from one listing when this replica begins to act, and from the
watches after that, so that no reconcile has to list a namespace.
"""

from bisect import bisect_left, insort
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from heart_api.kube.kinds import HEART_MODEL, JOB, RETRAIN_SCHEDULE, Kind
from heart_api.kube.values import Manifest
from heart_api.names import FIELD_MANAGER, Annotation, Component, Label, evaluated_version
from heart_api.times import read
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import NotFound
from heart_operator.plan.quota import HOUR, StartedTraining, Usage

TRAININGS = f"{Label.MANAGED_BY}={FIELD_MANAGER},{Label.COMPONENT}={Component.TRAINING}"


@dataclass(slots=True)
class Roster:
    """Objects of one kind in one namespace, oldest first."""

    places: list[tuple[str, str]] = field(default_factory=list)
    """Creation time and name."""
    created: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, created: str) -> None:
        if self.created.get(name) == created:
            return
        self.remove(name)
        self.created[name] = created
        insort(self.places, (created, name))

    def remove(self, name: str) -> None:
        if (created := self.created.pop(name, None)) is not None:
            self.places.pop(bisect_left(self.places, (created, name)))

    def usage(self, name: str) -> Usage:
        """An object that has not been counted yet counts as the newest."""
        created = self.created.get(name)
        older = len(self.places) if created is None else bisect_left(self.places, (created, name))
        return Usage(max(len(self.places), older + 1), older)


class NamespaceUsage:
    """Models, schedules and trainings of every namespace. One event loop, and no I/O but in `load` and `refresh`."""

    def __init__(self) -> None:
        self._rosters: dict[tuple[Kind, str], Roster] = {}
        self._trainings: dict[str, list[StartedTraining]] = {}
        self._addresses: dict[str, dict[str, frozenset[str]]] = {}
        """Of each namespace's models that have any, by name."""

    def add(self, kind: Kind, namespace: str, name: str, created: str) -> None:
        self._rosters.setdefault((kind, namespace), Roster()).add(name, created)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        if kind == HEART_MODEL:
            self.place(namespace, name, frozenset())
        roster = self._rosters.get((kind, namespace))
        if roster is None:
            return
        roster.remove(name)
        if not roster.created:
            del self._rosters[kind, namespace]

    def of(self, kind: Kind, namespace: str, name: str, now: datetime) -> Usage:
        """The namespace's usage, as the plan of this object sees it."""
        roster = self._rosters.get((kind, namespace), Roster())
        taken = self._taken(roster, namespace, name) if kind == HEART_MODEL else {}
        return replace(roster.usage(name), trainings=self._recent(namespace, now), taken=taken)

    def place(self, namespace: str, name: str, addresses: frozenset[str]) -> None:
        """A model wants to be reached at these addresses (plan.claims)."""
        placed = self._addresses.setdefault(namespace, {})
        placed.pop(name, None)
        if addresses:
            placed[name] = addresses
        if not placed:
            del self._addresses[namespace]

    def _taken(self, roster: Roster, namespace: str, name: str) -> dict[str, str]:
        """Addresses of older models; of two of an age the first by name."""
        mine = (roster.created.get(name, "~"), name)
        return {
            address: other
            for other, addresses in self._addresses.get(namespace, {}).items()
            if (roster.created.get(other, "~"), other) < mine
            for address in addresses
        }

    def reserve(self, namespace: str, job: str, now: datetime) -> None:
        """The training is planned: it counts from now on, whether or not its Job can be created at once."""
        entries = self._trainings.setdefault(namespace, [])
        if not any(entry.pending and entry.job == job for entry in entries):
            entries.append(StartedTraining(job, now, pending=True))

    def confirm(self, namespace: str, jobs: Collection[str]) -> None:
        """These Jobs exist. A later Job of the same name counts again."""
        entries = self._trainings.get(namespace, [])
        entries[:] = [replace(entry, pending=False) if entry.job in jobs else entry for entry in entries]

    def _recent(self, namespace: str, now: datetime) -> tuple[StartedTraining, ...]:
        entries = self._trainings.get(namespace)
        if entries is None:
            return ()
        entries[:] = [entry for entry in entries if entry.at > now - HOUR]
        if not entries:
            del self._trainings[namespace]
        return tuple(entries)

    async def load(self, cluster: Cluster, namespaces: Sequence[str], now: datetime) -> None:
        """Count what exists. Trainings whose Job and model have both been deleted are not counted. Raises ApiError."""
        jobs = await collect(cluster, JOB, namespaces, TRAININGS)
        started = {(item.namespace, item.job): item for item in jobs if item.job}
        for found in await self.refresh(cluster, namespaces):
            recorded = found.recorded
            if recorded and (found.namespace, recorded.job) not in started:
                started[found.namespace, recorded.job] = replace(found, job=recorded.job, at=recorded.at)
        for item in sorted(started.values(), key=lambda item: item.at):
            if item.at > now - HOUR:
                pending = bool(item.recorded and item.recorded.pending)
                self._trainings.setdefault(item.namespace, []).append(StartedTraining(item.job, item.at, pending))

    async def refresh(self, cluster: Cluster, namespaces: Sequence[str]) -> "list[Counted]":
        """Correct the count of models and schedules, in case a watch has missed something; the models."""
        models: list[Counted] = []
        for kind in (RETRAIN_SCHEDULE, HEART_MODEL):
            before = self._known(kind)
            models = await collect(cluster, kind, namespaces)
            for found in models:
                self.add(kind, found.namespace, found.name, found.created)
            for namespace, name in before - {(found.namespace, found.name) for found in models}:
                self.remove(kind, namespace, name)
        return models

    def _known(self, kind: Kind) -> set[tuple[str, str]]:
        rosters = [(place, roster) for (of, place), roster in self._rosters.items() if of == kind]
        return {(namespace, name) for namespace, roster in rosters for name in roster.created}


@dataclass(frozen=True, slots=True)
class Counted:
    """What is kept of an object of a listing."""

    namespace: str
    name: str
    created: str
    at: datetime
    job: str = ""
    """Of a training Job: its name. Empty for the evaluation of a version from outside, which does not count."""
    recorded: StartedTraining | None = None
    """Of a model: its latest training, as the status has it."""


async def collect(cluster: Cluster, kind: Kind, namespaces: Sequence[str], selector: str = "") -> list[Counted]:
    """Every object of a kind; none where the cluster does not know the kind."""
    try:
        return await cluster.collect(kind, namespaces, counted, selector)
    except NotFound:
        return []


def counted(item: Manifest) -> Counted:
    meta = item["metadata"]
    created, job = meta["creationTimestamp"], meta["name"] if is_training(item) else ""
    return Counted(meta["namespace"], meta["name"], created, read(created), job, recorded_training(item))


def is_training(item: Manifest) -> bool:
    """True for the Job of a training, False for one that evaluates a version from outside or checks for drift."""
    meta = item["metadata"]
    trigger = (meta.get("annotations") or {}).get(Annotation.TRIGGER, "")
    component = (meta.get("labels") or {}).get(Label.COMPONENT)
    return item["kind"] == JOB.kind and component == Component.TRAINING and evaluated_version(trigger) is None


def recorded_training(item: Manifest) -> StartedTraining | None:
    """One that is recorded as running and has no Job is about to get one: its record was written first."""
    found = (item.get("status") or {}).get("training") if item["kind"] == HEART_MODEL.kind else None
    if not found or not found.get("startedAt"):
        return None
    return StartedTraining(found["job"], read(found["startedAt"]), pending=found.get("phase") == "Running")
