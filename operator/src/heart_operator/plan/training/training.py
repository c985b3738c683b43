"""Training: when a Job starts, and what its end means."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from heart_api.heartmodel import TrainingStatus
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import Reason
from heart_api.status import CoordinatorStatus
from heart_api.times import written
from heart_operator.manifests import training_job
from heart_operator.manifests.coordinator_job import build_coordinator_job
from heart_operator.manifests.training_job import build_training_job
from heart_operator.plan.blocked import pending
from heart_operator.plan.federation.sites import SiteWait, followed, participants, site_wait, with_result
from heart_operator.plan.jobs import keys, superseded, surplus
from heart_operator.plan.observed import Observed, TrainingJob
from heart_operator.plan.quota import QuotaWait, training_wait
from heart_operator.plan.training.attempts import another_attempt, latest_attempt
from heart_operator.plan.training.failures import failure_of
from heart_operator.plan.training.triggers import current_trigger, is_asked_for
from heart_operator.plan.versions import Version, of_deployment


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """The training that counts now (None: none yet) and what to do about Jobs."""

    status: TrainingStatus | None
    wanted: bool
    """The spec requires a training that has not started."""
    wait: QuotaWait | None = None
    """Why its Job is not created yet."""
    site_wait: SiteWait | None = None
    """The same, where sites are the reason."""
    pinned: bool = False
    """The spec was not trained for, and is not, as it names the version to serve by its number."""
    create: tuple[Manifest, ...] = ()
    delete: tuple[ObjectKey, ...] = ()


def plan_training(observed: Observed, stable: Version | None, *, may_start: bool, now: datetime) -> TrainingPlan:
    """One Job per trigger and one at a time; with `may_start` false only the end of a Job is noticed."""
    trigger = current_trigger(observed)
    record = training_record(observed, trigger)
    others = superseded(observed.jobs, trigger)
    pinned = record is None and bool(observed.model.spec.pinned_version) and not is_asked_for(observed)
    if not may_start:
        return TrainingPlan(record or last_record(observed), record is None and not pinned, pinned=pinned)
    if pinned:
        return without_training(observed, others, trigger)
    if others:
        return TrainingPlan(record or last_record(observed, but=others), record is None, delete=keys(others))
    delete = keys(surplus(observed.jobs, trigger))
    if record is None and (held := site_wait(observed)):
        return TrainingPlan(last_record(observed), wanted=True, site_wait=held, delete=delete)
    status = record or started(observed, trigger, now)
    create = missing_job(observed, status, stable)
    if create and (wait := find_wait(observed, status.job, now)):
        return TrainingPlan(record or last_record(observed), record is None, wait, delete=delete)
    return TrainingPlan(status, wanted=False, create=create, delete=delete)


def without_training(observed: Observed, others: Iterable[TrainingJob], trigger: str) -> TrainingPlan:
    """Nothing is trained for a spec that names the version to serve; what ran for an earlier one is called off."""
    last = last_record(observed, but=others)
    ended = last if last and last.phase != "Running" else None
    delete = keys((*others, *surplus(observed.jobs, trigger)))
    return TrainingPlan(ended, wanted=False, pinned=True, delete=delete)


def find_wait(observed: Observed, job: str, now: datetime) -> QuotaWait | None:
    """Why this Job may not be created now."""
    model = observed.model
    return training_wait(model.namespace, model.spec.runtime, observed.profile, observed.usage, job, now)


def training_record(observed: Observed, trigger: str) -> TrainingStatus | None:
    """What is known of this trigger's training: the status once it is final, else the Job, else a Deployment.

    The registry is not asked, for its tags prove nothing: a Job finds what was registered before by its seal, at once.
    """
    known = observed.model.status.training
    known = known if known and known.trigger == trigger else None
    if known and known.phase != "Running":
        return known
    if job := latest_attempt(observed.jobs, trigger):
        again = another_attempt(job, observed.model.spec.training.backoff_limit)
        return with_sites(observed, of_job(job), job, known) if again is None else of_attempt(observed, job, again)
    return known or of_deployments(observed, trigger)


def last_record(observed: Observed, but: Iterable[TrainingJob] = ()) -> TrainingStatus | None:
    """The recorded training, though the spec has moved on, brought up to date.

    The record of a Job that is called off goes with it: one that says Running would have it made again.
    """
    known = observed.model.status.training
    called_off = known is not None and known.trigger in {job.trigger for job in but}
    return training_record(observed, known.trigger) if known and not called_off else None


def of_job(job: TrainingJob) -> TrainingStatus:
    status = TrainingStatus(job=job.name, trigger=job.trigger, phase=job.phase, started_at=written(job.created))
    if job.phase == "Running":
        return status.model_copy(update=pending(job, Reason.TRAINING_PENDING))
    ended = {"finished_at": written(job.finished or job.created)}
    if job.result is None:
        reason, message = failure_of(job)
        return status.model_copy(update=ended | {"phase": "Failed", "reason": reason, "message": message})
    return status.model_copy(update=ended | {"phase": "Succeeded", **job.result.model_dump(exclude={"sites"})})


def with_sites(
    observed: Observed, status: TrainingStatus, job: TrainingJob, known: TrainingStatus | None
) -> TrainingStatus:
    """The record of a federated training's Job with what is known of its sites, fixed when it started."""
    if known is None or known.sites is None:
        return status
    coordinator = known.coordinator
    if coordinator is None and observed.coordinator:
        coordinator = CoordinatorStatus.model_validate(observed.coordinator.model_dump())
    if status.phase == "Running":
        return status.model_copy(update={"sites": followed(observed, known.sites), "coordinator": coordinator})
    reported = job.result.sites if job.result else job.failure.sites if job.failure else None
    seen = {f"{entry.namespace}/{entry.name}": entry.model_dump() for entry in reported or ()}
    sites = tuple(with_result(entry, seen[entry.site]) if entry.site in seen else entry for entry in known.sites)
    return status.model_copy(update={"sites": sites, "coordinator": coordinator})


def of_attempt(observed: Observed, lost: TrainingJob, attempt: int) -> TrainingStatus:
    """The attempt that follows a lost one."""
    name = job_name(observed, lost.trigger, attempt)
    return TrainingStatus(
        job=name, trigger=lost.trigger, phase="Running", started_at=written(lost.finished or lost.created)
    )


def of_deployments(observed: Observed, trigger: str) -> TrainingStatus | None:
    """A version of this trigger runs: nothing is trained again though Job and status are gone."""
    for deployment in observed.deployments:
        if deployment.trigger == trigger:
            version = of_deployment(deployment)
            return TrainingStatus(
                job=job_name(observed, trigger),
                trigger=trigger,
                phase="Succeeded",
                run_id=version.run_id or None,
                version=version.version,
                artifact_sha256=version.digest,
                evaluation_sha256=version.evaluation_sha256 or None,
            )
    return None


def started(observed: Observed, trigger: str, now: datetime) -> TrainingStatus:
    return TrainingStatus(
        job=job_name(observed, trigger),
        trigger=trigger,
        phase="Running",
        started_at=written(now),
        sites=participants(observed),
    )


def missing_job(observed: Observed, status: TrainingStatus, stable: Version | None) -> tuple[Manifest, ...]:
    """The Job of a running training, if it does not exist: not created yet, or deleted."""
    found = latest_attempt(observed.jobs, status.trigger)
    attempt = another_attempt(found, observed.model.spec.training.backoff_limit) if found else 0
    if status.phase != "Running" or attempt is None:
        return ()
    assert observed.profile, "a training starts only where the spec is valid"
    serving = stable.reference if stable and stable.digest else None
    if status.sites is not None:
        return (build_coordinator_job(observed.model, observed.profile, status.trigger, serving, status.sites),)
    return (build_training_job(observed.model, observed.profile, status.trigger, serving, attempt),)


def job_name(observed: Observed, trigger: str, attempt: int = 0) -> str:
    return training_job.job_name(observed.model, observed.profile, trigger, attempt)
