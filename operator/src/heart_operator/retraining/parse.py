"""Kubernetes objects → the values that a schedule's decisions use. No I/O."""

from collections.abc import Iterable

from pydantic import ValidationError

from heart_operator.api.drift import CheckFailure, CheckOutcome
from heart_operator.api.names import Annotation
from heart_operator.api.retrainschedule import RetrainSchedule
from heart_operator.api.schedulestatus import RetrainScheduleStatus
from heart_operator.parse import InvalidSpec, condition, container_ends, end_in_words, moment, spell
from heart_operator.plan.schedulevalues import CheckJob
from heart_operator.plan.values import Manifest


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
    meta, end = job["metadata"], condition(job, "Complete", "Failed")
    outcome, words = last_words(pods or ())
    ended_well = end is not None and end["type"] == "Complete"
    lost = ended_well and pods is not None and not outcome.result and not outcome.failure
    return CheckJob(
        name=meta["name"],
        uid=meta["uid"],
        tick=moment(meta["annotations"][Annotation.TICK]),
        phase="Running" if end is None else "Succeeded" if ended_well else "Failed",
        result=outcome.result,
        failure=lost_outcome() if lost else outcome.failure,
        why="" if end is None or ended_well else words or end_in_words(end),
    )


def last_words(pods: Iterable[Manifest]) -> tuple[CheckOutcome, str]:
    """Termination message of the newest pod that left one, and the reason of the newest that ended badly."""
    newest = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    ends = [end for pod in newest for end in container_ends(pod)]
    outcomes = [outcome for end in ends if (outcome := parse_outcome(end.get("message", "")))]
    words = next((end["reason"] for end in ends if end.get("reason") not in (None, "Completed", "Error")), "")
    return outcomes[0] if outcomes else CheckOutcome(), words


def parse_outcome(message: str) -> CheckOutcome | None:
    """None for anything that is not an outcome: a container may die before it writes one."""
    try:
        outcome = CheckOutcome.model_validate_json(message)
    except ValidationError:
        return None
    return outcome if outcome.result or outcome.failure else None


def lost_outcome() -> CheckFailure:
    """For a Job that succeeded though nobody can read what it found any more."""
    return CheckFailure(
        reason="CheckInterrupted",
        message="The look ended but its pod was removed before its result was read; the next one comes at its time",
    )
