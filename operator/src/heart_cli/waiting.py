"""`kubectl heart wait`: whether a model is where a person or a pipeline wants it, or cannot get there. No I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from heart_api.heartmodel import ConditionStatus, HeartModel
from heart_api.names import Condition, Reason

State = Literal["reached", "waiting", "failed"]
AWAITING_APPROVAL = "AwaitingApproval"
"""Phase of a candidate."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`message`: what the model is doing, or why it failed, in one line."""

    state: State
    message: str


def judge(model: HeartModel, goal: str, version: str = "") -> Progress:
    """Progress towards one of GOALS; with a version, only that version counts.

    A condition Progressing that is False needs a person's attention, so that waiting longer would not help.
    """
    if model.status.observed_generation != model.generation:
        return Progress("waiting", "the operator has not observed the latest change yet")
    if reached := GOALS[goal](model, version):
        return Progress("reached", reached)
    if version and (rejected := rejection(model, version)):
        return Progress("failed", rejected)
    if goal == "trained" and (pinned := find(model, Condition.TRAINED)) and pinned.reason == Reason.VERSION_PINNED:
        return Progress("failed", line(pinned))
    progressing = find(model, Condition.PROGRESSING)
    if progressing and (progressing.status == "False" or progressing.reason == Reason.SUSPENDED):
        return Progress("failed", line(progressing))
    return Progress("waiting", doing(model))


def find(model: HeartModel, type_: str) -> ConditionStatus | None:
    return next((entry for entry in model.status.conditions if entry.type == type_), None)


def is_true(model: HeartModel, type_: str) -> bool:
    found = find(model, type_)
    return found is not None and found.status == "True"


def line(entry: ConditionStatus) -> str:
    return f"{entry.reason}: {entry.message}"


def doing(model: HeartModel) -> str:
    """What is in progress, else what Ready says."""
    found = [entry for type_ in (Condition.PROGRESSING, Condition.READY) if (entry := find(model, type_))]
    return next((line(entry) for entry in found if entry.reason != Reason.UP_TO_DATE), "no condition yet")


def rejection(model: HeartModel, version: str) -> str:
    """Why the version was rejected; empty if it was not."""
    found = next((entry for entry in model.status.rejected if entry.version == version), None)
    return f"version {version} was rejected: {found.reason}: {found.message}" if found else ""


def serving(model: HeartModel, version: str) -> str:
    """Reached: the version serves; without one, the desired version serves and nothing is in progress."""
    found, progressing = model.status.serving, find(model, Condition.PROGRESSING)
    if found is None or not is_true(model, Condition.READY):
        return ""
    settled = progressing is not None and progressing.reason == Reason.UP_TO_DATE
    return f"version {found.version} serves" if (found.version == version or (settled and not version)) else ""


def trained(model: HeartModel, version: str) -> str:
    """Reached: a training for the spec as it is now registered a version."""
    training = model.status.training
    if training is None or training.phase != "Succeeded" or not is_true(model, Condition.TRAINED):
        return ""
    return f"version {training.version} was trained" if version in ("", training.version) else ""


def approval(model: HeartModel, version: str) -> str:
    """Reached: a candidate waits for `kubectl heart promote`."""
    candidate = model.status.candidate
    if candidate is None or candidate.phase != AWAITING_APPROVAL or version not in ("", candidate.version):
        return ""
    return f"version {candidate.version} awaits approval"


GOALS: dict[str, Callable[[HeartModel, str], str]] = {"serving": serving, "trained": trained, "approval": approval}
"""What is reached in words; empty if it is not yet."""
