"""The conditions of the status: findings with their times."""

from collections.abc import Callable

from heart_api.heartmodel import ConditionStatus
from heart_api.names import Condition
from heart_api.times import written
from heart_operator.plan.decision import Decision
from heart_operator.plan.status.condition import Finding
from heart_operator.plan.status.findings import (
    find_available,
    find_exposed_registry,
    find_gate_passed,
    find_monitoring,
    find_progressing,
    find_ready,
    find_trained,
    previous_condition,
)
from heart_operator.plan.status.findings_rollout import find_rollout_succeeded
from heart_operator.plan.status.kstatus import add_kstatus

FINDERS: dict[str, Callable[[Decision], Finding]] = {
    Condition.READY: find_ready,
    Condition.AVAILABLE: find_available,
    Condition.PROGRESSING: find_progressing,
    Condition.TRAINED: find_trained,
    Condition.GATE_PASSED: find_gate_passed,
    Condition.ROLLOUT_SUCCEEDED: find_rollout_succeeded,
    Condition.MONITORING_CONFIGURED: find_monitoring,
}


def build_conditions(decision: Decision) -> tuple[ConditionStatus, ...]:
    """Every condition; the time of the last transition moves only when the status does."""
    findings = {type_: find(decision) for type_, find in FINDERS.items()}
    if exposed := find_exposed_registry(decision):
        findings[Condition.REGISTRY_SECURED] = exposed
    found = tuple(dated(decision, type_, finding) for type_, finding in findings.items())
    return add_kstatus(found, decision.observed.model.status.conditions, Condition.PROGRESSING, decision.now)


def dated(decision: Decision, type_: str, finding: Finding) -> ConditionStatus:
    old = previous_condition(decision, type_)
    since = old.last_transition_time if old and old.status == finding.status else written(decision.now)
    return ConditionStatus(
        type=type_,
        status=finding.status,
        reason=finding.reason,
        message=finding.message,
        last_transition_time=since,
        observed_generation=decision.observed.model.generation,
    )
