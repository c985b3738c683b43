"""The next step of a candidate, from its progress and the analysis of its traffic.

Starting ──ready──► setWeight (Scaling) · pause (Paused) … ──► evidence (Held) ──► approval ──► Scaling ──► Promote
    └ readyDeadline     └ failed analysis, crashes, progressDeadline: Reject; all traffic stays with the stable version
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from heart_api.durations import seconds
from heart_api.heartmodel import CandidateStatus
from heart_api.names import Reason
from heart_api.pauses import pause_end
from heart_operator.manifests.traffic import Traffic
from heart_operator.plan.rollout.context import RolloutContext
from heart_operator.plan.rollout.experiment import begun, experiment_end, why_lost
from heart_operator.plan.rollout.phases import brackets, find_phase, in_phase, since
from heart_operator.plan.rollout.steps import is_analysed, is_past, pause_is_over, pods_at, takes_over, walk
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


def next_move(context: RolloutContext, status: CandidateStatus) -> Move:
    """`status` already contains the latest analysis interval (`with_analysis`)."""
    status = walk(context, status)
    if failure := find_failure(context, status):
        return Move(status, context.deployment.replicas, Traffic(), "Reject", *failure)
    status = in_phase(context, status)
    pods = pods_at(context, status)
    status, traffic = with_traffic(context, status, pods)
    ends = status.phase == "Scaling" and is_past(context.rollout, status) and context.deployment.ready >= pods
    return Move(status, pods, traffic, "Promote" if ends else "Go", deadline=find_deadline(context, status))


def find_failure(context: RolloutContext, status: CandidateStatus) -> tuple[str, str] | None:
    """(reason, message) of what ends the rollout; what the traffic shows comes first."""
    limit, analysis = context.rollout.analysis.failure_limit, status.analysis
    if analysis and analysis.consecutive_failures > limit and not status.forced:
        return (
            Reason.CANARY_ANALYSIS_FAILED,
            f"{analysis.message} ({analysis.consecutive_failures} consecutive failures)",
        )
    if context.rollout.experiment and (lost := why_lost(context.rollout.experiment, status)):
        return Reason.EXPERIMENT_FAILED, lost
    if status.phase != "Starting" and context.deployment.crashes > limit:
        return (
            Reason.CRASHING,
            f"its pods crashed {context.deployment.crashes} times{brackets(context.deployment.problem)}",
        )
    if context.hold or status.paused:
        return None
    if gives_up_without_evidence(context, status):
        assert analysis
        return (
            Reason.CANARY_ANALYSIS_FAILED,
            f"analysis inconclusive and onInconclusive is Rollback: {analysis.message}",
        )
    return overdue(context, status)


def gives_up_without_evidence(context: RolloutContext, status: CandidateStatus) -> bool:
    analysis = status.analysis
    if context.rollout.analysis.on_inconclusive != "Rollback" or status.forced or analysis is None:
        return False
    if context.rollout.experiment:
        return False
    at_end = is_past(context.rollout, status) or pause_is_over(status, context.rollout.steps[status.step], context.now)
    needed = is_analysed(context.rollout, status) and analysis.intervals > 0
    return needed and at_end and analysis.verdict == "Inconclusive"


def overdue(context: RolloutContext, status: CandidateStatus) -> tuple[str, str] | None:
    """Pods that do not come up: at the start by readyDeadline, later by progressDeadline."""
    if context.deployment.ready >= pods_at(context, status) or not waits_for_pods(context, status):
        return None
    count = f"{context.deployment.ready} of {pods_at(context, status)} pods were ready"
    problem = brackets(context.deployment.problem)
    if status.phase == "Starting":
        patience = context.rollout.ready_deadline
        late = context.now >= context.deployment.created + timedelta(seconds=seconds(patience))
        return (Reason.READY_DEADLINE_EXCEEDED, f"{count} {patience} after their start{problem}") if late else None
    patience = context.rollout.progress_deadline
    late = status.phase == "Scaling" and context.now >= since(status, context.now) + timedelta(
        seconds=seconds(patience)
    )
    return (Reason.PROGRESS_DEADLINE_EXCEEDED, f"{count} after {patience} without progress{problem}") if late else None


def waits_for_pods(context: RolloutContext, status: CandidateStatus) -> bool:
    return find_phase(context, status)[0] in ("Starting", "Scaling")


def with_traffic(context: RolloutContext, status: CandidateStatus, pods: int) -> tuple[CandidateStatus, Traffic]:
    """What it gets at its step, as far as it may get any, and the same for its status."""
    weight = asked_weight(context.rollout, status.step)
    spread = may_spread(context, status, weight, pods)
    arrives = spread and not context.route_rejected
    reached = (
        reached_weight(weight, context.deployment.ready, context.stable_ready, exact=context.exact) if arrives else 0
    )
    base = status.base_replicas or (context.full if spread else 0)
    if context.rollout.experiment and spread:
        status = begun(status, context.now)
    traffic = Traffic(
        candidate=status.version,
        spread=spread and not context.exact,
        weight=weight if spread and context.exact and not context.rollout.experiment else 0,
        experiment_since=status.experiment.since if spread and status.experiment and context.rollout.experiment else "",
        mirror_percent=context.rollout.mirror.percent if context.deployment.ready else 0,
        closed="" if is_open(context, status, weight) else status.version,
    )
    return status.model_copy(update={"weight": weight, "actual_weight": reached, "base_replicas": base}), traffic


def is_open(context: RolloutContext, status: CandidateStatus, weight: int) -> bool:
    """Whether callers may reach its pods: where their requests come by the Service, and before it takes over."""
    by_service = weight > 0 and not context.exact
    return by_service or (is_past(context.rollout, status) and takes_over(context, status))


def may_spread(context: RolloutContext, status: CandidateStatus, weight: int, pods: int) -> bool:
    """Traffic comes with the first full set of pods, and stays while some of them are ready."""
    if weight == 0 or context.deployment.ready == 0 or (context.crowded and not context.exact):
        return False
    return status.actual_weight > 0 or context.deployment.ready >= pods


def find_deadline(context: RolloutContext, status: CandidateStatus) -> datetime | None:
    """The next moment at which time alone changes the result (analysis intervals have their own)."""
    if context.hold or status.paused:
        return None
    if status.phase == "Starting":
        return context.deployment.created + timedelta(seconds=seconds(context.rollout.ready_deadline))
    if status.phase == "Scaling":
        return since(status, context.now) + timedelta(seconds=seconds(context.rollout.progress_deadline))
    if status.phase == "Experimenting" and context.rollout.experiment:
        return experiment_end(context.rollout.experiment, status)
    if status.phase == "Paused" and not is_past(context.rollout, status):
        return pause_end(status, context.rollout.steps[status.step])
    return None
