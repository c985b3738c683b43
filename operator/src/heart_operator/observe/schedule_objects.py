"""Kubernetes objects → the values that a schedule's decisions use. No I/O."""

from collections.abc import Iterable

from heart_api.drift import CheckFailure, CheckOutcome
from heart_api.kube.values import Manifest
from heart_api.names import Annotation
from heart_api.times import read
from heart_operator.observe.jobs import end_time, job_phase, last_words, why_failed
from heart_operator.plan.observed import ObservedJob
from heart_operator.plan.schedule.observed import CheckJob


def parse_check(job: Manifest, pods: Iterable[Manifest] | None = None) -> CheckJob:
    """A check Job with what its pods left; None: they were not asked."""
    meta, phase = job["metadata"], job_phase(job)
    outcome, words = last_words(pods or (), CheckOutcome)
    lost = phase == "Succeeded" and pods is not None and not outcome.result and not outcome.failure
    return ObservedJob(
        name=meta["name"],
        uid=meta["uid"],
        trigger=meta["annotations"][Annotation.SCHEDULED_TIME],
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
