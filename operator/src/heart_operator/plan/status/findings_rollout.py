"""Conditions of a rollout: the candidate's step, what it waits for, why a version was rejected."""

from heart_api.heartmodel import CandidateStatus
from heart_api.kube.values import VersionDeployment
from heart_api.names import Reason
from heart_operator.plan.blocked import is_pending, pods_text
from heart_operator.plan.decision import Decision
from heart_operator.plan.rollout.context import effective_rollout
from heart_operator.plan.rollout.route import route_rejection
from heart_operator.plan.status.condition import Finding
from heart_operator.plan.versions import Version

REJECTED_ON_TRAFFIC = frozenset(
    {
        Reason.READY_DEADLINE_EXCEEDED,
        Reason.CANARY_ANALYSIS_FAILED,
        Reason.EXPERIMENT_FAILED,
        Reason.CRASHING,
        Reason.PROGRESS_DEADLINE_EXCEEDED,
        Reason.ABORTED,
        Reason.ROLLED_BACK,
    }
)
"""Reasons for rejection by the rollout; the gate has a condition of its own."""
WAITING = {
    "Paused": Reason.PAUSED,
    "Held": Reason.ON_HOLD,
    "Experimenting": Reason.EXPERIMENTING,
    "AwaitingApproval": Reason.AWAITING_APPROVAL,
}


def is_under_way(decision: Decision) -> bool:
    """A candidate has pods, or is about to get them."""
    rollout = decision.rollout
    return rollout.candidate is not None and (rollout.action == "Start" or decision.candidate_deployment is not None)


def progress_of_candidate(decision: Decision) -> Finding:
    """How far it is, or what it waits for before its pods are made."""
    rollout, deployment = decision.rollout, decision.candidate_deployment
    assert rollout.candidate
    name = f"Version {rollout.candidate.version}"
    if rollout.action == "Overdue":
        return Finding("False", Reason.READY_DEADLINE_EXCEEDED, f"{name} is still starting: {rollout.why}")
    if rollout.progress and deployment:
        return progress_on_traffic(decision, deployment, rollout.progress)
    if rollout.action in ("Start", "Go"):
        ready = f"{deployment.ready} pods are ready" if deployment else "its pods are created"
        return Finding("True", Reason.ROLLING_OUT, f"{name} is rolling out: {ready}")
    return Finding("Unknown", Reason.ON_HOLD, f"{name} is waiting for {rollout.why}")


def progress_on_traffic(decision: Decision, deployment: VersionDeployment, progress: CandidateStatus) -> Finding:
    """The candidate's step and what it waits for; the message changes with every analysis interval."""
    where = f"Version {deployment.version}{position(decision, progress)}"
    if progress.phase in ("Starting", "Scaling"):
        pods = f"{deployment.ready} of {decision.rollout.candidate_pods} pods are ready"
        if is_pending(deployment):
            return Finding("True", Reason.PODS_PENDING, f"{where}: {pods}{pods_text(deployment)}")
        return Finding("True", Reason.ROLLING_OUT, f"{where}: {pods}; {progress.message}")
    rejection = route_rejection(decision.observed)
    details = f"{progress.message}; {rejection}" if rejection else progress.message
    return Finding("Unknown", WAITING[progress.phase], f"{where}: {details}")


def position(decision: Decision, progress: CandidateStatus) -> str:
    """` is at step 2 of 4 with 10% of the traffic (25% reached)`."""
    steps = len(effective_rollout(decision.observed, decision.rollout.stable).steps)
    if steps == 0:
        return " is rolling out"
    step = f" is at step {progress.step + 1} of {steps}" if progress.step < steps else " is past its steps"
    return f"{step} with {progress.weight}% of the traffic (actual: {progress.actual_weight}%)"


def find_rollout_succeeded(decision: Decision) -> Finding:
    """The version that should serve reached everyone."""
    rollout, rejection = decision.rollout, decision.rejection
    if rejection and rejection.reason in REJECTED_ON_TRAFFIC:
        advice = f"`kubectl heart retry {decision.observed.model.name} {rejection.version}` retries it"
        return Finding("False", rejection.reason, f"Version {rejection.version}: {rejection.message}. {advice}")
    if rollout.candidate and rollout.action == "Overdue":
        advice = "The operator keeps retrying; changing spec.serving.resources or the runtime profile restarts it"
        return Finding(
            "False", Reason.READY_DEADLINE_EXCEEDED, f"Version {rollout.candidate.version}: {rollout.why}. {advice}"
        )
    if is_under_way(decision) and rollout.candidate:
        return Finding("Unknown", *milestone(decision, f"Version {rollout.candidate.version}"))
    if rollout.stable is None:
        return Finding("Unknown", Reason.NO_CANDIDATE, "No version has been rolled out yet")
    if serves_again(decision, rollout.stable):
        return Finding("True", Reason.ROLLED_BACK, f"Version {rollout.stable.version} is serving again")
    if decision.wanted and decision.wanted.version == rollout.stable.version:
        return Finding("True", Reason.PROMOTED, f"Version {rollout.stable.version} was promoted")
    return Finding("True", Reason.SERVING, f"Version {rollout.stable.version} is serving; no rollout is in progress")


def serves_again(decision: Decision, stable: Version) -> bool:
    """It came back, now or before: to call it promoted once more would tell of a rollout that never was."""
    if decision.rollout.action in ("Return", "Promote"):
        return decision.is_rollback
    last = decision.observed.model.status.history[-1:]
    return any((entry.version, entry.reason) == (stable.version, Reason.ROLLED_BACK) for entry in last)


def milestone(decision: Decision, name: str) -> tuple[str, str]:
    """Reason and message that change with each step, not with each interval: each change is an event."""
    progress = decision.rollout.progress
    if progress is None or progress.phase == "Starting":
        return Reason.ROLLING_OUT, f"{name} is rolling out"
    if progress.phase == "AwaitingApproval":
        return Reason.AWAITING_APPROVAL, f"{name}: {progress.message}"
    if progress.paused:
        return Reason.PAUSED, f"{name}: {progress.message}"
    if experiment := effective_rollout(decision.observed, decision.rollout.stable).experiment:
        verdict = progress.experiment.verdict if progress.experiment else "Running"
        share = f"{experiment.split}% of the users, {experiment.metric}"
        return Reason.EXPERIMENTING, f"{name} is in an experiment ({share}): {verdict}"
    steps = len(effective_rollout(decision.observed, decision.rollout.stable).steps)
    where = f"step {progress.step + 1} of {steps}" if progress.step < steps else "all steps are done"
    return Reason.ROLLING_OUT, f"{name} is rolling out: {where}, {progress.weight}% of the traffic"
