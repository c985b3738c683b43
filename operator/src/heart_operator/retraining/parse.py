"""Kubernetes objects → the values that a schedule's decisions use. No I/O."""

from collections.abc import Iterable

from pydantic import ValidationError

from heart_operator.api.drift import CheckFailure, CheckOutcome
from heart_operator.api.names import Annotation
from heart_operator.api.retrainschedule import RetrainSchedule
from heart_operator.api.schedulestatus import RetrainScheduleStatus
from heart_operator.parse import InvalidSpec, spell
from heart_operator.parse_jobs import end_time, job_phase, last_words, why_failed
from heart_operator.plan.schedulevalues import CheckJob
from heart_operator.plan.times import read
from heart_operator.plan.values import Manifest, ObservedJob


def parse_schedule(raw: Manifest) -> RetrainSchedule:
    """Raises InvalidSpec. An unreadable status counts as an empty one: no run is started twice for that."""
    meta = raw["metadata"]
    try:
        return RetrainSchedule.model_validate(
            {
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "generation": meta.get("generation", 1),
                "created": meta["creationTimestamp"],
                "spec": raw.get("spec") or {},
                "status": parse_schedule_status(raw),
            }
        )
    except ValidationError as error:
        raise InvalidSpec(spell(error)) from None


def parse_schedule_status(raw: Manifest) -> RetrainScheduleStatus:
    try:
        return RetrainScheduleStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return RetrainScheduleStatus()


def model_of(raw: Manifest) -> str:
    """The HeartModel that a schedule names, readable or not."""
    name = (raw.get("spec") or {}).get("modelName")
    return name if isinstance(name, str) else ""


def parse_check(job: Manifest, pods: Iterable[Manifest] | None = None) -> CheckJob:
    """A check Job with what its pods left; None: they were not asked."""
    meta, phase = job["metadata"], job_phase(job)
    outcome, words = last_words(pods or (), CheckOutcome)
    lost = phase == "Succeeded" and pods is not None and not outcome.result and not outcome.failure
    return ObservedJob(
        name=meta["name"],
        uid=meta["uid"],
        trigger=meta["annotations"][Annotation.TICK],
        created=read(meta["creationTimestamp"]),
        phase=phase,
        finished=end_time(job),
        result=outcome.result,
        failure=lost_outcome() if lost else outcome.failure,
        why=why_failed(job, words),
    )


def lost_outcome() -> CheckFailure:
    """For a Job that succeeded though nobody can read what it found any more."""
    return CheckFailure(
        reason="CheckInterrupted",
        message="The look ended but its pod was removed before its result was read; the next one comes at its time",
    )
