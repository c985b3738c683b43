"""Which versions are rejected. A gate's rejection stands while the gates are the same, others while the digest is."""

from collections.abc import Iterable
from datetime import datetime

from heart_api.heartmodel import RejectedStatus
from heart_api.names import Reason
from heart_api.times import written
from heart_operator.plan.observed import Observed
from heart_operator.plan.selection.measurements import is_not_servable
from heart_operator.plan.versions import Version, with_prefix


def find_rejection(rejected: Iterable[RejectedStatus], version: Version, gates_hash: str) -> RejectedStatus | None:
    """The rejection of this digest that still stands."""
    return next((entry for entry in rejected if stands(entry, version, gates_hash)), None)


def stands(entry: RejectedStatus, version: Version, gates_hash: str) -> bool:
    same_bytes = with_prefix(entry.digest) == version.digest if version.digest else entry.version == version.version
    return same_bytes and (entry.reason != Reason.GATE_FAILED or entry.gates_hash == gates_hash)


def tagged_rejection(observed: Observed, version: Version, now: datetime) -> RejectedStatus | None:
    """The registry's tag, used when the status was lost. A gate's rejection is not taken from it but checked again."""
    registered = observed.registry.versions.get(version.version)
    reason = registered.rejected if registered and not is_forgiven(observed, version.version) else None
    if not reason or reason.startswith(Reason.GATE_FAILED):
        return None
    message = f"Rejected earlier ({reason}), according to its tag in the registry"
    return reject(version, reason, message, now)


def is_tagged(observed: Observed, version: Version, gates_hash: str) -> bool:
    """Whether the registry's tag rejects it today: there may be more rejected versions than the status has room for,
    and one that fell out must not take its turn again."""
    registered = observed.registry.versions.get(version.version)
    if registered is None or not registered.rejected:
        return False
    reason, _, answered = registered.rejected.partition(":")
    if reason == Reason.NOT_SERVABLE:
        # A version with a digest has been measured since.
        return not version.digest and is_not_servable(observed, registered, answered)
    if is_forgiven(observed, version.version):
        return False
    return reason != Reason.GATE_FAILED or answered == gates_hash


def is_forgiven(observed: Observed, version: str) -> bool:
    """A user has requested a retry; the registry's tag may not show it yet."""
    command = observed.model.status.command
    return command is not None and command.done and (command.action, command.version) == ("retry", version)


def reject(version: Version, reason: str, message: str, now: datetime, gates_hash: str | None = None) -> RejectedStatus:
    return RejectedStatus(
        version=version.version,
        digest=version.digest,
        reason=reason,
        gates_hash=gates_hash,
        message=message,
        time=written(now),
    )


def with_rejection(
    rejected: tuple[RejectedStatus, ...], entry: RejectedStatus, limit: int
) -> tuple[RejectedStatus, ...]:
    """`entry` last, in the place of what was said of the same bytes before; at most `limit` entries."""
    others = tuple(old for old in rejected if (old.digest or old.version) != (entry.digest or entry.version))
    return (*others, entry)[-limit:]


def without_gate_rejection(rejected: tuple[RejectedStatus, ...], version: Version) -> tuple[RejectedStatus, ...]:
    """After the gates changed and let the version pass."""
    return tuple(
        entry for entry in rejected if with_prefix(entry.digest) != version.digest or entry.reason != Reason.GATE_FAILED
    )


def tag_of(entry: RejectedStatus) -> str:
    """The tag's value: the reason, and for a gate's rejection the hash of the gates."""
    return f"{entry.reason}:{entry.gates_hash}" if entry.gates_hash else entry.reason
