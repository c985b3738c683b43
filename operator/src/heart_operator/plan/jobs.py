"""Jobs of the trainer: which are in the way of another one, and which may go."""

from collections.abc import Iterable
from typing import Any, TypeVar

from heart_api.kube.kinds import JOB, TRAIN_JOB
from heart_api.kube.values import ObjectKey
from heart_api.names import Reason
from heart_api.status import JobRecord
from heart_operator.plan.actions import Event
from heart_operator.plan.observed import ObservedJob

KEPT_JOBS = 3
KINDS = {kind.kind: kind for kind in (JOB, TRAIN_JOB)}

AnyJob = TypeVar("AnyJob", bound=ObservedJob[Any, Any])


def newest_first(jobs: Iterable[AnyJob]) -> list[AnyJob]:
    """Times are whole seconds: of the Jobs of one second the running one is the newest, for one runs at a time."""
    return sorted(jobs, key=lambda job: (job.created, job.phase == "Running", job.name), reverse=True)


def superseded(jobs: Iterable[AnyJob], trigger: str) -> list[AnyJob]:
    """Jobs whose trigger is no longer requested: one Job runs at a time."""
    return [job for job in jobs if job.phase == "Running" and job.trigger != trigger]


def surplus(jobs: Iterable[AnyJob], trigger: str) -> list[AnyJob]:
    """Finished Jobs beyond the newest three; the current trigger's is never among them."""
    return [job for job in newest_first(jobs)[KEPT_JOBS:] if job.trigger != trigger and job.phase != "Running"]


def records(jobs: Iterable[ObservedJob[Any, Any]]) -> tuple[JobRecord, ...]:
    """What the status keeps, so that no other Job of the same name is believed."""
    ordered = sorted(jobs, key=lambda job: job.name)
    return tuple(JobRecord(name=job.name, uid=job.uid, template=job.template or None) for job in ordered)


def foreign_event(foreign: Iterable[ObjectKey]) -> tuple[Event, ...]:
    """Says which Jobs are removed because the operator did not create them."""
    names = ", ".join(key.name for key in foreign)
    message = f"Removing Jobs that HeartOps did not create, although they carry its owner reference: {names}"
    return (Event("Warning", Reason.FOREIGN_JOB, message),) if names else ()


def keys(jobs: Iterable[ObservedJob[Any, Any]]) -> tuple[ObjectKey, ...]:
    return tuple(ObjectKey(KINDS[job.kind].api_version, job.kind, job.name) for job in jobs)
