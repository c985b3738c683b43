"""A site's part in trainings: which Jobs run, and what became of them.

Whatever a model's status says, a Job runs only while this very FederationSite consents; it is removed when that ends.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from heart_api.federationsite import FederationSite
from heart_api.federationsitestatus import SiteTrainingStatus
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import site_training_job_name
from heart_api.times import read, written
from heart_operator.manifests.site_job import build_site_job
from heart_operator.plan.blocked import job_text
from heart_operator.plan.federation.observed import PartJob, SiteObserved, SitePart
from heart_operator.plan.jobs import keys, newest_first

KEPT = 10
KEPT_JOBS = 3
LINGER = timedelta(minutes=1)
"""How long a Job may take to end by itself after its training."""
WITHDRAWN = "The consent ended during the training, and the Job was removed"
OVER = "The training ended first, and the Job was removed"
ENDED = ("Succeeded", "Failed", "Withdrawn")


@dataclass(frozen=True, slots=True)
class PartsPlan:
    """The site's trainings, newest first, and what to do about Jobs."""

    trainings: tuple[SiteTrainingStatus, ...]
    create: tuple[Manifest, ...] = ()
    delete: tuple[ObjectKey, ...] = ()
    lingering: bool = False
    """A Job is left to end by itself."""


def plan_parts(observed: SiteObserved, *, may_start: bool, now: datetime) -> PartsPlan:
    """One Job per training that the site is wanted in and consents to."""
    known = {entry.job: entry for entry in observed.site.status.trainings}
    wanted = {job_name(observed.site, model): model for model in observed.consenting if wants(model, observed.site)}
    missing = [name for name in missing_jobs(observed, wanted) if may_start]
    lingering = [part.job for part in observed.parts if part.job.name not in wanted and lingers(observed, part, now)]
    unwanted = [job for job in running(observed) if job.name not in wanted and job not in lingering]
    kept = {*wanted, *(job.name for job in lingering)}
    records = {name: started(wanted[name], name, known.get(name), now) for name in missing}
    records |= {part.job.name: of_part(part, known.get(part.job.name)) for part in observed.parts}
    records = {name: entry for name, entry in known.items() if name not in records} | records
    closed = (entry if name in kept else over(observed, entry, now) for name, entry in records.items())
    newest = sorted(closed, key=lambda entry: (entry.started_at or "", entry.job), reverse=True)
    delete = keys((*unwanted, *old_jobs(observed, wanted)))
    create = tuple(build(observed, wanted[name]) for name in missing)
    return PartsPlan(tuple(newest[:KEPT]), create, delete, bool(lingering))


def missing_jobs(observed: SiteObserved, wanted: Iterable[str]) -> list[str]:
    """Wanted Jobs that do not exist: not made yet, or deleted while they ran."""
    there = {part.job.name for part in observed.parts}
    ended = {entry.job for entry in observed.site.status.trainings if entry.phase in ENDED}
    return [name for name in wanted if name not in there | ended]


def running(observed: SiteObserved) -> list[PartJob]:
    return [part.job for part in observed.parts if part.job.phase == "Running"]


def old_jobs(observed: SiteObserved, wanted: Collection[str]) -> list[PartJob]:
    done = newest_first(part.job for part in observed.parts if part.job.phase != "Running")
    return [job for job in done[KEPT_JOBS:] if job.name not in wanted]


def lingers(observed: SiteObserved, part: SitePart, now: datetime) -> bool:
    """Whether the training of a running Job has only just ended, with the consent as it was."""
    model = observed.models.get(part.model)
    training = model.status.training if model and model in observed.consenting else None
    if part.job.phase != "Running" or training is None or training.trigger != part.job.trigger:
        return False
    return training.finished_at is not None and now - read(training.finished_at) < LINGER


def wants(model: HeartModel, site: FederationSite) -> bool:
    """Whether a training of the model runs that this very site belongs to, and sites know whom to trust."""
    training = model.status.training
    if training is None or training.phase != "Running" or training.coordinator is None or site.spec.dataset is None:
        return False
    return any(entry.site == str(site.place) and entry.uid == site.uid for entry in training.sites or ())


def job_name(site: FederationSite, model: HeartModel) -> str:
    assert model.status.training, "it runs"
    reference = f"{model.namespace}/{model.name}"
    return site_training_job_name(site.name, site.uid, reference, model.status.training.trigger)


def build(observed: SiteObserved, model: HeartModel) -> Manifest:
    assert observed.profile, "a part starts only where the spec is valid"
    return build_site_job(observed.site, model, observed.profile)


def started(model: HeartModel, name: str, known: SiteTrainingStatus | None, now: datetime) -> SiteTrainingStatus:
    assert model.status.training, "it runs"
    return SiteTrainingStatus(
        model=f"{model.namespace}/{model.name}",
        trigger=model.status.training.trigger,
        job=name,
        phase="Running",
        started_at=known.started_at if known and known.started_at else written(now),
    )


def of_part(part: SitePart, known: SiteTrainingStatus | None) -> SiteTrainingStatus:
    """The record of a Job that exists."""
    job = part.job
    if known and known.phase in ENDED:
        return known
    status = SiteTrainingStatus(
        model=part.model, trigger=job.trigger, job=job.name, phase=job.phase, started_at=written(job.created)
    )
    if job.phase == "Running":
        return status.model_copy(update={"message": job_text(job.name, job.blocked) if job.blocked else ""})
    said = job.failure.message if job.failure else job.why
    exchanges = f"{job.result.exchanges} exchanges answered" if job.result else ""
    update = {"finished_at": written(job.finished or job.created), "message": said or exchanges}
    return status.model_copy(update=update | ({"phase": "Failed"} if job.failure else {}))


def over(observed: SiteObserved, entry: SiteTrainingStatus, now: datetime) -> SiteTrainingStatus:
    """The record of a part that is not wanted any more: its Job is removed, or was."""
    if entry.phase != "Running":
        return entry
    consents = any(f"{model.namespace}/{model.name}" == entry.model for model in observed.consenting)
    end = {"phase": "Failed", "message": OVER} if consents else {"phase": "Withdrawn", "message": WITHDRAWN}
    return entry.model_copy(update=end | {"finished_at": written(now)})
