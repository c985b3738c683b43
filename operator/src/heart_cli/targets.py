"""Which version a command is about, and when there is none."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from heart_api.commands import Action
from heart_api.heartmodel import CandidateStatus, HeartModel, RejectedStatus
from heart_api.names import Condition, Reason


class NotApplicable(Exception):
    """The command would do nothing, or not what was meant; the text says what to do instead."""


class Target(NamedTuple):
    """A version and its bytes; both empty where the command needs none."""

    version: str = ""
    digest: str = ""


def candidate_target(model: HeartModel, version: str) -> Target:
    candidate = require_candidate(model)
    if version not in ("", candidate.version):
        raise NotApplicable(f"Version {version} is not the candidate (candidate: version {candidate.version})")
    return Target(candidate.version, candidate.digest)


def require_candidate(model: HeartModel) -> CandidateStatus:
    if candidate := model.status.candidate:
        return candidate
    message = f"{model.name} has no candidate; {what_serves(model)}"
    if held := held_text(model):
        message += f". {held}"
    elif last := newest(model.status.rejected)[:1]:
        message += f". {rejected_text(model, last[0])}"
    raise NotApplicable(message)


def held_text(model: HeartModel) -> str:
    """Of a version whose gate cannot tell: what would help. Empty when there is none."""
    held = (Condition.GATE_PASSED, Reason.INSUFFICIENT_EVIDENCE)
    return next((entry.message for entry in model.status.conditions if (entry.type, entry.reason) == held), "")


def rejected_text(model: HeartModel, entry: RejectedStatus) -> str:
    """Why the version was rejected and how to retry it: unchanged gates would reject it again."""
    why = f"Version {entry.version} was rejected ({entry.reason}: {entry.message})"
    if entry.reason == Reason.GATE_FAILED:
        return f"{why}; the same gates would reject it again: change spec.gates, or train another version"
    return f"{why}; to clear the rejection: {typed(model, 'retry', entry.version)}"


def pause_target(model: HeartModel, version: str) -> Target:
    target = candidate_target(model, version)
    if require_candidate(model).paused:
        raise NotApplicable(f"Version {target.version} is already paused; to resume: {typed(model, 'resume')}")
    return target


def resume_target(model: HeartModel, version: str) -> Target:
    target = candidate_target(model, version)
    if not require_candidate(model).paused:
        raise NotApplicable(
            f"Version {target.version} was not paused by a user; to end a pause of its steps, or to approve it: "
            f"{typed(model, 'promote')}"
        )
    return target


def rollback_target(model: HeartModel, version: str) -> Target:
    """Abort the serving version: it is rejected and the previous one serves again; `version` must be serving."""
    serving, candidate = model.status.serving, model.status.candidate
    if serving is None:
        raise NotApplicable(f"No version of {model.name} is serving yet: there is nothing to roll back")
    if model.spec.pinned_version:
        raise NotApplicable(
            f"spec.version of {model.name} requests version {model.spec.version}: set it to the version that should "
            f"serve instead ({patch_version(model, '…')})"
        )
    if candidate and not version:
        raise NotApplicable(
            f"Version {candidate.version} is being rolled out; to reject it and keep version {serving.version}: "
            f"{typed(model, 'abort')}. To roll back version {serving.version} itself, set the target with --to"
        )
    back = way_back(model)
    if version not in ("", back.version):
        raise NotApplicable(
            f"A rollback from version {serving.version} goes to version {back.version}; for version {version} to "
            f"serve, set spec.version to it ({patch_version(model, version)})"
        )
    return Target(serving.version, serving.digest)


def patch_version(model: HeartModel, version: str) -> str:
    return f'kubectl patch heartmodel {model.name} --type merge -p \'{{"spec":{{"version":{version}}}}}\''


def way_back(model: HeartModel) -> Target:
    """The newest version that served before and was not rejected."""
    rejected = {entry.digest for entry in model.status.rejected}
    for target in served_before(model):
        if target.digest not in rejected:
            return target
    raise NotApplicable(f"There is no version to roll back to: {what_serves(model)}, and there is no previous version")


def served_before(model: HeartModel) -> list[Target]:
    """Versions that served and no longer do: the warm one first, then the history, newest first."""
    status = model.status
    warm = [Target(status.previous.version, status.previous.digest)] if status.previous else []
    past = sorted(status.history, key=lambda entry: entry.from_, reverse=True)
    found = [*warm, *(Target(entry.version, entry.digest) for entry in past)]
    return [target for target in found if status.serving is None or target.digest != status.serving.digest]


def retry_target(model: HeartModel, version: str) -> Target:
    """The rejected version, by default the newest."""
    rejected = newest(model.status.rejected)
    if not rejected:
        raise NotApplicable(f"No version of {model.name} is rejected; {what_serves(model)}")
    for entry in rejected:
        if version in ("", entry.version):
            return retried(model, entry)
    these = ", ".join(entry.version for entry in rejected)
    raise NotApplicable(
        f"Version {version} is not rejected (rejected: {these}); to serve it, set spec.version to it "
        f"({patch_version(model, version)})"
    )


def retried(model: HeartModel, entry: RejectedStatus) -> Target:
    if entry.reason == Reason.GATE_FAILED:
        raise NotApplicable(rejected_text(model, entry))
    return Target(entry.version, entry.digest)


def no_target(model: HeartModel, version: str) -> Target:
    return Target()


def newest(rejected: Iterable[RejectedStatus]) -> list[RejectedStatus]:
    return sorted(rejected, key=lambda entry: entry.time, reverse=True)


def what_serves(model: HeartModel) -> str:
    return f"version {model.status.serving.version} serves" if model.status.serving else "no version is serving yet"


TARGETS: dict[Action, Callable[[HeartModel, str], Target]] = {
    "promote": candidate_target,
    "promote-full": candidate_target,
    "abort": candidate_target,
    "pause": pause_target,
    "resume": resume_target,
    "rollback": rollback_target,
    "retry": retry_target,
    "retrain": no_target,
}


def typed(model: HeartModel, action: str, version: str = "") -> str:
    return " ".join(filter(None, ("kubectl heart", action, model.name, version)))
