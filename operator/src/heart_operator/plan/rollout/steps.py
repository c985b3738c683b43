"""How far a candidate is along `spec.rollout.steps`, and what its step needs to be done: pods, time, evidence."""

from datetime import datetime

from heart_api.heartmodel import CandidateStatus, Rollout, RolloutStep
from heart_api.pauses import pause_end
from heart_api.times import written
from heart_operator.plan.rollout.context import RolloutContext
from heart_operator.plan.rollout.experiment import is_won
from heart_operator.plan.rollout.traffic import asked_weight, pods_for


def walk(context: RolloutContext, status: CandidateStatus) -> CandidateStatus:
    """Past every step that is done."""
    if status.forced:
        return at_step(status, len(context.rollout.steps), context.now)
    while not is_past(context.rollout, status) and is_done(context, status, context.rollout.steps[status.step]):
        status = at_step(status, status.step + 1, context.now)
    return status


def at_step(status: CandidateStatus, step: int, now: datetime) -> CandidateStatus:
    return status if status.step == step else status.model_copy(update={"step": step, "step_since": written(now)})


def is_past(rollout: Rollout, status: CandidateStatus) -> bool:
    return status.step >= len(rollout.steps)


def is_done(context: RolloutContext, status: CandidateStatus, step: RolloutStep) -> bool:
    if status.paused or context.hold or not has_started(context, status):
        return False
    if step.pause is None:
        return context.deployment.ready >= pods_at(context, status) and (context.exact or not context.crowded)
    if experiment := context.rollout.experiment:
        return is_won(experiment, status)
    return pause_is_over(status, step, context.now) and evidence_permits(context, status)


def has_started(context: RolloutContext, status: CandidateStatus) -> bool:
    """Its first pods have been ready together once; from then on pods come and go without a new start."""
    return status.phase != "Starting" or context.deployment.ready >= pods_at(context, status)


def pods_at(context: RolloutContext, status: CandidateStatus) -> int:
    """Pods that the candidate should have now."""
    weight = asked_weight(context.rollout, status.step)
    if is_past(context.rollout, status) and (weight == 0 or takes_over(context, status)):
        return context.full
    return pods_for(context.rollout, weight, context.full, exact=context.exact)


def takes_over(context: RolloutContext, status: CandidateStatus) -> bool:
    """Its traffic and its approval let it serve."""
    return evidence_permits(context, status) and (status.approved or not context.manual)


def pause_is_over(status: CandidateStatus, step: RolloutStep, now: datetime) -> bool:
    end = pause_end(status, step)
    return end is not None and now >= end


def is_analysed(rollout: Rollout, status: CandidateStatus) -> bool:
    """Whether the steps so far gave it requests to be judged by."""
    return rollout.mirror.percent > 0 or asked_weight(rollout, status.step) > 0


def evidence_permits(context: RolloutContext, status: CandidateStatus) -> bool:
    """True with sufficient evidence, or if the spec continues without evidence."""
    if status.forced or not is_analysed(context.rollout, status):
        return True
    if experiment := context.rollout.experiment:
        return is_won(experiment, status) or is_past(context.rollout, status)
    analysis = status.analysis
    if analysis is None or analysis.intervals == 0:
        return False
    tolerated = analysis.verdict == "Inconclusive" and context.rollout.analysis.on_inconclusive == "Promote"
    return analysis.verdict == "Passed" or tolerated
