"""What is planned: frozen values that the thin I/O carries out and reports."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, Self, TypeVar

from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.heartmodel import ConditionStatus, HeartModelStatus
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_api.status import JobRecord
from heart_operator.plan.observed import BlockedWorkload
from heart_operator.plan.quota import QuotaWait

Status = TypeVar("Status", HeartModelStatus, RetrainScheduleStatus, FederationSiteStatus)


@dataclass(frozen=True, slots=True)
class Scale:
    deployment: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over an object that has no living owner; Conflict when it is no longer as it was observed."""

    key: ObjectKey
    patch: tuple[dict[str, Any], ...]
    """A JSON Patch (RFC 6902)."""


@dataclass(frozen=True, slots=True)
class CloseRuns:
    """End MLflow runs that a killed Job left RUNNING."""

    trigger: str
    status: Literal["KILLED", "FAILED"]


@dataclass(frozen=True, slots=True)
class TagVersion:
    version: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class SetAlias:
    alias: Literal["serving", "candidate", "previous"]
    version: str | None
    """None: remove the alias."""


RegistryAction = CloseRuns | TagVersion | SetAlias


@dataclass(frozen=True, slots=True)
class Event:
    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ResourcePlan(Generic[Status]):
    """What to do about one resource.

    In this order: record facts, adopt, apply, create, scale, delete, report status, events.

    Applied before created: pods of a new Job or Deployment need their ServiceAccount and NetworkPolicies.
    """

    facts: Status
    """The whole next status with the conditions as they were; recorded before any action that depends on it."""
    adopt: tuple[Adopt, ...] = ()
    apply: tuple[Manifest, ...] = ()
    """Server-side applied, only where the living object differs."""
    create: tuple[Manifest, ...] = ()
    """POSTed once under a deterministic name (Jobs; a Deployment with its first replica count)."""
    scale: tuple[Scale, ...] = ()
    delete: tuple[ObjectKey, ...] = ()
    conditions: tuple[ConditionStatus, ...] = ()
    events: tuple[Event, ...] = ()
    blocked: tuple[BlockedWorkload, ...] = ()
    """What has no running pod, and why: for the metrics."""
    waits: tuple[QuotaWait, ...] = ()
    """What waits for a quota of the namespace: for the metrics."""
    requeue_after: float | None = None
    """Seconds until time alone changes the answer, half of one at least; None: only a change of the world does."""

    def with_jobs(self, created: Iterable[JobRecord]) -> Self:
        """The plan with the Jobs that carrying it out has created."""
        known = {entry.name: entry for entry in (*(self.facts.jobs or ()), *created)}
        jobs = tuple(known[name] for name in sorted(known))
        return replace(self, facts=self.facts.model_copy(update={"jobs": jobs}))

    @property
    def status(self) -> Status:
        """What to report once the plan is carried out; its events follow."""
        return self.facts.model_copy(update={"conditions": self.conditions})

    @property
    def has_actions(self) -> bool:
        """Whether anything but the status changes, so that the facts have to be recorded first."""
        return any((self.adopt, self.apply, self.create, self.scale, self.delete))


@dataclass(frozen=True, slots=True)
class Plan(ResourcePlan[HeartModelStatus]):
    """The plan of a HeartModel. The registry is written last: when MLflow is down, serving and status do not wait."""

    registry: tuple[RegistryAction, ...] = ()

    @property
    def status(self) -> HeartModelStatus:
        command = self.facts.command
        announced = command.model_copy(update={"announced": True}) if command else None
        return self.facts.model_copy(update={"conditions": self.conditions, "command": announced})

    @property
    def has_actions(self) -> bool:
        return any((self.adopt, self.apply, self.create, self.scale, self.delete, self.registry))


@dataclass(frozen=True, slots=True)
class SchedulePlan(ResourcePlan[RetrainScheduleStatus]):
    """The plan of a RetrainSchedule: it creates and deletes check Jobs, and never trains."""


@dataclass(frozen=True, slots=True)
class SitePlan(ResourcePlan[FederationSiteStatus]):
    """The plan of a FederationSite: everything in it is in the site's own namespace, and owned by the site."""
