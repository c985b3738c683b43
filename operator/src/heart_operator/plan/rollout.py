"""Rollout: which version is to serve, which waits, which stays warm, which is refused.

    wanted ──gate──► candidate ──steps, analysis, approval──► stable ──replaced──► previous ──rollbackWindow──► gone
                        └── refused ◄── bad on traffic, never ready, aborted        │
                               └──────── stable that turned bad ◄───────────────────┘ previous serves again

Going forward needs a gate, a registry and pods. Going back needs only a version that served before.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from heart_operator.api.heartmodel import CandidateStatus, CommandStatus, PreviousStatus, RejectedStatus
from heart_operator.api.status import WatchStatus
from heart_operator.plan.canary import Move, next_move
from heart_operator.plan.commands import Roles, handle_command
from heart_operator.plan.gates import GateReport, gates_hash
from heart_operator.plan.looks import with_look
from heart_operator.plan.measured import without_outdated
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.rejections import find_rejection, reject, with_rejection
from heart_operator.plan.scale import wanted_count
from heart_operator.plan.scene import build_scene, candidate_status, effective_rollout, first_pods, known_candidate
from heart_operator.plan.selection import Selection
from heart_operator.plan.traffic import Traffic
from heart_operator.plan.values import Observed
from heart_operator.plan.verdicts import judge_rejections, without_renamed
from heart_operator.plan.versions import Version, deployment_of
from heart_operator.plan.warm import keep_previous, warm_deployment, warm_from, way_back
from heart_operator.plan.watch import watch_stable

NOBODY = Traffic()
Step = Literal["None", "Hold", "Start", "Go", "Overdue", "Promote", "Return"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """The roles once the plan is carried out; after the steps Promote and Return the new version is stable."""

    stable: Version | None
    candidate: Version | None = None
    progress: CandidateStatus | None = None
    """What is noted of the candidate."""
    previous: PreviousStatus | None = None
    rejected: tuple[RejectedStatus, ...] = ()
    step: Step = "None"
    why: str = ""
    """What a Hold or an overdue start waits for."""
    deadline: datetime | None = None
    traffic: Traffic = NOBODY
    candidate_pods: int = 0
    command: CommandStatus | None = None
    watch: WatchStatus | None = None

    @property
    def roles(self) -> set[str]:
        """Versions that have a reason to run."""
        found = {version.version for version in (self.stable, self.candidate) if version}
        return found | ({self.previous.version} if self.previous else set())


def plan_rollout(
    observed: Observed,
    stable: Version | None,
    selection: Selection,
    gate: GateReport | None,
    unservable: RejectedStatus | None,
    obstacle: Obstacle | None,
    now: datetime,
) -> Rollout:
    """`gate`: the verdict on the selected version, None: there is none (yet). With an obstacle nothing goes forward."""
    previous = keep_previous(observed, stable, selection.version, now)
    if observed.model.spec.suspend:
        return as_it_is(observed, stable, selection, previous)
    rejected = without_outdated(observed, without_renamed(observed))
    if unservable:
        rejected = with_rejection(rejected, unservable, observed.model.spec.rollout.history_limit)
    if obstacle is None:
        rejected = judge_rejections(observed, stable, selection, gate, rejected, now)
    back = way_back(observed, stable, previous, rejected)
    spec = effective_rollout(observed, stable)
    roles = Roles(stable, known_candidate(observed, selection.version), rejected, back is not None)
    handled = handle_command(observed, roles, spec, now)
    watched = watch_stable(observed, stable, handled.roles.rejected, now, has_way_back=back is not None)
    rollout = Rollout(
        stable, previous=previous, rejected=watched.rejected, command=handled.command, watch=watched.status
    )
    returned = go_back(observed, rollout, selection.version, now)
    return returned or go_on(observed, rollout, selection, handled.roles.candidate, gate, obstacle, now)


def as_it_is(
    observed: Observed, stable: Version | None, selection: Selection, previous: PreviousStatus | None
) -> Rollout:
    """Suspended: every role stays with who has it."""
    status = observed.model.status
    candidate = selection.version if status.candidate else None
    return Rollout(
        stable,
        candidate=candidate,
        progress=status.candidate,
        previous=previous,
        rejected=status.rejected,
        command=status.command,
        watch=status.serving.watch if status.serving else None,
    )


# --- back ---------------------------------------------------------------------------------------------


def go_back(observed: Observed, rollout: Rollout, wanted: Version | None, now: datetime) -> Rollout | None:
    """To the version that served before: at once while it is warm, since it has nothing left to prove."""
    stable, refused = rollout.stable, is_refused(observed, rollout, rollout.stable)
    if stable is None:
        return None
    target = way_back(observed, stable, rollout.previous, rollout.rejected) if refused else None
    warm = rollout.previous if warm_deployment(observed, rollout.previous) else None
    if target is None and wanted and warm and warm.version == wanted.version:
        target = wanted if not is_refused(observed, rollout, wanted) else None
    if target is None:
        return None
    if warm and warm.version == target.version:
        left = None if refused else warm_from(observed, stable, now)
        return replace(rollout, stable=target, previous=left, step="Return", watch=None)
    return restart(observed, rollout, target, now)


def restart(observed: Observed, rollout: Rollout, target: Version, now: datetime) -> Rollout:
    """The way back is cold: what was refused goes on serving until the pods of the version before are ready."""
    count = wanted_count(observed.model.spec.serving, deployment_of(observed, rollout.stable))
    deployment = deployment_of(observed, target)
    rollout = replace(rollout, candidate=target, candidate_pods=count, why="its pods to start again")
    if deployment is None:
        return replace(rollout, step="Start")
    if deployment.up_to_date and deployment.ready >= max(1, count):
        return replace(rollout, stable=target, candidate=None, previous=None, step="Return", watch=None)
    return replace(rollout, step="Go")


def is_refused(observed: Observed, rollout: Rollout, version: Version | None) -> bool:
    if version is None:
        return False
    return find_rejection(rollout.rejected, version, gates_hash(observed.model.spec.gates)) is not None


# --- forward -------------------------------------------------------------------------------------------


def go_on(
    observed: Observed,
    rollout: Rollout,
    selection: Selection,
    progress: CandidateStatus | None,
    gate: GateReport | None,
    obstacle: Obstacle | None,
    now: datetime,
) -> Rollout:
    """One move of the selected version, as far as gate, pods, traffic and people allow."""
    stable, wanted = rollout.stable, selection.version
    if wanted is None or (stable and wanted.version == stable.version) or is_refused(observed, rollout, wanted):
        return rollout
    rollout = replace(rollout, candidate=wanted)
    hold = find_hold(observed, rollout, selection, gate, obstacle)
    deployment = deployment_of(observed, wanted)
    status = progress or candidate_status(observed, wanted, deployment.created if deployment else now)
    if deployment is None:
        rollout = replace(rollout, progress=status, why=hold, candidate_pods=first_pods(observed, stable))
        return replace(rollout, step="None" if obstacle else "Hold" if hold else "Start")
    scene = build_scene(observed, stable, wanted, deployment, hold, now)
    return settle(observed, rollout, next_move(scene, with_look(observed, status, now)), now)


def find_hold(
    observed: Observed, rollout: Rollout, selection: Selection, gate: GateReport | None, obstacle: Obstacle | None
) -> str:
    """What the candidate waits for before it goes any further; empty: nothing."""
    if obstacle:
        return obstacle.message
    if not selection.pinned and (gate is None or not gate.passed):
        return "its gate"
    if rollout.candidate and rollout.candidate.version not in observed.registry.versions:
        return "the registry to list it"
    if wanted_count(observed.model.spec.serving, deployment_of(observed, rollout.stable)) == 0:
        # Promoting what never ran would trust it unproven, on the day when somebody needs it.
        return "spec.serving.replicas to be above 0"
    return ""


def settle(observed: Observed, rollout: Rollout, move: Move, now: datetime) -> Rollout:
    """The roles after a candidate's move."""
    if move.outcome == "Reject":
        return refuse(observed, rollout, move, now)
    if move.outcome == "Promote":
        before = rollout.stable
        previous = warm_from(observed, before, now) if before else None
        return replace(rollout, stable=rollout.candidate, candidate=None, previous=previous, step="Promote", watch=None)
    # Pods of a third version would answer, too, once the Service selects all of the model's pods.
    previous = None if move.status.weight and not observed.model.spec.serving.route else rollout.previous
    return replace(
        rollout,
        progress=move.status,
        previous=previous,
        step="Hold" if move.status.phase == "Held" else "Go",
        why=move.status.message,
        deadline=move.deadline,
        traffic=move.traffic,
        candidate_pods=move.pods,
    )


def refuse(observed: Observed, rollout: Rollout, move: Move, now: datetime) -> Rollout:
    """All traffic stays with, or goes back to, the stable version; the first version of all goes on trying."""
    if rollout.stable is None or rollout.candidate is None:
        return replace(
            rollout, progress=move.status, step="Overdue", why=move.message, candidate_pods=first_pods(observed, None)
        )
    entry = reject(rollout.candidate, move.reason, move.message, now)
    limit = observed.model.spec.rollout.history_limit
    return replace(rollout, candidate=None, rejected=with_rejection(rollout.rejected, entry, limit))
