"""The conditions of kstatus, by which Flux, kpt and others judge any custom resource: Reconciling and Stalled.

Unlike the other conditions they are present only while they are True.
Source: https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md
"""

from collections.abc import Iterable
from datetime import datetime

from heart_api.heartmodel import ConditionStatus
from heart_api.names import Condition, Reason
from heart_api.times import written

TYPES = frozenset({Condition.RECONCILING, Condition.STALLED})
NOT_IN_PROGRESS = frozenset({Reason.UP_TO_DATE, Reason.SUSPENDED})


def add_kstatus(
    conditions: tuple[ConditionStatus, ...], old: Iterable[ConditionStatus], leading: str, now: datetime
) -> tuple[ConditionStatus, ...]:
    """The conditions with Stalled where `leading` (a type) needs a person, or Reconciling while it is in progress."""
    found = next((entry for entry in conditions if entry.type == leading), None)
    if found is None or (found.status != "False" and found.reason in NOT_IN_PROGRESS):
        return conditions
    type_ = Condition.STALLED if found.status == "False" else Condition.RECONCILING
    return set_abnormal(conditions, old, type_, found, now)


def set_abnormal(
    conditions: Iterable[ConditionStatus],
    old: Iterable[ConditionStatus],
    type_: str,
    cause: ConditionStatus,
    now: datetime,
) -> tuple[ConditionStatus, ...]:
    """The conditions with this one of the two for the cause's reason; the time stays while it lasts."""
    before = next((entry for entry in old if entry.type == type_), None)
    since = before.last_transition_time if before else written(now)
    new = cause.model_copy(update={"type": type_, "status": "True", "last_transition_time": since})
    return (*(entry for entry in conditions if entry.type not in TYPES), new)
