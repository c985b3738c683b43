"""All reads of one look at the schedules of a model. Nothing is written here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from heart_api.drift import CheckResult
from heart_api.heartmodel import HeartModel
from heart_api.kube.kinds import HEART_MODEL, JOB
from heart_api.kube.objects import InvalidSpec, owned, parse_model
from heart_api.kube.schedules import parse_schedule
from heart_api.kube.values import Manifest, ModelKey
from heart_api.names import Label, evaluated_version
from heart_api.profile import RuntimeProfile
from heart_api.retrainschedule import RetrainSchedule
from heart_api.times import read
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import NotFound
from heart_operator.observe.children import pods_of
from heart_operator.observe.jobs import is_finished, parse_job
from heart_operator.observe.schedule_objects import parse_check
from heart_operator.observe.schedules import find_schedules
from heart_operator.plan.observed import TrainingJob
from heart_operator.plan.schedule.observed import CheckJob, ScheduleObserved, scheduled_time_of


@dataclass(frozen=True, slots=True)
class SeenSchedule:
    """A schedule as it was read: for decisions, and as the API server returned it (its status is written over that)."""

    raw: Manifest
    observed: ScheduleObserved


@dataclass(frozen=True, slots=True)
class UnreadableSchedule:
    """One that does not fit the API's types, e.g. from a newer version."""

    raw: Manifest
    message: str


class ScheduleObserver:
    """Reads the schedules of a model, the model, and its Jobs."""

    def __init__(self, cluster: Cluster, profiles: Callable[[], Mapping[str, RuntimeProfile]]) -> None:
        self._cluster = cluster
        self._profiles = profiles

    async def observe(self, key: ModelKey) -> list[SeenSchedule | UnreadableSchedule]:
        """Every schedule of the model; the model itself may be missing."""
        schedules = await find_schedules(self._cluster, key.namespace, key.name)
        if not schedules:
            return []
        model = await self._model(key)
        jobs = await self._cluster.find(JOB, key.namespace, f"{Label.MODEL}={key.name}")
        return [await self._schedule(raw, model, jobs) for raw in schedules]

    async def _model(self, key: ModelKey) -> HeartModel | None:
        try:
            raw = await self._cluster.get(HEART_MODEL, key.namespace, key.name)
            return None if "deletionTimestamp" in raw["metadata"] else parse_model(raw)
        except (NotFound, InvalidSpec):
            return None

    async def _schedule(
        self, raw: Manifest, model: HeartModel | None, jobs: list[Manifest]
    ) -> SeenSchedule | UnreadableSchedule:
        try:
            schedule = parse_schedule(raw)
        except InvalidSpec as error:
            return UnreadableSchedule(raw, str(error))
        mine = [job for job in jobs if owned(job, schedule.uid)]
        observed = ScheduleObserved(
            schedule=schedule,
            model=model,
            profile=self._profiles().get(model.spec.runtime) if model else None,
            trainings=trainings(model, jobs),
            checks=tuple([await self._check(job, newest_finding(schedule)) for job in mine]),
        )
        return SeenSchedule(raw, observed)

    async def _check(self, job: Manifest, recorded: datetime | None) -> CheckJob:
        """Pods are asked for their last words only until the status has what they found."""
        found = parse_check(job)
        if not is_finished(job):
            return found
        if recorded and scheduled_time_of(found) <= recorded:
            return replace(found, result=CheckResult())
        return parse_check(job, await pods_of(self._cluster, job))


def newest_finding(schedule: RetrainSchedule) -> datetime | None:
    """Of the status."""
    known = schedule.status.last_drift, schedule.status.last_performance
    return max((read(found.time) for found in known if found), default=None)


def trainings(model: HeartModel | None, jobs: list[Manifest]) -> tuple[TrainingJob, ...]:
    """The model's training Jobs, oldest first; what they left is the model's to read."""
    found = [parse_job(job) for job in jobs if model and owned(job, model.uid)]
    trained = [job for job in found if evaluated_version(job.trigger) is None]
    return tuple(sorted(trained, key=lambda job: (job.created, job.name)))
