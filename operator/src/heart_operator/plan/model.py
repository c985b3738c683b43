"""The plan of one HeartModel: from the world as it is to the next step towards what the spec declares."""

from collections.abc import Iterable
from datetime import datetime

from heart_operator.api.evaluation import ServingReference
from heart_operator.api.names import Reason
from heart_operator.manifests.deployment import with_replicas
from heart_operator.plan.children import to_apply, to_remove, wanted_children
from heart_operator.plan.conditions import build_conditions
from heart_operator.plan.decision import Decision
from heart_operator.plan.evaluation import plan_evaluation
from heart_operator.plan.events import build_events
from heart_operator.plan.gates import GateReport, judge
from heart_operator.plan.looks import look_after
from heart_operator.plan.mend import is_outdated, to_mend, version_deployment
from heart_operator.plan.obstacles import find_obstacle
from heart_operator.plan.registry import plan_registry
from heart_operator.plan.rollout import plan_rollout
from heart_operator.plan.scale import plan_scale, wanted_count
from heart_operator.plan.selection import select_version
from heart_operator.plan.status import build_facts
from heart_operator.plan.times import read
from heart_operator.plan.training import plan_training
from heart_operator.plan.values import Manifest, ObjectKey, Observed, Plan, Scale
from heart_operator.plan.versions import Version, stable_version

POLL_SECONDS = 30.0
"""How soon to look again at a registry that is needed and cannot be used."""
LEAST_SECONDS = 0.5


def plan_heart_model(observed: Observed, now: datetime) -> Plan:
    """What to do next. At a fixed point the plan holds no action and no event, and its status is the stored one."""
    decision = decide(observed, now)
    conditions = build_conditions(decision)
    facts = build_facts(decision)
    requeue = requeue_after(decision)
    events = build_events(observed.model.status, facts.model_copy(update={"conditions": conditions}))
    if observed.model.spec.suspend:
        return Plan(facts, conditions=conditions, events=events, requeue_after=requeue)
    children = wanted_children(observed, decision.rollout) if keeps_children(decision) else None
    return Plan(
        facts,
        create=(*decision.training.create, *decision.evaluation.create, *new_deployments(decision)),
        apply=(*to_apply(observed, children or ()), *to_mend(observed, running_versions(decision))),
        scale=tuple(scales(decision)),
        delete=(
            *decision.training.delete,
            *decision.evaluation.delete,
            *surplus_deployments(decision),
            *(to_remove(observed, children) if children else ()),
        ),
        registry=plan_registry(
            observed, decision.rollout, decision.newest, decision.gate, may_act=decision.obstacle is None
        ),
        conditions=conditions,
        events=events,
        requeue_after=requeue,
    )


def decide(observed: Observed, now: datetime) -> Decision:
    """Obstacles first; then training, gate and rollout, each from what the one before found."""
    stable = stable_version(observed)
    obstacle = find_obstacle(observed, stable)
    training = plan_training(observed, stable, may_start=obstacle is None, now=now)
    selection = select_version(observed)
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
    rollout = plan_rollout(observed, stable, selection, gate, evaluation.refused, obstacle, now)
    return Decision(observed, now, obstacle, training, evaluation, selection, gate, rollout)


def find_verdict(observed: Observed, stable: Version | None, newest: Version | None) -> GateReport | None:
    """The gate's verdict on the newest version; None without its evaluation.

    A version that serves already is judged against what it replaced: it cannot be compared with itself.
    """
    evaluation = observed.registry.evaluation
    if newest is None or evaluation is None or observed.registry.error:
        return None
    against: ServingReference | None = stable.reference if stable else None
    if stable and stable.version == newest.version:
        against = evaluation.comparison.against if evaluation.comparison else None
    return judge(observed.model.spec.gates, evaluation, against)


def keeps_children(decision: Decision) -> bool:
    """An invalid spec must not take from what serves; where nothing does, it must not make anything."""
    return decision.rollout.stable is not None or not decision.has_obstacle(Reason.INVALID_SPEC)


def new_deployments(decision: Decision) -> Iterable[Manifest]:
    """The candidate's at the start of its rollout; the serving version's when somebody deleted it."""
    observed, rollout = decision.observed, decision.rollout
    count = wanted_count(observed.model.spec.serving, decision.stable_deployment)
    if rollout.action == "Start" and rollout.candidate:
        yield from deployment_manifest(observed, rollout.candidate, rollout.candidate_pods)
    if rollout.stable and decision.stable_deployment is None:
        yield from deployment_manifest(observed, rollout.stable, count)


def deployment_manifest(observed: Observed, version: Version, count: int) -> Iterable[Manifest]:
    """Nothing where no profile says how to run it, or nobody knows its bytes any more."""
    occupied = any(deployment.version == version.version for deployment in observed.deployments)
    if version.digest and not occupied and (built := version_deployment(observed, version)):
        yield with_replicas(built, count)


def running_versions(decision: Decision) -> tuple[Version | None, ...]:
    return decision.rollout.stable, decision.rollout.candidate


def scales(decision: Decision) -> list[Scale]:
    surplus = {key.name for key in surplus_deployments(decision)}
    stable = decision.stable_deployment
    candidate, count = decision.candidate_deployment, wanted_count(decision.observed.model.spec.serving, stable)
    others = {
        entry: decision.rollout.candidate_pods if entry == candidate else count
        for entry in decision.observed.deployments
        if entry.name not in surplus and entry != stable
    }
    return plan_scale(decision.observed, stable, others)


def surplus_deployments(decision: Decision) -> list[ObjectKey]:
    """Deployments without a role: superseded, refused, no longer warm. While an obstacle stands only the latter."""
    observed, rollout = decision.observed, decision.rollout
    kept = {entry.name for entry in observed.deployments if entry.version in rollout.running}
    if (candidate := rollout.candidate) and must_be_remade(decision):
        kept -= {entry.name for entry in observed.deployments if entry.version == candidate.version}
    surplus = [entry for entry in observed.deployments if entry.name not in kept]
    if decision.obstacle:
        before = observed.model.status.previous
        known = {entry.version for entry in rollout.rejected} | ({before.version} if before else set())
        surplus = [entry for entry in surplus if entry.version in known]
    return [ObjectKey("apps/v1", "Deployment", entry.name) for entry in surplus]


def must_be_remade(decision: Decision) -> bool:
    """The candidate's Deployment has other bytes, or would be built otherwise today and its pods do not start."""
    rollout, candidate = decision.rollout, decision.rollout.candidate
    if rollout.previous and candidate and rollout.previous.version == candidate.version:
        return False
    starts = rollout.action == "Overdue" or (rollout.progress is not None and rollout.progress.phase == "Starting")
    return decision.candidate_deployment is None or (starts and is_outdated(decision.observed, candidate))


def requeue_after(decision: Decision) -> float | None:
    """Seconds until a deadline or the end of a window, or until a registry that is needed is asked again."""
    rollout, moments = decision.rollout, []
    if decision.observed.model.spec.suspend:
        return None
    if rollout.deadline:
        moments.append((rollout.deadline - decision.now).total_seconds())
    if look := next_look_after(decision):
        moments.append((look - decision.now).total_seconds())
    if rollout.previous:
        moments.append((read(rollout.previous.warm_until) - decision.now).total_seconds())
    if needs_registry(decision) or has_just_failed(decision):
        moments.append(POLL_SECONDS)
    return max(LEAST_SECONDS, min(moments)) if moments else None


def next_look_after(decision: Decision) -> datetime | None:
    """The next look at the traffic, once the plan is carried out."""
    model = decision.observed.model
    return look_after(model.model_copy(update={"status": build_facts(decision)}), decision.now)


def needs_registry(decision: Decision) -> bool:
    if decision.has_obstacle(Reason.REGISTRY_UNAVAILABLE, Reason.REGISTRY_LOST, Reason.REGISTRY_NAME_TAKEN):
        return True
    unjudged = decision.newest is not None and decision.gate is None
    return unjudged or (decision.rollout.candidate is not None and decision.rollout.action == "Hold")


def has_just_failed(decision: Decision) -> bool:
    """The registry's view may be older than the end of the Job: a run left open is found at the second look."""
    ended = [
        read(record.finished_at)
        for record in (decision.training.status, decision.evaluation.status)
        if record and record.phase == "Failed" and record.finished_at
    ]
    return any((decision.now - moment).total_seconds() < POLL_SECONDS for moment in ended)
