"""Everything that one reconcile decided, for those who report it."""

from dataclasses import dataclass
from datetime import datetime

from heart_api.heartmodel import RejectedStatus
from heart_api.kube.values import VersionDeployment
from heart_operator.plan.check import NO_CHECK, CheckPlan
from heart_operator.plan.gates.verdict import GateReport, gates_hash
from heart_operator.plan.observed import Observed
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.selection.evaluation_job import EvaluationPlan
from heart_operator.plan.selection.rejections import find_rejection
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.training.training import TrainingPlan
from heart_operator.plan.versions import Version, deployment_of, order


@dataclass(frozen=True, slots=True)
class Decision:
    """`selection` is what should serve, `gate` the verdict on it (None: there is none)."""

    observed: Observed
    now: datetime
    obstacle: Obstacle | None
    training: TrainingPlan
    evaluation: EvaluationPlan
    selection: Selection
    gate: GateReport | None
    rollout: RolloutPlan
    check: CheckPlan = NO_CHECK
    """The drift check that somebody requested."""

    @property
    def wanted(self) -> Version | None:
        """The version that should serve."""
        return self.selection.version

    @property
    def stable_deployment(self) -> VersionDeployment | None:
        """Of the version that serves once the plan is carried out."""
        return deployment_of(self.observed, self.rollout.stable)

    @property
    def candidate_deployment(self) -> VersionDeployment | None:
        return deployment_of(self.observed, self.rollout.candidate)

    @property
    def running_deployments(self) -> list[VersionDeployment]:
        """Of the versions that have a role."""
        return [entry for entry in self.observed.deployments if entry.version in self.rollout.running]

    @property
    def rejection(self) -> RejectedStatus | None:
        """Why the desired version is not the serving one, if it was rejected."""
        stable, wanted = self.rollout.stable, self.wanted or self.unmeasured
        if wanted is None or (stable and stable.version == wanted.version):
            return None
        return find_rejection(self.rollout.rejected, wanted, gates_hash(self.observed.model.spec.gates))

    @property
    def is_rollback(self) -> bool:
        """True if the serving version was rejected or an older one replaces it; a newer warm one is no rollback."""
        before, stable = self.observed.model.status.serving, self.rollout.stable
        if self.rollout.action != "Return" or before is None or stable is None:
            return False
        rejected = any(entry.version == before.version for entry in self.rollout.rejected)
        return rejected or order(stable.version) < order(before.version)

    @property
    def unmeasured(self) -> Version | None:
        """A version that should serve, of whose bytes nothing is known yet."""
        return Version(self.selection.unknown, "") if self.selection.unknown else None

    def has_obstacle(self, *reasons: str) -> bool:
        return self.obstacle is not None and self.obstacle.reason in reasons
