"""What a plan of a RetrainSchedule is made from."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import ObjectKey
from heart_api.profile import RuntimeProfile
from heart_api.retrainschedule import RetrainSchedule
from heart_api.times import read
from heart_operator.plan.observed import CheckJob, TrainingJob
from heart_operator.plan.quota import NO_USAGE, Usage
from heart_operator.plan.training.requests import requests_of

SKEW = timedelta(minutes=5)
"""How far the clocks of the API server and the operator may be apart."""


def scheduled_time_of(job: CheckJob) -> datetime:
    """The end of the window that the Job checks."""
    return read(job.trigger)


@dataclass(frozen=True, slots=True)
class ScheduleObserved:
    """A schedule and its surroundings."""

    schedule: RetrainSchedule
    model: HeartModel | None
    """None if the model does not exist or cannot be read."""
    profile: RuntimeProfile | None
    trainings: tuple[TrainingJob, ...] = ()
    """The model's training Jobs."""
    checks: tuple[CheckJob, ...] = ()
    foreign_jobs: tuple[ObjectKey, ...] = ()
    """Jobs with the schedule's owner reference that the operator did not create."""
    usage: Usage = NO_USAGE
    """Of the schedule's namespace, for its quotas."""

    @property
    def is_training(self) -> bool:
        return any(job.phase == "Running" for job in self.trainings) or bool(
            self.model and self.model.status.training and self.model.status.training.phase == "Running"
        )

    @property
    def serving_version(self) -> str | None:
        serving = self.model.status.serving if self.model else None
        return serving.version if serving else None

    def trained_since(self, moment: datetime, now: datetime) -> bool:
        """True if a training of the model, by any trigger, started then or later, and not in the future."""
        recorded = self.model.status.training if self.model else None
        begun = [read(recorded.started_at)] if recorded and recorded.started_at else []
        return any(moment <= start <= now + SKEW for start in [*begun, *(job.created for job in self.trainings)])

    def answers(self, request: str) -> bool:
        """Whether a training has been started for the request."""
        recorded = self.model.status.training if self.model else None
        triggers = [recorded.trigger] if recorded else []
        return any(request in requests_of(trigger) for trigger in [*triggers, *(job.trigger for job in self.trainings)])
