"""The plan of one FederationSite: check its data, and take part in the trainings that its holder consents to.

The model's plan never writes into the namespace of a site. It records which sites belong to a training; each site's own
plan finds itself there and decides by its own spec.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from heart_api.federationsitestatus import FederationSiteStatus, SiteCheckStatus
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import SiteReason
from heart_operator.manifests.children import key_of
from heart_operator.manifests.site_children import build_site_children
from heart_operator.plan.actions import SitePlan
from heart_operator.plan.blocked import blocked_workloads, observe_again_after, settled_job
from heart_operator.plan.federation.checks import CheckPlan, model_states, plan_check
from heart_operator.plan.federation.observed import SiteObserved
from heart_operator.plan.federation.parts import LINGER, PartsPlan, plan_parts
from heart_operator.plan.federation.siteconditions import build_site_conditions, build_site_events
from heart_operator.plan.jobs import foreign_event, records
from heart_operator.plan.objects.diff import needs_apply, stamp
from heart_operator.plan.observed import ObservedJob
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.validate import dataset_problems

LEAST_SECONDS = 0.5
APPLIED = ("ServiceAccount", "NetworkPolicy")


def plan_site(observed: SiteObserved, now: datetime) -> SitePlan:
    """What to do next. At a fixed point the plan holds no action and no event, and its status is the stored one."""
    observed = settled(observed, now)
    obstacle = find_obstacle(observed)
    check = plan_check(observed, may_start=obstacle is None, now=now)
    parts = plan_parts(observed, may_start=obstacle is None, now=now)
    facts = build_facts(observed, check, parts)
    conditions = build_site_conditions(observed, facts, obstacle, check.blocked, now)
    children = tuple(stamp(child) for child in build_site_children(observed.site))
    before = observed.site.status
    return SitePlan(
        facts,
        apply=tuple(child for child in children if needs_apply(child, observed.children.get(key_of(child)))),
        create=(*check.create, *parts.create),
        delete=(*observed.foreign_jobs, *check.delete, *parts.delete, *to_remove(observed, children)),
        conditions=conditions,
        events=(*build_site_events(before, facts, conditions), *foreign_event(observed.foreign_jobs)),
        requeue_after=requeue_after(observed, check, parts, now),
        blocked=blocked_workloads((*observed.checks, *(part.job for part in observed.parts))),
    )


def settled(observed: SiteObserved, now: datetime) -> SiteObserved:
    """A Job that has waited in vain for a volume or Secret has failed."""
    parts = tuple(replace(part, job=settled_job(part.job, now)) for part in observed.parts)
    return replace(observed, checks=tuple(settled_job(job, now) for job in observed.checks), parts=parts)


def find_obstacle(observed: SiteObserved) -> Obstacle | None:
    """What keeps the operator from starting anything for the site."""
    spec, profile = observed.site.spec, observed.profile
    if spec.suspend:
        return Obstacle(SiteReason.SUSPENDED, "The consent is suspended; set spec.suspend to false to resume")
    if profile is None:
        known = ", ".join(observed.profiles) or "none"
        message = f"spec.runtime: runtime profile {spec.runtime!r} not found (available: {known})"
        return Obstacle(SiteReason.INVALID_SPEC, message)
    if profile.images.federation is None:
        return Obstacle(
            SiteReason.INVALID_SPEC,
            f"spec.runtime: the runtime profile {spec.runtime!r} has no image for federated trainings; ask the"
            f" administrator to set runtimes.{spec.runtime}.images.federation",
        )
    problems = list(dataset_problems(spec.dataset.uri, profile.data)) if spec.dataset else []
    return Obstacle(SiteReason.INVALID_SPEC, "; ".join(problems)) if problems else None


def build_facts(observed: SiteObserved, check: CheckPlan, parts: PartsPlan) -> FederationSiteStatus:
    """The next status, with the conditions as they were."""
    before = observed.site.status
    found: dict[str, Any] = {
        "observed_generation": observed.site.generation,
        "check": check.status,
        "trainings": parts.trainings,
        "last_training_time": max((entry.finished_at for entry in parts.trainings if entry.finished_at), default=None),
        "jobs": records((*observed.checks, *(part.job for part in observed.parts))),
        **check.found,
    }
    facts = before.model_copy(update=found)
    models = model_states(observed, facts.check, facts.problems)
    return facts.model_copy(update={"models": models, "last_error": last_error(facts, check.status)})


def last_error(facts: FederationSiteStatus, check: SiteCheckStatus | None) -> str | None:
    """Of the check, else of the latest training."""
    if check and check.phase == "Failed":
        return check.message
    latest = next((entry for entry in facts.trainings if entry.phase in ("Succeeded", "Failed")), None)
    return latest.message if latest and latest.phase == "Failed" else None


def to_remove(observed: SiteObserved, wanted: tuple[Manifest, ...]) -> tuple[ObjectKey, ...]:
    """What a site that moved elsewhere leaves behind."""
    keep = {key_of(child) for child in wanted}
    return tuple(key for key in observed.children if key.kind in APPLIED and key not in keep)


def requeue_after(observed: SiteObserved, check: CheckPlan, parts: PartsPlan, now: datetime) -> float | None:
    """Seconds until pods that do not run are observed again, a Job that should have ended is removed, or a check is
    tried again."""
    jobs: list[ObservedJob[Any, Any]] = [*observed.checks, *(part.job for part in observed.parts)]
    waits = observe_again_after((job.created for job in jobs if job.phase == "Running" and job.waiting), now)
    if parts.lingering:
        waits.append(LINGER.total_seconds())
    if check.next_attempt:
        waits.append((check.next_attempt - now).total_seconds())
    return max(LEAST_SECONDS, min(waits)) if waits else None
