"""The check of a site's data: when a Job reads them, and what it found for each model."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from heart_api.federationsitestatus import AllowedModelStatus, ColumnProblem, ModelState, SiteCheckStatus
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import short_hash, site_check_job_name
from heart_api.times import written
from heart_operator.manifests.site_job import build_site_check_job
from heart_operator.plan.blocked import job_text
from heart_operator.plan.federation.consent import names, refusal
from heart_operator.plan.federation.observed import SiteCheckJob, SiteObserved
from heart_operator.plan.federation.sites import rounded
from heart_operator.plan.jobs import keys, superseded, surplus

MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """The check that counts now (None: there is none to make), and what to do about Jobs."""

    status: SiteCheckStatus | None
    found: dict[str, Any] = field(default_factory=dict)
    """Fields of the site's status that a check has just answered."""
    create: tuple[Manifest, ...] = ()
    delete: tuple[ObjectKey, ...] = ()
    blocked: str = ""
    """Why its pod does not run."""


def check_trigger(observed: SiteObserved) -> str:
    """Changes with everything that a check answers: the data's place, the contracts, the bound on rows."""
    spec = observed.site.spec
    parts = {
        "dataset": spec.dataset.model_dump(mode="json", exclude_defaults=True) if spec.dataset else None,
        "minimumRows": spec.minimum_rows,
        "models": [(model.namespace, model.name, model.contract_hash) for model in observed.consenting],
    }
    return short_hash(json.dumps(parts, sort_keys=True))


def plan_check(observed: SiteObserved, *, may_start: bool) -> CheckPlan:
    """One Job for all models. Data are read only while the consent lasts and some model wants them."""
    trigger = check_trigger(observed)
    if not may_start or observed.site.spec.dataset is None or not observed.consenting:
        return CheckPlan(observed.site.status.check, delete=keys(superseded(observed.checks, "")))
    job = next((job for job in observed.checks if job.trigger == trigger), None)
    delete = keys((*superseded(observed.checks, trigger), *surplus(observed.checks, trigger)))
    record = check_record(observed, job, trigger)
    if record is None:
        name = site_check_job_name(observed.site.name, observed.site.uid, trigger)
        running = SiteCheckStatus(job=name, trigger=trigger, phase="Running")
        return CheckPlan(running, create=new_job(observed, trigger), delete=delete)
    found = answers(observed, job) if job else {}
    blocked = job_text(job.name, job.blocked) if job and job.blocked and job.phase == "Running" else ""
    return CheckPlan(record, found, delete=delete, blocked=blocked)


def new_job(observed: SiteObserved, trigger: str) -> tuple[Manifest, ...]:
    assert observed.profile, "a check starts only where the spec is valid"
    return (build_site_check_job(observed.site, observed.consenting, observed.profile, trigger),)


def check_record(observed: SiteObserved, job: SiteCheckJob | None, trigger: str) -> SiteCheckStatus | None:
    """What is known of today's check; None: it has to be made, as after a failure whose Job is gone."""
    known = observed.site.status.check
    known = known if known and known.trigger == trigger else None
    if known and known.phase != "Running" and (job or known.phase == "Succeeded"):
        return known
    return of_job(observed, job) if job else None


def of_job(observed: SiteObserved, job: SiteCheckJob) -> SiteCheckStatus:
    status = SiteCheckStatus(job=job.name, trigger=job.trigger, phase=job.phase)
    if job.phase == "Running":
        return status
    time = written(job.finished or job.created)
    if job.result is None:
        why = job.failure.message if job.failure else f"it ended early: {job.why or 'its pod was removed'}"
        return status.model_copy(update={"phase": "Failed", "time": time, "message": f"Job {job.name}: {why}"})
    enough = job.result.rows >= observed.site.spec.minimum_rows
    more = job.result.more_problems
    return status.model_copy(update={"phase": "Succeeded", "time": time, "enough_rows": enough, "more_problems": more})


def answers(observed: SiteObserved, job: SiteCheckJob) -> dict[str, Any]:
    """What the status takes from a check that has ended; nothing before, and nothing once its pods are gone."""
    known = observed.site.status.check
    if job.result is None or (known and known.trigger == job.trigger and known.phase != "Running"):
        return {}
    problems = [ColumnProblem.model_validate(found.model_dump()) for found in job.result.problems]
    return {
        "rows": rounded(job.result.rows),
        "public_key": job.result.public_key or observed.site.status.public_key,
        "problems": tuple(problems[:MOST_PROBLEMS]),
    }


# --- what it means for each model ---------------------------------------------------------------------------


def model_states(
    observed: SiteObserved, check: SiteCheckStatus | None, problems: tuple[ColumnProblem, ...]
) -> tuple[AllowedModelStatus, ...]:
    """One entry for each model of `spec.allow`, by name."""
    found = (model_state(observed, entry.model, check, problems) for entry in observed.site.spec.allow)
    return tuple(sorted(found, key=lambda entry: entry.model))


def model_state(
    observed: SiteObserved, name: str, check: SiteCheckStatus | None, problems: tuple[ColumnProblem, ...]
) -> AllowedModelStatus:
    model, site = observed.models.get(name), observed.site
    if model is None:
        missing = f"there is no HeartModel {name}, or the operator does not watch its namespace"
        return AllowedModelStatus(model=name, state="ModelNotFound", message=missing)
    if not names(model.spec.federation, site):
        message = f"HeartModel {name} does not name this site in spec.federation"
        return state_of(name, model.contract_hash, "NotNamed", message)
    refused = refusal(site, model)
    if refused and refused.contract:
        return state_of(name, model.contract_hash, "ContractMismatch", refused.message)
    if site.spec.dataset is None:
        return state_of(name, model.contract_hash, "Ready", "")
    return state_of(name, model.contract_hash, *by_check(observed, name, check, problems))


def state_of(name: str, contract: str, state: ModelState, message: str) -> AllowedModelStatus:
    return AllowedModelStatus(model=name, contract_hash=contract, state=state, message=message)


def by_check(
    observed: SiteObserved, name: str, check: SiteCheckStatus | None, problems: Iterable[ColumnProblem]
) -> tuple[ModelState, str]:
    """State and message by what the check of today's contracts found."""
    if check is None or check.phase == "Running" or check.trigger != check_trigger(observed):
        return "Checking", f"the data of FederationSite {observed.site.place} are being checked"
    if check.phase == "Failed":
        return "CheckFailed", f"the data of FederationSite {observed.site.place} cannot be read: {check.message}"
    ours = [found for found in problems if found.model == name]
    if ours or check.more_problems:
        return "ContractMismatch", contract_text(observed, ours, check)
    if not check.enough_rows:
        least = observed.site.spec.minimum_rows
        return "TooFewRows", f"FederationSite {observed.site.place} has fewer than {least} valid rows (minimumRows)"
    return "Ready", ""


def contract_text(observed: SiteObserved, problems: list[ColumnProblem], check: SiteCheckStatus) -> str:
    """Names three columns. Problems that are in the log alone may be those of another model."""
    if not problems:
        log = f"see the log of Job {check.job} (problems: {check.more_problems})"
        return f"data of FederationSite {observed.site.place} may break the contract: {log}"
    shown = "; ".join(": ".join(filter(None, (found.column, found.message))) for found in problems[:3])
    rest = len(problems[3:]) + check.more_problems
    more = f" (and {rest} more, in the log of Job {check.job})" if rest else ""
    return f"data of FederationSite {observed.site.place} break the contract: {shown}{more}"
