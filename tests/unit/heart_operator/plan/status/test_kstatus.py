"""Reconciling and Stalled: which of the two is there, why, and since when."""

import pytest

from heart_api.heartmodel import ConditionStatus
from heart_api.times import read
from heart_operator.plan.status.kstatus import add_kstatus

NOW = read("2026-01-10T03:00:00Z")
BEFORE = "2026-01-02T00:00:00Z"
READY = ConditionStatus(type="Ready", status="True", reason="Serving", message="", last_transition_time=BEFORE)


def leading(status: str, reason: str) -> ConditionStatus:
    values = {"type": "Progressing", "status": status, "reason": reason, "message": "why"}
    return ConditionStatus.model_validate(values | {"last_transition_time": BEFORE, "observed_generation": 3})


def added(status: str, reason: str, *, old: tuple[ConditionStatus, ...] = ()) -> tuple[ConditionStatus, ...]:
    """What is added to Ready and the leading condition."""
    shown = (READY, leading(status, reason))
    found = add_kstatus(shown, old, "Progressing", NOW)
    assert found[:2] == shown
    return found[2:]


@pytest.mark.parametrize("status", ["True", "Unknown"])
@pytest.mark.parametrize("reason", ["UpToDate", "Suspended"])
def test_neither_is_there_when_nothing_is_in_progress(status: str, reason: str) -> None:
    assert added(status, reason) == ()


def test_neither_is_there_without_the_leading_condition() -> None:
    assert add_kstatus((READY,), (), "Progressing", NOW) == (READY,)


@pytest.mark.parametrize("status", ["True", "Unknown"])
def test_reconciling_while_it_is_in_progress(status: str) -> None:
    (found,) = added(status, "RollingOut")
    assert (found.type, found.status, found.reason, found.message) == ("Reconciling", "True", "RollingOut", "why")
    assert (found.last_transition_time, found.observed_generation) == ("2026-01-10T03:00:00Z", 3)


@pytest.mark.parametrize("reason", ["GateFailed", "Suspended"])
def test_stalled_when_a_person_is_needed(reason: str) -> None:
    (found,) = added("False", reason)
    assert (found.type, found.status, found.reason) == ("Stalled", "True", reason)


def test_the_time_stays_while_it_lasts() -> None:
    since = leading("True", "RollingOut").model_copy(update={"type": "Reconciling"})
    (found,) = added("Unknown", "Paused", old=(READY, since))
    assert (found.reason, found.last_transition_time) == ("Paused", BEFORE)


def test_the_time_is_new_when_the_other_one_was_there() -> None:
    since = leading("True", "RollingOut").model_copy(update={"type": "Reconciling"})
    (found,) = added("False", "GateFailed", old=(since,))
    assert (found.type, found.last_transition_time) == ("Stalled", "2026-01-10T03:00:00Z")


def test_one_of_the_two_takes_the_place_of_the_other() -> None:
    reconciling = leading("True", "RollingOut").model_copy(update={"type": "Reconciling"})
    shown = (reconciling, leading("False", "GateFailed"))
    assert [each.type for each in add_kstatus(shown, (), "Progressing", NOW)] == ["Progressing", "Stalled"]
