"""When a pause of a rollout ends by itself."""

from datetime import datetime, timedelta

from heart_api.durations import seconds
from heart_api.rollout import RolloutStep
from heart_api.status import CandidateStatus
from heart_api.times import read


def pause_end(status: CandidateStatus, step: RolloutStep) -> datetime | None:
    """None: only a person ends it."""
    if step.pause is None or step.pause.duration is None or status.step_since is None:
        return None
    return read(status.step_since) + timedelta(seconds=seconds(step.pause.duration))
