"""The phase of a candidate, and the message that says what it waits for."""

from datetime import datetime

from heart_api.heartmodel import CandidateStatus
from heart_api.status import Phase
from heart_api.times import read, written
from heart_operator.plan.rollout.context import RolloutContext
from heart_operator.plan.rollout.experiment import describe
from heart_operator.plan.rollout.steps import evidence_permits, has_started, is_past, pause_is_over


def find_phase(context: RolloutContext, status: CandidateStatus) -> tuple[Phase, str]:
    """The phase, and a message that says what it waits for."""
    if not has_started(context, status):
        return "Starting", f"waiting for its pods to become ready{brackets(context.deployment.problem)}"
    if status.paused:
        return "Paused", "paused by a user; `kubectl heart resume` resumes the rollout"
    if context.hold:
        return "Held", context.hold
    if is_past(context.rollout, status):
        return phase_at_end(context, status)
    step = context.rollout.steps[status.step]
    if step.pause is None:
        return (
            "Scaling",
            "waiting for more of its pods to become ready"
            if not context.crowded
            else "waiting for the pods of the previous version to terminate",
        )
    if context.rollout.experiment:
        undecided = status.experiment is None or status.experiment.verdict == "Running"
        return "Experimenting" if undecided else "Held", describe(context.rollout.experiment, status)
    if step.pause.duration is None:
        return "Paused", "paused until promoted; `kubectl heart promote` continues the rollout"
    if not pause_is_over(status, step, context.now):
        return "Paused", f"paused for {step.pause.duration}"
    return "Held", missing_evidence(status)


def phase_at_end(context: RolloutContext, status: CandidateStatus) -> tuple[Phase, str]:
    if not evidence_permits(context, status):
        return "Held", missing_evidence(status)
    if context.manual and not status.approved:
        why = f" (version from outside: {context.outside})" if context.outside else ""
        return "AwaitingApproval", f"waiting for approval{why}; `kubectl heart promote` approves it"
    return "Scaling", "waiting for the rest of its pods to become ready"


def missing_evidence(status: CandidateStatus) -> str:
    if status.analysis is None or status.analysis.intervals == 0:
        return "waiting for the first analysis interval"
    return f"waiting for evidence: {status.analysis.message}"


def brackets(problem: str) -> str:
    return f" ({problem})" if problem else ""


def in_phase(context: RolloutContext, status: CandidateStatus) -> CandidateStatus:
    """With the phase that it is in now, and since when."""
    phase, message = find_phase(context, status)
    moved = phase != status.phase or status.phase_since is None
    began = written(context.now) if moved else status.phase_since
    step_since = status.step_since or (written(context.now) if phase != "Starting" else None)
    return status.model_copy(
        update={
            "phase": phase,
            "phase_since": began,
            "step_since": step_since,
            "message": message,
            "origin": context.origin,
        }
    )


def since(status: CandidateStatus, now: datetime) -> datetime:
    return read(status.phase_since) if status.phase_since else now
