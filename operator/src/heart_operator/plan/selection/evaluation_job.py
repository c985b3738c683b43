"""Evaluation of a version registered by hand: a Job measures it before the gates judge it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from heart_api.heartmodel import RejectedStatus, TrainingStatus
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import Reason, evaluated_version
from heart_api.times import written
from heart_operator.manifests.evaluation_job import build_evaluation_job
from heart_operator.plan.jobs import keys, superseded, surplus
from heart_operator.plan.observed import Observed, RegisteredVersion, TrainingJob
from heart_operator.plan.selection.measurements import comparison, find_record, is_lost, job_name, of_job, retried
from heart_operator.plan.selection.rejections import reject
from heart_operator.plan.versions import Version


@dataclass(frozen=True, slots=True)
class EvaluationPlan:
    """What is known of the version to be measured (None: nothing yet), and what to do about Jobs."""

    status: TrainingStatus | None = None
    """To be recorded: it outlives the Job's pod. Phase Succeeded: `versions.of_training` makes the Version of it."""
    rejected: RejectedStatus | None = None
    """The version cannot be served, whatever the gates say; recorded in `status.rejected`."""
    create: tuple[Manifest, ...] = ()
    delete: tuple[ObjectKey, ...] = ()


def plan_evaluation(
    observed: Observed,
    jobs: tuple[TrainingJob, ...],
    version: str,
    known: TrainingStatus | None,
    stable: Version | None,
    *,
    may_start: bool,
    now: datetime,
) -> EvaluationPlan:
    """One Job per trigger and one at a time; with `may_start` false only the end of a Job is noticed.

    `jobs`: the model's evaluation Jobs. `version`: the one that nothing is known of (empty: there is none).
    `known`: what was recorded of the newest evaluation.
    """
    registered = observed.registry.versions.get(version)
    if registered is None or observed.registry.error:
        delete = keys(superseded(jobs, "")) if may_start and not version else ()
        return EvaluationPlan(heard_of(jobs, known), delete=delete)
    record = find_record(observed, jobs, known, registered)
    trigger = record.trigger if record else new_trigger(observed, registered)
    others = superseded(jobs, trigger)
    if not may_start or others:
        return EvaluationPlan(record, rejection(observed, record, now), delete=keys(others) if may_start else ())
    status = record or started(observed, trigger, now)
    return EvaluationPlan(
        status,
        rejection(observed, status, now),
        create=missing_job(observed, jobs, status, stable),
        delete=keys((*lost(jobs, trigger), *surplus(jobs, trigger))),
    )


def heard_of(jobs: Iterable[TrainingJob], known: TrainingStatus | None) -> TrainingStatus | None:
    """The record of an evaluation that is no longer needed: the end of its Job, or nothing if the Job was removed."""
    if known is None or known.phase != "Running":
        return known
    job = next((job for job in jobs if job.trigger == known.trigger and not is_lost(job)), None)
    return of_job(job) if job else None


def new_trigger(observed: Observed, registered: RegisteredVersion) -> str:
    retry = retried(observed, registered.version)
    return "-".join(filter(None, (comparison(observed, registered), retry)))


def rejection(observed: Observed, status: TrainingStatus | None, now: datetime) -> RejectedStatus | None:
    """The digest is empty, as the file may not have been read. The trigger identifies the evaluation."""
    if status is None or status.reason != Reason.NOT_SERVABLE:
        return None
    for entry in observed.model.status.rejected:
        if (entry.reason, entry.gates_hash) == (Reason.NOT_SERVABLE, status.trigger):
            return entry
    return reject(Version(status.version or "", ""), Reason.NOT_SERVABLE, status.message or "", now, status.trigger)


def started(observed: Observed, trigger: str, now: datetime) -> TrainingStatus:
    return TrainingStatus(
        job=job_name(observed, trigger),
        trigger=trigger,
        phase="Running",
        started_at=written(now),
        version=evaluated_version(trigger),
    )


def missing_job(
    observed: Observed, jobs: tuple[TrainingJob, ...], status: TrainingStatus, stable: Version | None
) -> tuple[Manifest, ...]:
    """The Job of a running evaluation, if it does not exist: not created yet, or deleted."""
    if status.phase != "Running" or any(job.trigger == status.trigger for job in jobs):
        return ()
    assert observed.profile, "an evaluation starts only where the spec is valid"
    assert status.version, "its trigger names it"
    other = stable if stable and stable.digest and stable.version != status.version else None
    reference = other.reference if other else None
    return (build_evaluation_job(observed.model, observed.profile, status.trigger, status.version, reference),)


def lost(jobs: Iterable[TrainingJob], trigger: str) -> list[TrainingJob]:
    return [job for job in jobs if job.trigger == trigger and is_lost(job)]
