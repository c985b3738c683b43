"""Jobs and Deployments whose pods do not run: what is said of them, how long is waited, and when a Job is given up."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from heart_api.kube.blocked import is_being_replaced
from heart_api.kube.values import Blocked, VersionDeployment
from heart_operator.plan.observed import BlockedWorkload, Observed, ObservedJob

GIVE_UP = timedelta(minutes=10)
"""How long a Job waits for a volume, ConfigMap or Secret that does not exist."""
CRASHES = frozenset({"Crash", "OutOfMemory", "InitContainer"})
"""Causes of pods that begin again and again; the rollout counts and judges these itself."""
RECENT = timedelta(minutes=2)
QUICK_SECONDS, SLOW_SECONDS = 5.0, 30.0
"""Until pods that do not run are observed again, while that is recent and later: events are not watched."""

Job = TypeVar("Job", bound=ObservedJob[Any, Any])


def settled(observed: Observed, now: datetime) -> Observed:
    """What counts as blocked by now: not a pod that is being replaced; a Job that has waited in vain has failed."""
    return replace(
        observed,
        jobs=tuple(settled_job(job, now) for job in observed.jobs),
        evaluations=tuple(settled_job(job, now) for job in observed.evaluations),
        checks=tuple(settled_job(job, now) for job in observed.checks),
        deployments=tuple(settled_deployment(entry, now) for entry in observed.deployments),
    )


def settled_job(job: Job, now: datetime) -> Job:
    job = unless_replaced(job, now)
    blocked = job.blocked
    if job.phase != "Running" or blocked is None or not blocked.hopeless or blocked.since is None:
        return job
    if now - blocked.since < GIVE_UP:
        return job
    why = f"its pod could not start within {GIVE_UP // timedelta(minutes=1)} minutes ({blocked.message})"
    return replace(job, phase="Failed", finished=now, why=why)


def unless_replaced(job: Job, now: datetime) -> Job:
    """The Job, not blocked while a lost pod of it is being replaced, or its end is about to be noticed."""
    return replace(job, blocked=None) if job.blocked and is_being_replaced(job.blocked, now) else job


def settled_deployment(entry: VersionDeployment, now: datetime) -> VersionDeployment:
    if entry.blocked is None or not is_being_replaced(entry.blocked, now):
        return entry
    return replace(entry, blocked=None, problem="" if entry.problem == entry.blocked.message else entry.problem)


def is_given_up(job: ObservedJob[Any, Any]) -> bool:
    """Kubernetes would still wait for its pod: the Job has to be deleted."""
    return job.phase == "Failed" and job.blocked is not None


def pending(job: ObservedJob[Any, Any], reason: str) -> dict[str, str]:
    """What the record of a running Job says besides; empty unless it is blocked."""
    return {"reason": reason, "message": job_text(job.name, job.blocked)} if job.blocked else {}


def job_text(name: str, blocked: Blocked) -> str:
    """Begins with what it is about: an event is repeated only when that changes."""
    return f"Job {name} cannot start ({blocked.cause}): {blocked}"


def pods_text(deployment: VersionDeployment | None) -> str:
    """` (Quota): <Kubernetes' message>. <advice>`, appended to a count of pods; empty unless they are blocked."""
    blocked = deployment.blocked if deployment else None
    return f" ({blocked.cause}): {blocked}" if blocked else ""


def is_pending(deployment: VersionDeployment | None) -> bool:
    """Pods were not made or cannot start; those that crash are another matter."""
    return deployment is not None and deployment.blocked is not None and deployment.blocked.cause not in CRASHES


def blocked_workloads(
    jobs: Iterable[ObservedJob[Any, Any]], deployments: Iterable[VersionDeployment] = ()
) -> tuple[BlockedWorkload, ...]:
    found = [
        BlockedWorkload("Job", job.name, job.blocked.cause) for job in jobs if job.blocked and job.phase == "Running"
    ]
    found += [BlockedWorkload("Deployment", entry.name, entry.blocked.cause) for entry in deployments if entry.blocked]
    return tuple(found)


def observe_again_after(since: Iterable[datetime], now: datetime) -> list[float]:
    """Seconds, for each workload that has had no running pod since then."""
    return [QUICK_SECONDS if now - moment < RECENT else SLOW_SECONDS for moment in since]
