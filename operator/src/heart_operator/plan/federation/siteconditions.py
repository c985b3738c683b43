"""The conditions of a FederationSite, and the events that follow from what changed."""

from collections.abc import Iterable
from datetime import datetime

from heart_api.federationsitestatus import FederationSiteStatus, ModelState, SiteTrainingStatus
from heart_api.heartmodel import ConditionStatus
from heart_api.names import SiteCondition, SiteReason
from heart_api.times import written
from heart_operator.plan.actions import Event
from heart_operator.plan.federation.observed import SiteObserved
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.status.condition import Finding
from heart_operator.plan.status.kstatus import set_abnormal

WAITING = ("ModelNotFound", "NotNamed")
REASONS: dict[ModelState, str] = {
    "ContractMismatch": SiteReason.CONTRACT_MISMATCH,
    "TooFewRows": SiteReason.TOO_FEW_ROWS,
    "CheckFailed": SiteReason.CHECK_FAILED,
}
ANNOUNCED = {
    SiteReason.INVALID_SPEC,
    SiteReason.SUSPENDED,
    SiteReason.CHECK_FAILED,
    SiteReason.CHECK_PENDING,
    SiteReason.CONTRACT_MISMATCH,
    SiteReason.TOO_FEW_ROWS,
    SiteReason.CHECKED,
}
TROUBLE = ANNOUNCED - {SiteReason.CHECKED, SiteReason.SUSPENDED}


def build_site_conditions(
    observed: SiteObserved, facts: FederationSiteStatus, obstacle: Obstacle | None, blocked: str, now: datetime
) -> tuple[ConditionStatus, ...]:
    """The conditions; the time of the last transition moves only when the status does."""
    findings = {SiteCondition.READY: find_ready(observed, facts, obstacle)}
    if observed.site.spec.dataset:
        findings[SiteCondition.CHECKED] = find_checked(facts, blocked)
    old = {entry.type: entry for entry in observed.site.status.conditions}
    found = tuple(
        dated(type_, finding, old.get(type_), observed.site.generation, now) for type_, finding in findings.items()
    )
    ready = found[0]
    if ready.status != "False" or ready.reason in (SiteReason.SUSPENDED, SiteReason.WAITING_FOR_MODEL):
        return found
    if ready.reason == SiteReason.CHECK_FAILED and facts.check and facts.check.next_attempt_time:
        return found  # nobody has to act yet
    return set_abnormal(found, old.values(), SiteCondition.STALLED, ready, now)


def dated(type_: str, finding: Finding, old: ConditionStatus | None, generation: int, now: datetime) -> ConditionStatus:
    since = old.last_transition_time if old and old.status == finding.status else written(now)
    return ConditionStatus(
        type=type_,
        status=finding.status,
        reason=finding.reason,
        message=finding.message,
        last_transition_time=since,
        observed_generation=generation,
    )


def find_ready(observed: SiteObserved, facts: FederationSiteStatus, obstacle: Obstacle | None) -> Finding:
    """Whether the site can take part for one model at least."""
    if obstacle:
        return Finding("False", obstacle.reason, obstacle.message)
    if not observed.site.spec.allow:
        return Finding("False", SiteReason.NOTHING_ALLOWED, "spec.allow is empty: no model gets anything")
    active = [entry.model for entry in facts.trainings if entry.phase == "Running"]
    if active:
        return Finding("True", SiteReason.TRAINING, f"Taking part in the training of {', '.join(active)}")
    ready = [entry.model for entry in facts.models if entry.state == "Ready"]
    if ready:
        reason = SiteReason.READY if observed.site.spec.dataset else SiteReason.ELSEWHERE
        return Finding("True", reason, f"Ready for {', '.join(ready)}")
    return not_ready(facts)


def not_ready(facts: FederationSiteStatus) -> Finding:
    """The first model's trouble; a model that does not want the site is none."""
    if checking := next((entry for entry in facts.models if entry.state == "Checking"), None):
        return Finding("Unknown", SiteReason.CHECKING, checking.message)
    if trouble := next((entry for entry in facts.models if entry.state in REASONS), None):
        return Finding("False", REASONS[trouble.state], trouble.message)
    waiting = "; ".join(entry.message for entry in facts.models if entry.state in WAITING)
    return Finding("False", SiteReason.WAITING_FOR_MODEL, waiting)


def find_checked(facts: FederationSiteStatus, blocked: str) -> Finding:
    check = facts.check
    if blocked:
        return Finding("Unknown", SiteReason.CHECK_PENDING, blocked)
    if check is None:
        return Finding("Unknown", SiteReason.CHECKING, "Nothing has been checked yet")
    if check.phase == "Running":
        return Finding("Unknown", SiteReason.CHECKING, f"Job {check.job} is reading the data")
    if check.phase == "Failed":
        return Finding("False", SiteReason.CHECK_FAILED, check.message)
    if bad := next((entry for entry in facts.models if entry.state == "ContractMismatch"), None):
        return Finding("False", SiteReason.CONTRACT_MISMATCH, bad.message)
    return Finding("True", SiteReason.CHECKED, f"The data were checked at {check.time}")


def build_site_events(
    old: FederationSiteStatus, new: FederationSiteStatus, conditions: Iterable[ConditionStatus]
) -> tuple[Event, ...]:
    """One event per condition whose reason changed, and one per training that began or ended."""
    before = {entry.type: entry.reason for entry in old.conditions}
    told = {SiteCondition.READY, SiteCondition.CHECKED}
    found = [
        Event("Warning" if entry.reason in TROUBLE else "Normal", entry.reason, entry.message)
        for entry in conditions
        if entry.type in told and entry.reason in ANNOUNCED and before.get(entry.type) != entry.reason
    ]
    known = {entry.job: entry.phase for entry in old.trainings}
    found += [training_event(entry) for entry in new.trainings if known.get(entry.job) != entry.phase]
    return tuple(found)


def training_event(entry: SiteTrainingStatus) -> Event:
    match entry.phase:
        case "Running":
            return Event("Normal", SiteReason.TRAINING_JOINED, f"Job {entry.job} takes part in training {entry.model}")
        case "Withdrawn":
            return Event("Normal", SiteReason.CONSENT_WITHDRAWN, f"{entry.model}: {entry.message}")
        case "Failed":
            return Event("Warning", SiteReason.TRAINING_LEFT, f"{entry.model}: {entry.message}")
        case _:
            return Event("Normal", SiteReason.TRAINING_LEFT, f"{entry.model}: {entry.message}")
