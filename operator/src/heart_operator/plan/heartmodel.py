"""The plan of one HeartModel: from the world as it is to the next step towards what the spec declares."""

from dataclasses import replace
from datetime import datetime

from heart_api.evaluation import ServingReference
from heart_api.names import Reason
from heart_operator.plan.actions import Plan
from heart_operator.plan.blocked import blocked_workloads, is_given_up, settled
from heart_operator.plan.check import plan_check
from heart_operator.plan.decision import Decision
from heart_operator.plan.gates.verdict import GateReport, judge
from heart_operator.plan.jobs import foreign_event, keys
from heart_operator.plan.objects.adoption import plan_adoption
from heart_operator.plan.objects.children import to_apply, to_remove, wanted_children
from heart_operator.plan.objects.deployments import new_deployments, scales, surplus_deployments
from heart_operator.plan.objects.drift_correction import to_mend
from heart_operator.plan.objects.registry import plan_registry
from heart_operator.plan.observed import Observed
from heart_operator.plan.obstacles import find_obstacle
from heart_operator.plan.quota import QuotaWait, models_wait
from heart_operator.plan.rollout.rollout import plan_rollout
from heart_operator.plan.selection.evaluation_job import plan_evaluation
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.status.conditions import build_conditions
from heart_operator.plan.status.events import build_events
from heart_operator.plan.status.facts import build_facts
from heart_operator.plan.status.outbox import with_outbox
from heart_operator.plan.status.requeue import requeue_after
from heart_operator.plan.training.training import plan_training
from heart_operator.plan.versions import Version, stable_version


def plan_heart_model(observed: Observed, selection: Selection, now: datetime) -> Plan:
    """What to do next. At a fixed point the plan holds no action and no event, and its status is the stored one.

    `selection`: what `select_version` found, whose evaluation is in `observed.registry`.
    """
    observed = settled(observed, now)
    decision = decide(observed, selection, now)
    conditions = build_conditions(decision)
    facts = build_facts(decision)
    facts = with_outbox(observed, facts, conditions, now)
    events = build_events(observed.model.status, facts.model_copy(update={"conditions": conditions}))
    plan = Plan(
        facts,
        conditions=conditions,
        events=events,
        requeue_after=requeue_after(decision, facts),
        blocked=blocked_workloads(observed.all_jobs, decision.running_deployments),
        waits=quota_waits(decision),
    )
    return plan if observed.model.spec.suspend else with_actions(plan, decision)


def quota_waits(decision: Decision) -> tuple[QuotaWait, ...]:
    """What of the model waits for a quota of its namespace."""
    observed, wait = decision.observed, decision.training.wait
    if decision.has_obstacle(Reason.QUOTA_EXCEEDED):
        wait = models_wait(observed.model.namespace, observed.model.spec.runtime, observed.profile, observed.usage)
    return (wait,) if wait else ()


def decide(observed: Observed, selection: Selection, now: datetime) -> Decision:
    """Obstacles first; then training, gate and rollout, each from what the one before found."""
    stable = stable_version(observed)
    obstacle = find_obstacle(observed, stable)
    training = plan_training(observed, stable, may_start=obstacle is None, now=now)
    evaluation = plan_evaluation(
        observed,
        observed.evaluations,
        selection.unknown,
        observed.model.status.evaluation,
        stable,
        may_start=obstacle is None,
        now=now,
    )
    gate = find_verdict(observed, stable, selection.version)
    rollout = plan_rollout(observed, stable, selection, gate, evaluation.rejected, obstacle, now)
    check = plan_check(observed)
    return Decision(observed, now, obstacle, training, evaluation, selection, gate, rollout, check)


def find_verdict(observed: Observed, stable: Version | None, wanted: Version | None) -> GateReport | None:
    """The gate's verdict on the version that should serve; None without its evaluation.

    A version that serves already is judged against what it replaced: it cannot be compared with itself.
    """
    evaluation = observed.registry.evaluation
    if wanted is None or evaluation is None or observed.registry.error:
        return None
    against: ServingReference | None = stable.reference if stable else None
    if stable and stable.version == wanted.version:
        against = evaluation.comparison.against if evaluation.comparison else None
    return judge(observed.model.spec.gates, evaluation, against)


def with_actions(plan: Plan, decision: Decision) -> Plan:
    """What has to be written so that the roles are as decided."""
    observed, rollout = decision.observed, decision.rollout
    children = wanted_children(observed, rollout) if keeps_children(decision) else None
    delete = (
        *decision.training.delete,
        *decision.evaluation.delete,
        *decision.check.delete,
        *observed.foreign_jobs,
        *keys(job for job in observed.all_jobs if is_given_up(job)),
        *surplus_deployments(decision),
        *(to_remove(observed, children) if children else ()),
    )
    return replace(
        plan,
        adopt=plan_adoption(observed, children or (), but=delete),
        apply=(*to_apply(observed, children or ()), *to_mend(observed, (rollout.stable, rollout.candidate))),
        create=(
            *decision.training.create,
            *decision.evaluation.create,
            *decision.check.create,
            *new_deployments(decision),
        ),
        scale=tuple(scales(decision)),
        delete=delete,
        events=(*plan.events, *foreign_event(observed.foreign_jobs)),
        registry=plan_registry(observed, rollout, decision.wanted, decision.gate, may_act=decision.obstacle is None),
    )


def keeps_children(decision: Decision) -> bool:
    """The plan for an invalid spec: it keeps the serving version as it is, and creates nothing."""
    return decision.rollout.stable is not None or not decision.has_obstacle(Reason.INVALID_SPEC)
