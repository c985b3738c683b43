"""Events: what has just changed, said once. A restart repeats nothing: the stored conditions are compared with."""

from heart_api.heartmodel import CommandStatus, ConditionStatus, HeartModelStatus
from heart_api.names import Condition, Reason
from heart_operator.plan.actions import Event
from heart_operator.plan.status.findings_rollout import REJECTED_ON_TRAFFIC

PENDING = frozenset({Reason.TRAINING_PENDING, Reason.EVALUATION_PENDING, Reason.PODS_PENDING})
"""Reasons why pods do not run; their messages come from Kubernetes and change with each attempt."""
ANNOUNCED = {
    Condition.TRAINED: {
        Reason.TRAINING_STARTED,
        Reason.TRAINING_PENDING,
        Reason.TRAINING_SUCCEEDED,
        Reason.QUOTA_EXCEEDED,
        Reason.WAITING_FOR_SITES,
        Reason.VERSION_PINNED,
    },
    Condition.GATE_PASSED: {
        Reason.GATE_PASSED,
        Reason.GATE_FAILED,
        Reason.INSUFFICIENT_EVIDENCE,
        Reason.EVALUATION_UNREADABLE,
        Reason.EVALUATING,
        Reason.EVALUATION_PENDING,
        Reason.NOT_SERVABLE,
    },
    Condition.ROLLOUT_SUCCEEDED: {
        Reason.ROLLING_OUT,
        Reason.PROMOTED,
        Reason.PAUSED,
        Reason.AWAITING_APPROVAL,
        *REJECTED_ON_TRAFFIC,
    },
    Condition.READY: {Reason.ROUTE_NOT_ACCEPTED, Reason.PODS_PENDING},
    Condition.PROGRESSING: {
        Reason.SUSPENDED,
        Reason.INVALID_SPEC,
        Reason.QUOTA_EXCEEDED,
        Reason.REGISTRY_UNAVAILABLE,
        Reason.REGISTRY_LOST,
        Reason.REGISTRY_NAME_TAKEN,
        Reason.VERSION_NOT_FOUND,
    },
}
"""Conditions and reasons that make an event; besides these every training that failed."""
TROUBLE = {
    Reason.INSUFFICIENT_EVIDENCE,
    Reason.EVALUATION_UNREADABLE,
    Reason.REGISTRY_UNAVAILABLE,
    Reason.QUOTA_EXCEEDED,
    *PENDING,
}
"""Warnings though their condition is Unknown, not False."""


def build_events(old: HeartModelStatus, new: HeartModelStatus) -> tuple[Event, ...]:
    """One event per condition whose reason or subject changed, and one for a person's command that was handled."""
    before = {entry.type: entry for entry in old.conditions}
    found = [event(entry) for entry in new.conditions if is_announced(entry) and changed(before.get(entry.type), entry)]
    if new.command and not new.command.announced:
        found.insert(0, command_event(new.command))
    return tuple(found)


def command_event(command: CommandStatus) -> Event:
    """Who submitted a command, its reason and its result."""
    about = f" of version {command.version}" if command.version else ""
    why = f" ({command.reason})" if command.reason else ""
    message = f"{command.by or 'A user'} requested {command.action}{about}{why}: {command.result}"
    return (
        Event("Normal", Reason.COMMAND_EXECUTED, message)
        if command.done
        else Event("Warning", Reason.COMMAND_FAILED, message)
    )


def is_announced(entry: ConditionStatus) -> bool:
    failed_training = entry.type == Condition.TRAINED and entry.status == "False"
    return failed_training or entry.reason in ANNOUNCED.get(entry.type, set())


def changed(old: ConditionStatus | None, new: ConditionStatus) -> bool:
    """Messages of obstacles hold passing details (an outage's last error), all others name what they are about."""
    if old is None or (old.status, old.reason) != (new.status, new.reason):
        return True
    if new.reason == Reason.QUOTA_EXCEEDED:
        return False  # the time until which it waits may change with every training of the namespace
    if new.reason in PENDING:
        return subject(old.message) != subject(new.message)
    return new.type != Condition.PROGRESSING and old.message != new.message


def subject(message: str) -> str:
    """Which workload cannot start, and the cause's name (plan/blocked.py)."""
    return message.partition("):")[0]


def event(entry: ConditionStatus) -> Event:
    trouble = entry.status == "False" or entry.reason in TROUBLE
    return Event("Warning" if trouble else "Normal", entry.reason, entry.message)
