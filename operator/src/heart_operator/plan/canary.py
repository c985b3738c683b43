"""A candidate on its way through the steps: what it does next, from what it did and what its traffic shows.

Starting ──ready──► setWeight (Scaling) · pause (Paused) … ──► evidence (Held) ──► approval ──► Scaling ──► Promote
    └ readyDeadline     └ bad looks, crashes, progressDeadline: Reject; all traffic stays with the stable version
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from heart_operator.api.durations import seconds
from heart_operator.api.heartmodel import CandidateStatus, Rollout, RolloutStep
from heart_operator.api.names import Reason
from heart_operator.api.status import Phase
from heart_operator.plan.times import read, written
from heart_operator.plan.traffic import Traffic, asked_weight, pods_for, reached_weight
from heart_operator.plan.values import VersionDeployment

Outcome = Literal["Go", "Promote", "Reject"]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that a candidate's next move depends on."""

    rollout: Rollout
    deployment: VersionDeployment
    full: int
    """Pods that carry all of the traffic."""
    stable_ready: int
    manual: bool
    exact: bool
    """An HTTPRoute splits the traffic."""
    crowded: bool
    """Pods of a third version live, which a Service that spreads would reach."""
    frozen: str
    """Why it must not move on (an outage of the registry); empty: it may."""
    now: datetime


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
    phase, message = find_phase(scene, status)
    status = in_phase(status, phase, message, scene.now)
    pods = pods_at(scene, status)
    weight = asked_weight(scene.rollout, status.step)
    spread = may_spread(scene, status, weight, pods)
    reached = reached_weight(weight, scene.deployment.ready, scene.stable_ready, exact=scene.exact) if spread else 0
    base = status.base_replicas or (scene.full if spread else 0)
    status = status.model_copy(update={"weight": weight, "actual_weight": reached, "base_replicas": base})
    traffic = Traffic(
        candidate=status.version,
        spread=spread and not scene.exact,
        weight=weight if spread and scene.exact else 0,
        mirror_percent=scene.rollout.mirror.percent if scene.deployment.ready else 0,
    )
    ends = phase == "Scaling" and is_past(scene.rollout, status) and scene.deployment.ready >= pods
    return Move(status, pods, traffic, "Promote" if ends else "Go", deadline=find_deadline(scene, status))


# --- steps ---------------------------------------------------------------------------------------


def walk(scene: Scene, status: CandidateStatus) -> CandidateStatus:
    """Past every step that is done."""
    if status.forced:
        return at_step(status, len(scene.rollout.steps), scene.now)
    while not is_past(scene.rollout, status) and is_done(scene, status, scene.rollout.steps[status.step]):
        status = at_step(status, status.step + 1, scene.now)
    return status


def at_step(status: CandidateStatus, step: int, now: datetime) -> CandidateStatus:
    return status if status.step == step else status.model_copy(update={"step": step, "step_since": written(now)})


def is_past(rollout: Rollout, status: CandidateStatus) -> bool:
    return status.step >= len(rollout.steps)


def is_done(scene: Scene, status: CandidateStatus, step: RolloutStep) -> bool:
    if status.paused or scene.frozen or not has_started(scene, status):
        return False
    if step.pause is None:
        return scene.deployment.ready >= pods_at(scene, status) and (scene.exact or not scene.crowded)
    return pause_is_over(status, step, scene.now) and evidence_permits(scene, status)


def pause_is_over(status: CandidateStatus, step: RolloutStep, now: datetime) -> bool:
    end = pause_end(status, step)
    return end is not None and now >= end


def pause_end(status: CandidateStatus, step: RolloutStep) -> datetime | None:
    """None: only a person ends it."""
    if step.pause is None or step.pause.duration is None or status.step_since is None:
        return None
    return read(status.step_since) + timedelta(seconds=seconds(step.pause.duration))


def has_started(scene: Scene, status: CandidateStatus) -> bool:
    """Its first pods have been ready together once; from then on pods come and go without a new start."""
    return status.phase != "Starting" or scene.deployment.ready >= pods_at(scene, status)


# --- evidence ------------------------------------------------------------------------------------


def is_analysed(rollout: Rollout, status: CandidateStatus) -> bool:
    """Whether the steps so far gave it requests to be judged by."""
    return rollout.mirror.percent > 0 or asked_weight(rollout, status.step) > 0


def evidence_permits(scene: Scene, status: CandidateStatus) -> bool:
    """Good evidence, or none and a spec that goes on without."""
    if status.forced or not is_analysed(scene.rollout, status):
        return True
    analysis = status.analysis
    if analysis is None or analysis.looks == 0:
        return False
    tolerated = analysis.verdict == "Inconclusive" and scene.rollout.analysis.on_inconclusive == "Promote"
    return analysis.verdict == "Passed" or tolerated


def find_refusal(scene: Scene, status: CandidateStatus) -> tuple[str, str] | None:
    """(reason, message) of what ends the rollout; what the traffic shows comes first."""
    limit, analysis = scene.rollout.analysis.failure_limit, status.analysis
    if analysis and analysis.failures > limit and not status.forced:
        return Reason.CANARY_ANALYSIS_FAILED, f"{analysis.message} ({analysis.failures} bad looks in a row)"
    if status.phase != "Starting" and scene.deployment.crashes > limit:
        return Reason.CRASHING, f"its pods ended {scene.deployment.crashes} times{brackets(scene.deployment.problem)}"
    if scene.frozen or status.paused:
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


def brackets(problem: str) -> str:
    return f" ({problem})" if problem else ""


# --- phases --------------------------------------------------------------------------------------


def find_phase(scene: Scene, status: CandidateStatus) -> tuple[Phase, str]:
    """What it does, and in words what it waits for."""
    if not has_started(scene, status):
        return "Starting", f"its pods start{brackets(scene.deployment.problem)}"
    if status.paused:
        return "Paused", "it was paused by a person; `kubectl heart resume` goes on"
    if scene.frozen:
        return "Held", scene.frozen
    if is_past(scene.rollout, status):
        return phase_at_end(scene, status)
    step = scene.rollout.steps[status.step]
    if step.pause is None:
        return "Scaling", "more of its pods start" if not scene.crowded else "the pods of the version before go"
    if step.pause.duration is None:
        return "Paused", "it waits for a person; `kubectl heart promote` goes on"
    if not pause_is_over(status, step, scene.now):
        return "Paused", f"it is watched for {step.pause.duration}"
    return "Held", missing_evidence(status)


def phase_at_end(scene: Scene, status: CandidateStatus) -> tuple[Phase, str]:
    if not evidence_permits(scene, status):
        return "Held", missing_evidence(status)
    if scene.manual and not status.approved:
        return "AwaitingApproval", "it waits for approval; `kubectl heart promote` gives it"
    return "Scaling", "the rest of its pods start"


def missing_evidence(status: CandidateStatus) -> str:
    if status.analysis is None or status.analysis.looks == 0:
        return "it waits for the first look at its traffic"
    return f"it waits for evidence: {status.analysis.message}"


def in_phase(status: CandidateStatus, phase: Phase, message: str, now: datetime) -> CandidateStatus:
    moved = phase != status.phase or status.phase_since is None
    began = written(now) if moved else status.phase_since
    step_since = status.step_since or (written(now) if phase != "Starting" else None)
    return status.model_copy(
        update={"phase": phase, "phase_since": began, "step_since": step_since, "message": message}
    )


def since(status: CandidateStatus, now: datetime) -> datetime:
    return read(status.phase_since) if status.phase_since else now


def waits_for_pods(scene: Scene, status: CandidateStatus) -> bool:
    return find_phase(scene, status)[0] in ("Starting", "Scaling")


# --- pods and times -------------------------------------------------------------------------------


def pods_at(scene: Scene, status: CandidateStatus) -> int:
    """Pods that the candidate should have now."""
    weight = asked_weight(scene.rollout, status.step)
    if is_past(scene.rollout, status) and (weight == 0 or takes_over(scene, status)):
        return scene.full
    return pods_for(scene.rollout, weight, scene.full, exact=scene.exact)


def takes_over(scene: Scene, status: CandidateStatus) -> bool:
    """Its traffic and its approval let it serve."""
    return evidence_permits(scene, status) and (status.approved or not scene.manual)


def may_spread(scene: Scene, status: CandidateStatus, weight: int, pods: int) -> bool:
    """Traffic comes with the first full set of pods, and stays while some of them are ready."""
    if weight == 0 or scene.deployment.ready == 0 or (scene.crowded and not scene.exact):
        return False
    return status.actual_weight > 0 or scene.deployment.ready >= pods


def find_deadline(scene: Scene, status: CandidateStatus) -> datetime | None:
    """The next moment at which time alone changes the answer (the looks at the traffic have one of their own)."""
    if scene.frozen or status.paused:
        return None
    if status.phase == "Starting":
        return scene.deployment.created + timedelta(seconds=seconds(scene.rollout.ready_deadline))
    if status.phase == "Scaling":
        return since(status, scene.now) + timedelta(seconds=seconds(scene.rollout.progress_deadline))
    if status.phase == "Paused" and not is_past(scene.rollout, status):
        return pause_end(status, scene.rollout.steps[status.step])
    return None
