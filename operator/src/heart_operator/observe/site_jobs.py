"""A site's Jobs → the values that decisions use, and which of them are ours. No I/O."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import ValidationError

from heart_api.federation import SiteCheckOutcome, SiteFailure, SiteOutcome
from heart_api.federationsite import FederationSite
from heart_api.heartmodel import HeartModel
from heart_api.kube.jobs import is_waiting
from heart_api.kube.values import Blocked, Manifest
from heart_api.names import Annotation
from heart_api.profile import RuntimeProfile
from heart_api.times import read
from heart_operator.manifests.site_job import build_site_check_job, build_site_job
from heart_operator.observe.jobs import container_ends, end_time, failure_reason, job_phase, stated
from heart_operator.observe.own_jobs import Rebuild
from heart_operator.plan.federation.checks import check_trigger
from heart_operator.plan.federation.observed import SiteObserved
from heart_operator.plan.observed import ObservedJob

Outcome = TypeVar("Outcome", SiteCheckOutcome, SiteOutcome)


def is_check(job: Manifest) -> bool:
    """Whether the Job checks the site's data; any other takes part in the training of a model."""
    return not stated(job, Annotation.TRAINED_MODEL)


def parse_site_job(
    job: Manifest, pods: Iterable[Manifest], kind: type[Outcome], blocked: Blocked | None
) -> ObservedJob[Outcome, SiteFailure]:
    """A Job with what its newest pod left; `pods` only of a Job that has ended."""
    meta = job["metadata"]
    outcome, reason = newest_outcome(pods, kind)
    return ObservedJob(
        name=meta["name"],
        uid=meta["uid"],
        trigger=stated(job, Annotation.TRIGGER),
        created=read(meta["creationTimestamp"]),
        phase=job_phase(job),
        finished=end_time(job),
        result=outcome if outcome and outcome.failure is None else None,
        failure=outcome.failure if outcome else None,
        why=failure_reason(job, reason),
        waiting=is_waiting(job),
        blocked=blocked,
    )


def newest_outcome(pods: Iterable[Manifest], kind: type[Outcome]) -> tuple[Outcome | None, str]:
    """The termination message of the newest pod that left one, and the reason of the newest that ended badly."""
    newest = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    ends = [end for pod in newest for end in container_ends(pod)]
    outcomes = [outcome for end in ends if (outcome := read_outcome(end.get("message", ""), kind))]
    reasons = [end["reason"] for end in ends if end.get("reason") not in (None, "Completed", "Error")]
    return next(iter(outcomes), None), next(iter(reasons), "")


def read_outcome(message: str, kind: type[Outcome]) -> Outcome | None:
    """None for anything that is none: a container may die before it writes one."""
    try:
        return kind.model_validate_json(message)
    except ValidationError:
        return None


def rebuild_for_site(site: FederationSite, models: Mapping[str, HeartModel], profile: RuntimeProfile | None) -> Rebuild:
    """Check and training Jobs of a site, as its own spec and the models' statuses would have them now.

    Nothing is taken from the Job but the name of the model: it must be one that the site consents to, in a training
    that runs.
    """
    observed = SiteObserved(site, profile, models=models)

    def rebuild(job: Manifest) -> Manifest | None:
        if profile is None or profile.images.federation is None or site.spec.dataset is None:
            return None
        if is_check(job):
            return build_site_check_job(site, observed.consenting, profile, check_trigger(observed))
        reference = stated(job, Annotation.TRAINED_MODEL)
        consenting = {f"{model.namespace}/{model.name}": model for model in observed.consenting}
        model = consenting.get(reference)
        training = model.status.training if model else None
        if model is None or training is None or training.coordinator is None:
            return None
        return build_site_job(site, model, profile)

    return rebuild
