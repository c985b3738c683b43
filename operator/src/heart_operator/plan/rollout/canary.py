"""A candidate on its way through the steps: what it does next, from what it did and what its traffic shows.

Starting ──ready──► setWeight (Scaling) · pause (Paused) … ──► evidence (Held) ──► approval ──► Scaling ──► Promote
    └ readyDeadline     └ bad looks, crashes, progressDeadline: Reject; all traffic stays with the stable version
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from heart_api.durations import seconds
from heart_api.heartmodel import CandidateStatus
from heart_api.names import Reason
from heart_api.pauses import pause_end
from heart_operator.manifests.traffic import Traffic
from heart_operator.plan.rollout.context import Scene
from heart_operator.plan.rollout.phases import brackets, find_phase, in_phase, since
from heart_operator.plan.rollout.steps import is_analysed, is_past, pause_is_over, pods_at, walk
from heart_operator.plan.rollout.traffic import asked_weight, reached_weight

Outcome = Literal["Go", "Promote", "Reject"]


@dataclass(frozen=True, slots=True)
class Move:
    """What the candidate does now. `reason` and `message` are for Reject."""

    status: CandidateStatus
    pods: int
    traffic: Traffic
    outcome: Outcome = "Go"
    reason: str = ""
    message: str = ""
    deadline: datetime | None = None


def next_move(scene: Scene, status: CandidateStatus) -> Move:
    """`status` has the newest look at the traffic in it already (`with_look`)."""
    status = walk(scene, status)
    if refusal := find_refusal(scene, status):
        return Move(status, scene.deployment.replicas, Traffic(), "Reject", *refusal)
    status = in_phase(scene, status)
    pods = pods_at(scene, status)
    status, traffic = with_traffic(scene, status, pods)
    ends = status.phase == "Scaling" and is_past(scene.rollout, status) and scene.deployment.ready >= pods
    return Move(status, pods, traffic, "Promote" if ends else "Go", deadline=find_deadline(scene, status))


def find_refusal(scene: Scene, status: CandidateStatus) -> tuple[str, str] | None:
    """(reason, message) of what ends the rollout; what the traffic shows comes first."""
    limit, analysis = scene.rollout.analysis.failure_limit, status.analysis
    if analysis and analysis.failures > limit and not status.forced:
        return Reason.CANARY_ANALYSIS_FAILED, f"{analysis.message} ({analysis.failures} bad looks in a row)"
    if status.phase != "Starting" and scene.deployment.crashes > limit:
        return Reason.CRASHING, f"its pods ended {scene.deployment.crashes} times{brackets(scene.deployment.problem)}"
    if scene.hold or status.paused:
        return None
    if gives_up_without_evidence(scene, status):
        assert analysis
        return Reason.CANARY_ANALYSIS_FAILED, f"no verdict in time, and onInconclusive is Rollback: {analysis.message}"
    return overdue(scene, status)


def gives_up_without_evidence(scene: Scene, status: CandidateStatus) -> bool:
    analysis = status.analysis
    if scene.rollout.analysis.on_inconclusive != "Rollback" or status.forced or analysis is None:
        return False
    at_end = is_past(scene.rollout, status) or pause_is_over(status, scene.rollout.steps[status.step], scene.now)
    needed = is_analysed(scene.rollout, status) and analysis.looks > 0
    return needed and at_end and analysis.verdict == "Inconclusive"


def overdue(scene: Scene, status: CandidateStatus) -> tuple[str, str] | None:
    """Pods that do not come up: at the start by readyDeadline, later by progressDeadline."""
    if scene.deployment.ready >= pods_at(scene, status) or not waits_for_pods(scene, status):
        return None
    count = f"{scene.deployment.ready} of {pods_at(scene, status)} pods were ready"
    problem = brackets(scene.deployment.problem)
    if status.phase == "Starting":
        patience = scene.rollout.ready_deadline
        late = scene.now >= scene.deployment.created + timedelta(seconds=seconds(patience))
        return (Reason.NEVER_READY, f"{count} {patience} after their start{problem}") if late else None
    patience = scene.rollout.progress_deadline
    late = status.phase == "Scaling" and scene.now >= since(status, scene.now) + timedelta(seconds=seconds(patience))
    return (Reason.PROGRESS_DEADLINE_EXCEEDED, f"{count} after {patience} without progress{problem}") if late else None


def waits_for_pods(scene: Scene, status: CandidateStatus) -> bool:
    return find_phase(scene, status)[0] in ("Starting", "Scaling")


def with_traffic(scene: Scene, status: CandidateStatus, pods: int) -> tuple[CandidateStatus, Traffic]:
    """What it gets at its step, as far as it may get any, and the same for its status."""
    weight = asked_weight(scene.rollout, status.step)
    spread = may_spread(scene, status, weight, pods)
    arrives = spread and not scene.refused
    reached = reached_weight(weight, scene.deployment.ready, scene.stable_ready, exact=scene.exact) if arrives else 0
    base = status.base_replicas or (scene.full if spread else 0)
    traffic = Traffic(
        candidate=status.version,
        spread=spread and not scene.exact,
        weight=weight if spread and scene.exact else 0,
        mirror_percent=scene.rollout.mirror.percent if scene.deployment.ready else 0,
    )
    return status.model_copy(update={"weight": weight, "actual_weight": reached, "base_replicas": base}), traffic


def may_spread(scene: Scene, status: CandidateStatus, weight: int, pods: int) -> bool:
    """Traffic comes with the first full set of pods, and stays while some of them are ready."""
    if weight == 0 or scene.deployment.ready == 0 or (scene.crowded and not scene.exact):
        return False
    return status.actual_weight > 0 or scene.deployment.ready >= pods


def find_deadline(scene: Scene, status: CandidateStatus) -> datetime | None:
    """The next moment at which time alone changes the answer (the looks at the traffic have one of their own)."""
    if scene.hold or status.paused:
        return None
    if status.phase == "Starting":
        return scene.deployment.created + timedelta(seconds=seconds(scene.rollout.ready_deadline))
    if status.phase == "Scaling":
        return since(status, scene.now) + timedelta(seconds=seconds(scene.rollout.progress_deadline))
    if status.phase == "Paused" and not is_past(scene.rollout, status):
        return pause_end(status, scene.rollout.steps[status.step])
    return None
