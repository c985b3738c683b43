"""How far a candidate is along `spec.rollout.steps`, and what its step needs to be done: pods, time, evidence."""

from datetime import datetime

from heart_api.heartmodel import CandidateStatus, Rollout, RolloutStep
from heart_api.pauses import pause_end
from heart_api.times import written
from heart_operator.plan.rollout.context import Scene
from heart_operator.plan.rollout.traffic import asked_weight, pods_for


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
    if status.paused or scene.hold or not has_started(scene, status):
        return False
    if step.pause is None:
        return scene.deployment.ready >= pods_at(scene, status) and (scene.exact or not scene.crowded)
    return pause_is_over(status, step, scene.now) and evidence_permits(scene, status)


def has_started(scene: Scene, status: CandidateStatus) -> bool:
    """Its first pods have been ready together once; from then on pods come and go without a new start."""
    return status.phase != "Starting" or scene.deployment.ready >= pods_at(scene, status)


def pods_at(scene: Scene, status: CandidateStatus) -> int:
    """Pods that the candidate should have now."""
    weight = asked_weight(scene.rollout, status.step)
    if is_past(scene.rollout, status) and (weight == 0 or takes_over(scene, status)):
        return scene.full
    return pods_for(scene.rollout, weight, scene.full, exact=scene.exact)


def takes_over(scene: Scene, status: CandidateStatus) -> bool:
    """Its traffic and its approval let it serve."""
    return evidence_permits(scene, status) and (status.approved or not scene.manual)


def pause_is_over(status: CandidateStatus, step: RolloutStep, now: datetime) -> bool:
    end = pause_end(status, step)
    return end is not None and now >= end


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
