"""Rollout: which version is stable, which is the candidate, which stays warm, which is rejected.

    desired ──gate──► candidate ──steps, analysis, approval──► stable ──replaced──► previous ──rollbackWindow──► gone
                         └── rejected ◄── failed analysis, never ready, aborted       │
                                └──────── post-promotion analysis failed ◄────────────┘ previous serves again

A rollout needs a gate, a registry and pods. A rollback needs only a previous version.
"""

from datetime import datetime

from heart_api.heartmodel import PreviousStatus, RejectedStatus
from heart_operator.plan.gates.verdict import GateReport
from heart_operator.plan.observed import Observed
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.rollout.advance import go_on
from heart_operator.plan.rollout.commands import Roles, handle_command
from heart_operator.plan.rollout.context import effective_rollout, known_candidate
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.rollout.rollback import go_back
from heart_operator.plan.rollout.warm import keep_previous, way_back
from heart_operator.plan.rollout.watch import watch_stable
from heart_operator.plan.selection.gate_rejections import judge_rejections, without_renamed
from heart_operator.plan.selection.measurements import without_outdated
from heart_operator.plan.selection.rejections import with_rejection
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.versions import Version


def plan_rollout(
    observed: Observed,
    stable: Version | None,
    selection: Selection,
    gate: GateReport | None,
    unservable: RejectedStatus | None,
    obstacle: Obstacle | None,
    now: datetime,
) -> RolloutPlan:
    """Apply rejections, then commands, then the post-promotion analysis; then roll back, else roll forward.

    `gate`: the verdict on the selected version; None if there is none (yet). With an obstacle no rollout proceeds.
    `unservable`: the rejection of a version that cannot even be evaluated.
    """
    previous = keep_previous(observed, stable, selection.version, now)
    if observed.model.spec.suspend:
        return as_it_is(observed, stable, selection, previous)
    rejected = standing_rejections(observed, unservable)
    if obstacle is None:
        rejected = judge_rejections(observed, stable, selection, gate, rejected, now)
    has_way_back = way_back(observed, stable, previous, rejected) is not None
    roles = Roles(stable, known_candidate(observed, selection.version), rejected, has_way_back)
    handled = handle_command(observed, roles, effective_rollout(observed, stable), now)
    watched = watch_stable(observed, stable, handled.roles.rejected, now, has_way_back=has_way_back)
    rollout = RolloutPlan(
        stable, previous=previous, rejected=watched.rejected, command=handled.command, post_promotion=watched.status
    )
    returned = go_back(observed, rollout, selection.version, now)
    return returned or go_on(observed, rollout, selection, handled.roles.candidate, gate, obstacle, now)


def standing_rejections(observed: Observed, unservable: RejectedStatus | None) -> tuple[RejectedStatus, ...]:
    """Those of before that still count, and the newest."""
    rejected = without_outdated(observed, without_renamed(observed))
    return with_rejection(rejected, unservable, observed.model.spec.rollout.history_limit) if unservable else rejected


def as_it_is(
    observed: Observed, stable: Version | None, selection: Selection, previous: PreviousStatus | None
) -> RolloutPlan:
    """Suspended: every role stays with who has it."""
    status = observed.model.status
    candidate = selection.version if status.candidate else None
    return RolloutPlan(
        stable,
        candidate=candidate,
        progress=status.candidate,
        previous=previous,
        rejected=status.rejected,
        command=status.command,
        post_promotion=status.serving.post_promotion_analysis if status.serving else None,
    )
