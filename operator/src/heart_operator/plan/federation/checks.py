"""The check of a site's data: when a Job reads them, and what it found for each model."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from heart_api.federationsitestatus import AllowedModelStatus, ColumnProblem, ModelState, SiteCheckStatus
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import short_hash
from heart_api.times import read, written
from heart_operator.manifests.site_job import build_site_check_job
from heart_operator.plan.blocked import job_text
from heart_operator.plan.federation.attempts import (
    ATTEMPTS,
    attempt_names,
    attempt_of,
    latest_attempt,
    may_pass,
    name_after,
    next_attempt,
)
from heart_operator.plan.federation.consent import names, refusal
from heart_operator.plan.federation.observed import SiteCheckJob, SiteObserved
from heart_operator.plan.federation.sites import rounded
from heart_operator.plan.jobs import keys, superseded, surplus
from heart_operator.plan.training.failures import sentence

MOST_PROBLEMS = 20
USED_UP = (
    f"After {ATTEMPTS} attempts it is not tried again until the FederationSite's spec or a contract changes, or the Job"
    " is deleted"
)


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
    next_attempt: datetime | None = None
    """When it is tried again."""


def check_trigger(observed: SiteObserved) -> str:
    """Changes with everything that a check answers: the data's place, the contracts, the bound on rows."""
    spec = observed.site.spec
    parts = {
        "dataset": spec.dataset.model_dump(mode="json", exclude_defaults=True) if spec.dataset else None,
        "minimumRows": spec.minimum_rows,
        "models": [(model.namespace, model.name, model.contract_hash) for model in observed.consenting],
    }
    return short_hash(json.dumps(parts, sort_keys=True))


def plan_check(observed: SiteObserved, *, may_start: bool, now: datetime) -> CheckPlan:
    """One Job for all models. Data are read only while the consent lasts and some model wants them."""
    trigger = check_trigger(observed)
    if not may_start or observed.site.spec.dataset is None or not observed.consenting:
        return CheckPlan(observed.site.status.check, delete=keys(superseded(observed.checks, "")))
    job = latest_attempt(observed, trigger)
    known = check_record(observed, job, trigger)
    record = begun_if_due(observed, known, trigger, now)
    delete = keys((*unwanted(observed, record), *surplus(observed.checks, trigger)))
    if record.phase == "Running" and (job is None or job.name != record.job):
        return CheckPlan(record, create=new_job(observed, record), delete=delete)
    found = answers(observed, job) if job else {}
    blocked = job_text(job.name, job.blocked) if job and job.blocked and job.phase == "Running" else ""
    again = read(record.next_attempt_time) if record.next_attempt_time else None
    return CheckPlan(record, found, delete=delete, blocked=blocked, next_attempt=again)


def begun_if_due(observed: SiteObserved, known: SiteCheckStatus | None, trigger: str, now: datetime) -> SiteCheckStatus:
    """The record as it is, or that of the attempt that begins now: the first, or the one after a failure."""
    if known is None:
        return SiteCheckStatus(job=attempt_names(observed.site, trigger)[0], trigger=trigger, phase="Running")
    if known.next_attempt_time is None or now < read(known.next_attempt_time):
        return known
    return SiteCheckStatus(job=name_after(observed.site, trigger, known.job), trigger=trigger, phase="Running")


def unwanted(observed: SiteObserved, record: SiteCheckStatus) -> list[SiteCheckJob]:
    """Running checks of something else, and the attempts before this one."""
    before = [job for job in observed.checks if job.trigger == record.trigger and job.name != record.job]
    return [*superseded(observed.checks, record.trigger), *before]


def new_job(observed: SiteObserved, record: SiteCheckStatus) -> tuple[Manifest, ...]:
    assert observed.profile, "a check starts only where the spec is valid"
    site, attempt = observed.site, attempt_of(observed.site, record.trigger, record.job)
    return (build_site_check_job(site, observed.consenting, observed.profile, record.trigger, attempt),)


def check_record(observed: SiteObserved, job: SiteCheckJob | None, trigger: str) -> SiteCheckStatus | None:
    """What is known of today's check; None: it has to be made, as after a failure whose Job somebody deleted."""
    known = observed.site.status.check
    known = known if known and known.trigger == trigger else None
    if known and known.phase == "Succeeded":
        return known
    if job is None:
        return known if known and known.phase == "Running" else None
    return of_job(observed, job) if known is None or says_more(observed, job, known) else known


def says_more(observed: SiteObserved, job: SiteCheckJob, known: SiteCheckStatus) -> bool:
    """Whether the Job goes before the record, as of a later attempt, or one that began after it was given up.

    An ended Job may have lost its pods, and what they said, since the record was made.
    """
    recorded, found = (attempt_of(observed.site, known.trigger, name) for name in (known.job, job.name))
    if found != recorded:
        return found > recorded
    return known.phase == "Running" or job.phase == "Running" or job.result is not None


def of_job(observed: SiteObserved, job: SiteCheckJob) -> SiteCheckStatus:
    status = SiteCheckStatus(job=job.name, trigger=job.trigger, phase=job.phase)
    if job.phase == "Running":
        return status
    time = written(job.finished or job.created)
    if job.result is None:
        return status.model_copy(update={"phase": "Failed", "time": time, **failure(observed, job)})
    enough = job.result.rows >= observed.site.spec.minimum_rows
    more = job.result.more_problems
    return status.model_copy(update={"phase": "Succeeded", "time": time, "enough_rows": enough, "more_problems": more})


def failure(observed: SiteObserved, job: SiteCheckJob) -> dict[str, str]:
    """Why a check has no answer, and when it is tried again."""
    why = job.failure.message if job.failure else f"it ended early: {job.why or 'its pod was removed'}"
    message, attempt = f"Job {job.name}: {why}", attempt_of(observed.site, job.trigger, job.name)
    if again := next_attempt(job, attempt):
        time = written(again)
        return {"message": f"{sentence(message)} It is tried again at {time}", "next_attempt_time": time}
    return {"message": f"{sentence(message)} {USED_UP}" if may_pass(job) else message}


def answers(observed: SiteObserved, job: SiteCheckJob) -> dict[str, Any]:
    """What the status takes from a check that has ended; nothing before, and nothing once its pods are gone."""
    known = observed.site.status.check
    if job.result is None or (known and known.trigger == job.trigger and known.phase == "Succeeded"):
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
