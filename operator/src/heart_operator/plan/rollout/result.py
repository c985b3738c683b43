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
"""What happens to the candidate: it waits; its Deployment is made; it goes on; the first version of all is late and
goes on trying. Promote: it takes over. Return: a version that served before does."""


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
