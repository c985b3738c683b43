"""What a person's command does to the roles. Each is handled once: `status.command` keeps the last one's identity."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from heart_api.commands import Command, read_command
from heart_api.heartmodel import CandidateStatus, CommandStatus, RejectedStatus, Rollout
from heart_api.names import Reason
from heart_api.times import written
from heart_operator.plan.observed import Observed
from heart_operator.plan.selection.rejections import reject, with_rejection
from heart_operator.plan.versions import Version, with_prefix


@dataclass(frozen=True, slots=True)
class Roles:
    """What a command may change."""

    stable: Version | None
    candidate: CandidateStatus | None
    rejected: tuple[RejectedStatus, ...]
    has_way_back: bool
    """A version that served before can serve again."""


@dataclass(frozen=True, slots=True)
class Handled:
    """The roles after the newest command, and what to note of it."""

    roles: Roles
    command: CommandStatus | None


class CommandFailed(Exception):
    """The command cannot be carried out; the message says why, and what is possible."""


Effect = Callable[[Command, Roles, Rollout, datetime], tuple[Roles, str]]


def pending_command(observed: Observed) -> Command | None:
    """The command that has not been handled yet."""
    command, handled = read_command(observed.model.annotations), observed.model.status.command
    return None if command is None or (handled and handled.id == command.id) else command


def handle_command(observed: Observed, roles: Roles, rollout: Rollout, now: datetime) -> Handled:
    """Carry out the pending command, if there is one; `rollout` as it applies to the candidate."""
    command = pending_command(observed)
    if command is None:
        return Handled(roles, observed.model.status.command)
    try:
        check_newness(observed, command)
        roles, result = EFFECTS[command.action](command, roles, rollout, now)
        done = True
    except CommandFailed as error:
        done, result = False, str(error)
    note = CommandStatus(
        id=command.id,
        action=command.action,
        version=command.version,
        by=command.by,
        reason=command.reason,
        time=written(now),
        done=done,
        result=result,
    )
    return Handled(roles, note)


def check_newness(observed: Observed, command: Command) -> None:
    """Raises CommandFailed where nobody knows whether the command was handled before: its annotation outlives a lost
    status and comes back with a restored manifest, and may be much older than what serves.
    """
    if observed.model.status.observed_generation is None and command.action != "retrain":
        raise CommandFailed("the model has no status that says whether it was carried out before; repeat the command")


def candidate_of(command: Command, roles: Roles) -> CandidateStatus:
    """The candidate, when the command names it. Raises CommandFailed."""
    candidate = roles.candidate
    if candidate is None:
        raise CommandFailed("no rollout is in progress")
    if command.version != candidate.version or with_prefix(command.digest) != with_prefix(candidate.digest):
        raise CommandFailed(
            f"the candidate is version {candidate.version} ({candidate.digest}), not the version in the command"
        )
    return candidate


def with_candidate(roles: Roles, candidate: CandidateStatus, **changes: object) -> Roles:
    return replace(roles, candidate=candidate.model_copy(update=changes))


def promote(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    """One hold further: a person's pause, a step's pause, missing evidence, a missing approval."""
    candidate = candidate_of(command, roles)
    at_end = candidate.step >= len(rollout.steps)
    if candidate.phase == "AwaitingApproval" or (at_end and candidate.phase != "Held"):
        return with_candidate(roles, candidate, approved=True, paused=False), "approved"
    if at_end:
        return with_candidate(roles, candidate, forced=True, approved=True, paused=False), "approved without evidence"
    if rollout.steps[candidate.step].pause is None or candidate.phase == "Starting":
        raise CommandFailed(
            "the candidate is not paused or on hold: its pods are starting; promote-full skips the steps"
        )
    further = {"step": candidate.step + 1, "step_since": written(now), "paused": False}
    return with_candidate(roles, candidate, **further), f"advanced past step {candidate.step + 1}"


def promote_full(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    candidate = candidate_of(command, roles)
    changes = {"forced": True, "approved": True, "paused": False}
    return with_candidate(roles, candidate, **changes), "the remaining steps and the analysis are skipped"


def abort(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    candidate = candidate_of(command, roles)
    rejected = Version(candidate.version, candidate.digest)
    return reject_by_command(
        command, roles, rejected, Reason.ABORTED, rollout, now
    ), f"version {candidate.version} was rejected"


def rollback(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    """Reject the serving version; the previous version serves again."""
    stable = roles.stable
    if stable is None:
        raise CommandFailed("no version serves")
    if command.version != stable.version or with_prefix(command.digest) != stable.digest:
        raise CommandFailed(f"version {stable.version} ({stable.digest}) serves, not the version in the command")
    if not roles.has_way_back:
        raise CommandFailed("there is no previous version to roll back to; set spec.version to one")
    return reject_by_command(
        command, roles, stable, Reason.ROLLED_BACK, rollout, now
    ), f"version {stable.version} was rejected"


def reject_by_command(
    command: Command, roles: Roles, version: Version, reason: str, rollout: Rollout, now: datetime
) -> Roles:
    why = f": {command.reason}" if command.reason else ""
    entry = reject(version, reason, f"by {command.by or 'a user'}{why}", now)
    rejected = with_rejection(roles.rejected, entry, rollout.history_limit)
    candidate = roles.candidate
    left = None if candidate and candidate.version == version.version else candidate
    return Roles(roles.stable, left, rejected, roles.has_way_back)


def retry(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    """Clear a rejection; a gate is evaluated again in any case."""
    if all(entry.version != command.version for entry in roles.rejected):
        name = command.version or "?"
        raise CommandFailed(f"version {name} is not in status.rejected; to serve it, set spec.version to it")
    rejected = tuple(entry for entry in roles.rejected if entry.version != command.version)
    return Roles(roles.stable, roles.candidate, rejected, roles.has_way_back), "rejection cleared"


def pause(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    return with_candidate(roles, candidate_of(command, roles), paused=True), "paused"


def resume(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    candidate = candidate_of(command, roles)
    if not candidate.paused:
        raise CommandFailed("it was not paused by a user")
    return with_candidate(roles, candidate, paused=False), "resumed"


def retrain(command: Command, roles: Roles, rollout: Rollout, now: datetime) -> tuple[Roles, str]:
    """Record who requested the training; the annotation itself starts it."""
    return roles, "training requested"


EFFECTS: dict[str, Effect] = {
    "promote": promote,
    "promote-full": promote_full,
    "abort": abort,
    "rollback": rollback,
    "retry": retry,
    "pause": pause,
    "resume": resume,
    "retrain": retrain,
}
