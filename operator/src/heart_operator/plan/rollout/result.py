"""Who has which role once the plan is carried out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from heart_api.heartmodel import CandidateStatus, CommandStatus, PreviousStatus, RejectedStatus
from heart_api.status import PostPromotionStatus
from heart_operator.manifests.traffic import Traffic
from heart_operator.plan.versions import Version

NOBODY = Traffic()
Action = Literal["None", "Hold", "Start", "Go", "Overdue", "Promote", "Return"]
"""Next action. Hold: the candidate waits. Start: its Deployment is created. Go: its rollout proceeds. Overdue: it is
the first version of the model, not ready in time, and retried. Promote: it becomes the stable version. Return: a
previous version does."""


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The roles once the plan is carried out; after Promote and Return the new version is stable."""

    stable: Version | None
    candidate: Version | None = None
    progress: CandidateStatus | None = None
    """What is noted of the candidate."""
    previous: PreviousStatus | None = None
    rejected: tuple[RejectedStatus, ...] = ()
    action: Action = "None"
    why: str = ""
    """What a Hold or an overdue start waits for."""
    deadline: datetime | None = None
    traffic: Traffic = NOBODY
    candidate_pods: int = 0
    command: CommandStatus | None = None
    post_promotion: PostPromotionStatus | None = None

    @property
    def running(self) -> set[str]:
        """Versions that have a reason to run."""
        found = {version.version for version in (self.stable, self.candidate) if version}
        return found | ({self.previous.version} if self.previous else set())
