"""When to reconcile a model again although nothing in the cluster changes."""

from collections.abc import Iterable
from datetime import datetime

from heart_api.heartmodel import HeartModelStatus
from heart_api.names import Condition, Reason
from heart_api.times import read
from heart_operator.plan.blocked import observe_again_after
from heart_operator.plan.decision import Decision
from heart_operator.plan.rollout.sampling import next_analysis_after

POLL_SECONDS = 30.0
"""Seconds until the next attempt at a registry that is needed and unavailable."""
FOLLOW_SECONDS = 10.0
"""Seconds between two looks at a federated training."""
STAGGER_SECONDS, LAST_TURN = 0.1, 600
"""Models that wait for the same moment are reconciled one after the other, the oldest first."""
LEAST_SECONDS = 0.5
"""Seconds between two reconciles that only time triggers."""


def requeue_after(decision: Decision, facts: HeartModelStatus) -> float | None:
    """Seconds until a deadline, the end of a window, or the next read of a registry that is needed."""
    rollout, moments = decision.rollout, []
    if decision.observed.model.spec.suspend:
        return None
    if rollout.deadline:
        moments.append((rollout.deadline - decision.now).total_seconds())
    if analysis := next_analysis(decision, facts):
        moments.append((analysis - decision.now).total_seconds())
    if rollout.previous:
        moments.append((read(rollout.previous.warm_until) - decision.now).total_seconds())
    if decision.training.wait and decision.training.wait.until:
        turn = STAGGER_SECONDS * min(decision.observed.usage.older, LAST_TURN)
        moments.append((decision.training.wait.until - decision.now).total_seconds() + turn)
    if needs_registry(decision) or has_just_failed(decision):
        moments.append(POLL_SECONDS)
    if trains_at_sites(facts):
        moments.append(FOLLOW_SECONDS)
    moments += observe_again_after(waiting_since(decision), decision.now)
    return max(LEAST_SECONDS, min(moments)) if moments else None


def trains_at_sites(facts: HeartModelStatus) -> bool:
    """A federated training runs: only its pod knows how far it is."""
    training = facts.training
    return training is not None and training.phase == "Running" and training.sites is not None


def waiting_since(decision: Decision) -> Iterable[datetime]:
    """Since when workloads that should have running pods have too few."""
    observed = decision.observed
    yield from (job.created for job in observed.all_jobs if job.phase == "Running" and job.waiting)
    ready = next((entry for entry in observed.model.status.conditions if entry.type == Condition.READY), None)
    changed = read(ready.last_transition_time) if ready else decision.now
    for entry in decision.running_deployments:
        if entry.ready < entry.replicas:
            yield max(entry.created, changed)


def next_analysis(decision: Decision, facts: HeartModelStatus) -> datetime | None:
    """The time of the next analysis, once the plan is carried out."""
    model = decision.observed.model
    return next_analysis_after(model.model_copy(update={"status": facts}), decision.now)


def needs_registry(decision: Decision) -> bool:
    if decision.has_obstacle(Reason.REGISTRY_UNAVAILABLE, Reason.REGISTRY_LOST, Reason.REGISTRY_NAME_TAKEN):
        return True
    unjudged = decision.wanted is not None and decision.gate is None
    return unjudged or (decision.rollout.candidate is not None and decision.rollout.action == "Hold")


def has_just_failed(decision: Decision) -> bool:
    """The registry's snapshot may be older than the end of the Job: an open run is found by the second reconcile."""
    ended = [
        read(record.finished_at)
        for record in (decision.training.status, decision.evaluation.status)
        if record and record.phase == "Failed" and record.finished_at
    ]
    return any((decision.now - moment).total_seconds() < POLL_SECONDS for moment in ended)
