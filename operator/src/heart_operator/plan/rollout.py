"""Rollout: which version is to serve, which waits, which stays warm, which is refused.

candidate ──gate──► Deployment ──ready──► stable ──replaced──► previous ──rollbackWindow──► gone
    └── Failed ──► rejected ◄── not ready by readyDeadline ──┘
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from heart_operator.api.durations import seconds
from heart_operator.api.heartmodel import PreviousStatus, RejectedStatus
from heart_operator.api.names import Reason
from heart_operator.plan.gates import GateReport, gates_hash
from heart_operator.plan.rejections import (
    find_rejection,
    reject,
    tagged_rejection,
    with_rejection,
    without_gate_rejection,
)
from heart_operator.plan.scale import wanted_count
from heart_operator.plan.times import read, written
from heart_operator.plan.values import Observed, VersionDeployment
from heart_operator.plan.versions import Version, deployment_of

Step = Literal["None", "Hold", "Start", "Wait", "Overdue", "Promote"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """The roles once the plan is carried out. `step` is what the candidate does now; after Promote it is stable."""

    stable: Version | None
    candidate: Version | None = None
    previous: PreviousStatus | None = None
    rejected: tuple[RejectedStatus, ...] = ()
    step: Step = "None"
    why: str = ""
    """What a Hold or Wait waits for."""
    deadline: datetime | None = None

    @property
    def roles(self) -> set[str]:
        """Versions that have a reason to run."""
        found = {version.version for version in (self.stable, self.candidate) if version}
        return found | ({self.previous.version} if self.previous else set())


def plan_rollout(
    observed: Observed,
    stable: Version | None,
    newest: Version | None,
    gate: GateReport | None,
    *,
    may_act: bool,
    now: datetime,
) -> Rollout:
    """`newest` is the version that should serve if its gate lets it; `gate` None: there is no verdict (yet).

    With `may_act` false no version changes its role.
    """
    previous = keep_previous(observed, stable, newest, now)
    rejected = judge_rejections(observed, stable, newest, gate, now) if may_act else observed.model.status.rejected
    rollout = Rollout(stable, previous=previous, rejected=rejected)
    if newest is None or (stable and newest.version == stable.version):
        return rollout
    if find_rejection(rejected, newest, gates_hash(observed.model.spec.gates)):
        return rollout
    rollout = replace(rollout, candidate=newest)
    return advance(observed, rollout, newest, gate, now) if may_act else rollout


def judge_rejections(
    observed: Observed, stable: Version | None, newest: Version | None, gate: GateReport | None, now: datetime
) -> tuple[RejectedStatus, ...]:
    """The refusals with the gate's newest verdict. What serves is never refused: it can only be replaced."""
    rejected, limit = observed.model.status.rejected, observed.model.spec.rollout.history_limit
    if newest is None or (stable and stable.version == newest.version):
        return rejected
    if find_rejection(rejected, newest, gates_hash(observed.model.spec.gates)):
        return rejected
    if tagged := tagged_rejection(observed, newest, now):
        return with_rejection(rejected, tagged, limit)
    if gate is None or gate.verdict == "InsufficientEvidence":
        return rejected
    if gate.passed:
        return without_gate_rejection(rejected, newest)
    entry = reject(newest, Reason.GATE_FAILED, gate.message, now, gate.gates_hash)
    return with_rejection(rejected, entry, limit)


def advance(
    observed: Observed, rollout: Rollout, candidate: Version, gate: GateReport | None, now: datetime
) -> Rollout:
    """One step of the candidate, as far as gate and pods allow."""
    if gate is None or not gate.passed:
        return replace(rollout, step="Hold", why="its gate")
    if candidate.version not in observed.registry.versions:
        return replace(rollout, step="Hold", why="the registry to list it")
    count = wanted_count(observed.model.spec.serving, deployment_of(observed, rollout.stable))
    if count == 0:
        # Promoting what never ran would trust it unproven, on the day when somebody needs it.
        return replace(rollout, step="Hold", why="spec.serving.replicas to be above 0")
    deployment = deployment_of(observed, candidate)
    if deployment is None:
        return replace(rollout, step="Start")
    if deployment.up_to_date and deployment.ready >= count:
        return promote(observed, rollout, candidate, now)
    return await_pods(observed, rollout, deployment, count, now)


def promote(observed: Observed, rollout: Rollout, candidate: Version, now: datetime) -> Rollout:
    """The candidate serves; what served before stays warm, so that going back is a change of the selector alone."""
    window = timedelta(seconds=seconds(observed.model.spec.rollout.rollback_window))
    before = rollout.stable
    previous = (
        PreviousStatus(version=before.version, digest=before.digest, warm_until=written(now + window))
        if before
        else None
    )
    return replace(rollout, stable=candidate, candidate=None, previous=previous, step="Promote")


def await_pods(
    observed: Observed, rollout: Rollout, deployment: VersionDeployment, count: int, now: datetime
) -> Rollout:
    """Past the deadline the candidate is refused; the first version, which nothing can replace, goes on trying."""
    patience = observed.model.spec.rollout.ready_deadline
    deadline = deployment.created + timedelta(seconds=seconds(patience))
    trouble = f"{deployment.ready} of {count} pods were ready {patience} after their start"
    trouble += f" ({deployment.problem})" if deployment.problem else ""
    if now < deadline:
        return replace(rollout, step="Wait", why=deployment.problem, deadline=deadline)
    if rollout.stable is None or rollout.candidate is None:
        return replace(rollout, step="Overdue", why=trouble)
    entry = reject(rollout.candidate, Reason.NEVER_READY, trouble, now)
    limit = observed.model.spec.rollout.history_limit
    return replace(rollout, candidate=None, rejected=with_rejection(rollout.rejected, entry, limit))


def keep_previous(
    observed: Observed, stable: Version | None, newest: Version | None, now: datetime
) -> PreviousStatus | None:
    """The warm version, until its time is over or its Deployment is gone."""
    previous = observed.model.status.previous
    if stable is None:
        return None
    if previous is None:
        return recover_previous(observed, {stable, newest}, now)
    if observed.model.spec.suspend:
        return previous
    runs = any(deployment.version == previous.version for deployment in observed.deployments)
    over = now >= read(previous.warm_until)
    return previous if runs and not over and previous.version != stable.version else None


def recover_previous(observed: Observed, others: set[Version | None], now: datetime) -> PreviousStatus | None:
    """Without a status nobody remembers which version was kept warm: the newest besides `others` with ready pods."""
    if observed.model.status.serving is not None:
        return None
    taken = {version.version for version in others if version}
    window = timedelta(seconds=seconds(observed.model.spec.rollout.rollback_window))
    warm = [
        deployment for deployment in observed.deployments if deployment.ready > 0 and deployment.version not in taken
    ]
    newest = max(warm, key=lambda deployment: (deployment.created, deployment.name), default=None)
    if newest is None:
        return None
    return PreviousStatus(version=newest.version, digest=newest.digest, warm_until=written(now + window))
