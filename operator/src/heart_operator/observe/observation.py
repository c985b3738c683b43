"""What one reconcile reads, once: frozen values that feed the plans of a HeartModel and of its RetrainSchedules."""

from collections.abc import Mapping
from dataclasses import dataclass

from heart_api.kube.kinds import Kind
from heart_api.kube.values import Manifest, ObjectKey
from heart_operator.plan.observed import Observed
from heart_operator.plan.schedule.observed import ScheduleObserved
from heart_operator.plan.selection.selection import Selection


@dataclass(frozen=True, slots=True)
class Owner:
    """A HeartModel or RetrainSchedule as the API server returned it, and the living objects that it owns."""

    kind: Kind
    raw: Manifest
    """Its resourceVersion is the precondition of every status write."""
    children: Mapping[ObjectKey, Manifest]

    @property
    def namespace(self) -> str:
        namespace: str = self.raw["metadata"]["namespace"]
        return namespace

    @property
    def name(self) -> str:
        name: str = self.raw["metadata"]["name"]
        return name

    @property
    def uid(self) -> str:
        uid: str = self.raw["metadata"]["uid"]
        return uid

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class SeenModel:
    """A HeartModel with everything that its plan is made from."""

    owner: Owner
    observed: Observed
    selection: Selection
    """The version that should serve, and whose evaluation `observed.registry` therefore holds."""


@dataclass(frozen=True, slots=True)
class SeenSchedule:
    """A RetrainSchedule with everything that its plan is made from."""

    owner: Owner
    observed: ScheduleObserved


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored object that does not fit the API's types, e.g. one from a newer version; `message` names the field."""

    owner: Owner
    message: str


@dataclass(frozen=True, slots=True)
class Unobserved:
    """A RetrainSchedule whose check Jobs could not be read; it is retried without holding up the others."""

    owner: Owner
    error: Exception


@dataclass(frozen=True, slots=True)
class Observation:
    """A model (None: it does not exist or is being deleted) and the schedules that name it."""

    model: SeenModel | Unreadable | None
    schedules: tuple[SeenSchedule | Unreadable | Unobserved, ...] = ()
