"""Going forward: one move of the selected version, and who has which role after it."""

from dataclasses import replace
from datetime import datetime

from heart_api.heartmodel import CandidateStatus
from heart_operator.plan.gates.verdict import GateReport
from heart_operator.plan.observed import Observed
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.rollout.canary import Move, next_move
from heart_operator.plan.rollout.context import build_context, candidate_status, first_pods, splits_exactly
from heart_operator.plan.rollout.experiment import with_experiment
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.rollout.rollback import is_rejected
from heart_operator.plan.rollout.sampling import with_analysis
from heart_operator.plan.rollout.scale import wanted_count
from heart_operator.plan.rollout.warm import warm_from
from heart_operator.plan.selection.rejections import reject, with_rejection
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.versions import Version, deployment_of


def go_on(
    observed: Observed,
    rollout: RolloutPlan,
    selection: Selection,
    progress: CandidateStatus | None,
    gate: GateReport | None,
    obstacle: Obstacle | None,
    now: datetime,
) -> RolloutPlan:
    """One move of the selected version, as far as gate, pods, traffic and people allow."""
    stable, wanted = rollout.stable, selection.version
    if wanted is None or (stable and wanted.version == stable.version) or is_rejected(observed, rollout, wanted):
        return rollout
    deployment = deployment_of(observed, wanted)
    if deployment is None and not is_admitted(selection, progress, gate, obstacle):
        return rollout
    rollout = replace(rollout, candidate=wanted)
    hold = find_hold(observed, rollout, selection, gate, obstacle)
    status = progress or candidate_status(observed, wanted, deployment.created if deployment else now)
    if deployment is None:
        rollout = replace(rollout, progress=status, why=hold, candidate_pods=first_pods(observed, stable))
        return replace(rollout, action="None" if obstacle else "Hold" if hold else "Start")
    context = build_context(observed, stable, wanted, deployment, hold, now)
    status = with_experiment(observed, with_analysis(observed, status, now), now)
    return settle(observed, rollout, next_move(context, status), now)


def is_admitted(
    selection: Selection, progress: CandidateStatus | None, gate: GateReport | None, obstacle: Obstacle | None
) -> bool:
    """True if a version without pods is a candidate; while its evaluation cannot be requested, it keeps its state."""
    if selection.pinned:
        return True
    if gate is None:
        return obstacle is not None and progress is not None
    return gate.passed


def find_hold(
    observed: Observed, rollout: RolloutPlan, selection: Selection, gate: GateReport | None, obstacle: Obstacle | None
) -> str:
    """What the candidate waits for before it goes any further; empty: nothing."""
    if obstacle:
        return obstacle.message
    if not selection.pinned and (gate is None or not gate.passed):
        return "its gate"
    if missing := missing_signature(observed, rollout.candidate):
        return missing
    if rollout.candidate and rollout.candidate.version not in observed.registry.versions:
        return "the registry to list it"
    if wanted_count(observed.model.spec.serving, deployment_of(observed, rollout.stable)) == 0:
        # Promoting a version that never ran would trust it untested.
        return "spec.serving.replicas to be above 0"
    return ""


def missing_signature(observed: Observed, candidate: Version | None) -> str:
    """Says that the candidate has no signature although the runtime profile asks for one; else empty."""
    asked = observed.profile is not None and observed.profile.signing is not None
    registered = observed.registry.versions.get(candidate.version) if candidate else None
    if not asked or registered is None or registered.signed:
        return ""
    return "a signature, which the runtime profile asks for: `python -m heart_trainer sign` makes one"


def settle(observed: Observed, rollout: RolloutPlan, move: Move, now: datetime) -> RolloutPlan:
    """The roles after a candidate's move."""
    if move.outcome == "Reject":
        return reject_candidate(observed, rollout, move, now)
    if move.outcome == "Promote":
        before = rollout.stable
        previous = warm_from(observed, before, now) if before else None
        return replace(
            rollout, stable=rollout.candidate, candidate=None, previous=previous, action="Promote", post_promotion=None
        )
    # Pods of a third version would answer, too, once the Service selects all of the model's pods.
    previous = None if move.status.weight and not splits_exactly(observed) else rollout.previous
    return replace(
        rollout,
        progress=move.status,
        previous=previous,
        action="Hold" if move.status.phase == "Held" else "Go",
        why=move.status.message,
        deadline=move.deadline,
        traffic=move.traffic,
        candidate_pods=move.pods,
    )


def reject_candidate(observed: Observed, rollout: RolloutPlan, move: Move, now: datetime) -> RolloutPlan:
    """All traffic stays with, or returns to, the stable version; the first version of a model is retried."""
    if rollout.stable is None or rollout.candidate is None:
        return replace(
            rollout, progress=move.status, action="Overdue", why=move.message, candidate_pods=first_pods(observed, None)
        )
    entry = reject(rollout.candidate, move.reason, move.message, now)
    limit = observed.model.spec.rollout.history_limit
    return replace(rollout, candidate=None, rejected=with_rejection(rollout.rejected, entry, limit))
