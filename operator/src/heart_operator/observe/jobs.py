"""Jobs and the termination messages of their pods → the values that decisions use. No I/O."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from heart_api.drift import CheckFailure, CheckOutcome
from heart_api.handover import TrainingFailure, TrainingOutcome, TrainingResult
from heart_api.heartmodel import TrainingStatus
from heart_api.kube.jobs import is_waiting, job_end
from heart_api.kube.kinds import JOB
from heart_api.kube.objects import condition_text
from heart_api.kube.values import Blocked, Manifest
from heart_api.names import Annotation
from heart_api.owntrainer import OWN, PREPARE
from heart_api.times import read
from heart_operator.manifests.job import CONTAINER
from heart_operator.observe.train_jobs import DIGEST
from heart_operator.plan.observed import CheckJob, ObservedJob, TrainingJob

Outcome = TypeVar("Outcome", TrainingOutcome, CheckOutcome)
LOST = frozenset({"BackoffLimitExceeded", "FailedJobs", "ReachedMaxRestarts"})
"""Reasons of a Job, and of a TrainJob, that failed because a pod did."""


def parse_job(
    job: Manifest,
    pods: Iterable[Manifest] = (),
    known: TrainingStatus | None = None,
    blocked: Blocked | None = None,
) -> TrainingJob:
    """A Job with what its pods left. `known` is the recorded training, which outlives pods."""
    meta = job["metadata"]
    outcome, reason = termination_messages(pods, TrainingOutcome)
    return ObservedJob(
        name=meta["name"],
        uid=meta["uid"],
        trigger=stated(job, Annotation.TRIGGER),
        created=read(meta["creationTimestamp"]),
        phase=job_phase(job),
        finished=end_time(job),
        result=outcome.result or recorded_result(meta["name"], known),
        failure=None if reason and is_indexed(job) and is_consequence(outcome) else outcome.failure,
        why=failure_reason(job, reason),
        waiting=is_waiting(job),
        blocked=blocked,
        attempt=attempt_of(job),
        lost=is_lost(job) and (outcome.failure is None or is_consequence(outcome)),
        kind=job.get("kind") or JOB.kind,
        template=job.get(DIGEST, ""),
    )


def attempt_of(job: Manifest) -> int:
    stated_number = stated(job, Annotation.ATTEMPT)
    return int(stated_number) if stated_number.isdecimal() else 0


def is_lost(job: Manifest) -> bool:
    """Whether it failed because a pod did, and not for good (bad data, its deadline)."""
    end = job_end(job)
    failed = end is not None and end["type"] == "Failed" and end.get("reason") in LOST
    return is_indexed(job) and failed


def is_indexed(job: Manifest) -> bool:
    """Whether it is a training on several pods."""
    return bool((job.get("spec") or {}).get("completionMode") == "Indexed")


def stated(job: Manifest, annotation: str) -> str:
    """An annotation of the Job's pod template, which is immutable; the Job's own can be edited.

    Empty if there is none.
    """
    template = (job.get("spec") or {}).get("template") or job
    value = ((template.get("metadata") or {}).get("annotations") or {}).get(annotation, "")
    return str(value)


def scheduled_time(job: Manifest) -> datetime | None:
    """Up to when a check Job checks; None if it does not say."""
    try:
        found = read(stated(job, Annotation.SCHEDULED_TIME))
    except ValueError:
        return None
    return found if found.tzinfo else None


def parse_check(job: Manifest, pods: Iterable[Manifest] | None = None, blocked: Blocked | None = None) -> CheckJob:
    """A check Job with what its pods left; None: they were not read."""
    meta, phase = job["metadata"], job_phase(job)
    outcome, reason = termination_messages(pods or (), CheckOutcome)
    lost = phase == "Succeeded" and pods is not None and not outcome.result and not outcome.failure
    return ObservedJob(
        name=meta["name"],
        uid=meta["uid"],
        trigger=stated(job, Annotation.SCHEDULED_TIME),
        created=read(meta["creationTimestamp"]),
        phase=phase,
        finished=end_time(job),
        result=outcome.result,
        failure=lost_check() if lost else outcome.failure,
        why=failure_reason(job, reason),
        waiting=is_waiting(job),
        blocked=blocked,
    )


def job_phase(job: Manifest) -> Literal["Running", "Succeeded", "Failed"]:
    end = job_end(job)
    return "Running" if end is None else "Succeeded" if end["type"] == "Complete" else "Failed"


def end_time(job: Manifest) -> datetime | None:
    end = job_end(job)
    return read(end["lastTransitionTime"]) if end else None


def failure_reason(job: Manifest, reason: str) -> str:
    """The reason for a failed Job: `reason` of its pods, or else the Job's own."""
    end = job_end(job)
    return "" if end is None or end["type"] == "Complete" else reason or condition_text(end)


def recorded_result(job: str, known: TrainingStatus | None) -> TrainingResult | None:
    """The result of the Job as the status has it."""
    if known is None or known.job != job:
        return None
    given = (known.version, known.run_id, known.artifact_sha256, known.evaluation_sha256)
    version, run_id, artifact, evaluation = given
    if version is None or run_id is None or artifact is None or evaluation is None:
        return None
    return TrainingResult(
        version=version,
        run_id=run_id,
        artifact_sha256=artifact,
        evaluation_sha256=evaluation,
        sealed=known.sealed,
        seal_message=known.seal_message,
    )


def termination_messages(pods: Iterable[Manifest], kind: type[Outcome]) -> tuple[Outcome, str]:
    """Termination message of the newest pod that left one, and the reason of the newest pod that ended badly.

    Of several pods that need each other, the one that says what is wrong goes before those that only lost it.
    """
    newest = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    ends = [end for pod in newest for end in container_ends(pod)]
    outcomes: list[Outcome] = [outcome for end in ends if (outcome := parse_outcome(end.get("message", ""), kind))]
    container_reason = next(
        (end["reason"] for end in ends if end.get("reason") not in (None, "Completed", "Error")), ""
    )
    pod_reason = next((reason for pod in newest if (reason := (pod.get("status") or {}).get("reason"))), "")
    found = next((outcome for outcome in outcomes if not is_consequence(outcome)), outcomes[0] if outcomes else kind())
    return found, container_reason or pod_reason


def is_consequence(outcome: TrainingOutcome | CheckOutcome) -> bool:
    return outcome.failure is not None and outcome.failure.reason == "TrainingInterrupted"


def container_ends(pod: Manifest) -> list[dict[str, Any]]:
    """How the trainer's containers ended; one that a service mesh added has nothing to say.

    A trainer of one's own could write any message: of its container nothing counts but why it was ended.
    """
    status = pod.get("status") or {}
    found = [(status.get("containerStatuses"), CONTAINER), (status.get("initContainerStatuses"), PREPARE)]
    ends = [end for statuses, name in found for end in ends_of(statuses, name)]
    return [*ends, *({"reason": end.get("reason")} for end in ends_of(status.get("initContainerStatuses"), OWN))]


def ends_of(statuses: Iterable[Manifest] | None, name: str) -> list[dict[str, Any]]:
    """How the container of this name ended, if it did."""
    ours = (status for status in statuses or () if status["name"] == name)
    return [end for status in ours if (end := (status.get("state") or {}).get("terminated"))]


def parse_outcome(message: str, kind: type[Outcome]) -> Outcome | None:
    """None for anything that is not an outcome: a container may die before it writes one."""
    try:
        outcome = kind.model_validate_json(message)
    except ValidationError:
        return None
    return outcome if outcome.result or outcome.failure else None


def lost_training() -> TrainingFailure:
    """The outcome of a training Job that succeeded but whose result can no longer be read."""
    return TrainingFailure(
        reason="TrainingInterrupted",
        message="The training succeeded but its pod was removed before the result was read; "
        f"start another one with the annotation {Annotation.RETRAIN}",
    )


def replaced_pod(job: Manifest) -> TrainingFailure:
    """The outcome of a Job that ended with pods that it did not make."""
    return TrainingFailure(
        reason="TrainingInterrupted",
        message=f"No pod of Job {job['metadata']['name']} is what the Job's template describes, so their result is not "
        "believed: find out who creates or changes pods in this namespace, then start another one with the annotation "
        f"{Annotation.RETRAIN}",
    )


def lost_check() -> CheckFailure:
    """The outcome of a check Job that succeeded but whose result can no longer be read."""
    return CheckFailure(
        reason="CheckInterrupted",
        message="The check succeeded but its pod was removed before the result was read; "
        "the next check runs at its scheduled time",
    )
