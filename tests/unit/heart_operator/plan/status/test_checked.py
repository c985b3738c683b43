"""Drift checks are runs for OpenLineage whatever they found, each told once."""

from typing import Any

import pytest

from heart_api.heartmodel import HeartModelStatus
from heart_operator.plan.status.checked import checked
from heart_operator.plan.status.decisions import Made
from heart_operator.plan.status.outbox import entry_of
from tests.support.plan.world import heart_model

THEN, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
SUMMARY = {"verdict": "NoDrift", "share": 0.1, "time": THEN, "schedule": "nightly"}
SERVING = {"version": "1", "digest": "d", "since": THEN}
FOUND = {"time": THEN, "version": "2", "verdict": "Drift", "share": 0.5, "samples": 300}
CHECK = {"id": "c1", "by": "erin", "since": THEN, "until": LATER, "phase": "Succeeded", "drift": FOUND}


def told(before: dict[str, Any], after: dict[str, Any]) -> list[Made]:
    status = HeartModelStatus.model_validate
    return list(checked(heart_model(status=status(before).dump()), status(after)))


def test_a_schedules_check_is_told_whatever_it_found() -> None:
    (found,) = told({}, {"drift": SUMMARY, "serving": SERVING})
    about = {"version": "1", "schedule": "nightly", "verdict": "NoDrift", "share": "0.1", "kind": "drift-check"}
    assert (found.type, found.time) == ("drift-checked", THEN)
    assert about.items() <= found.data.items()
    (next_,) = told({"drift": SUMMARY}, {"drift": SUMMARY | {"time": LATER}})
    assert (next_.id, next_.data["run"]) != (found.id, found.data["run"])


@pytest.mark.parametrize("after", [{}, {"drift": SUMMARY}, {"drift": SUMMARY | {"share": 0.2}}])
def test_what_is_known_is_not_told_again(after: dict[str, Any]) -> None:
    assert told({"drift": SUMMARY}, after) == []


def test_a_requested_check_is_told_when_it_ends() -> None:
    (found,) = told({"check": CHECK | {"drift": None, "phase": "Running"}}, {"check": CHECK})
    assert {"version": "2", "check": "c1", "verdict": "Drift", "share": "0.5"}.items() <= found.data.items()
    assert told({"check": CHECK}, {"check": CHECK | {"message": "said otherwise"}}) == []
    assert told({}, {"check": CHECK | {"drift": None, "phase": "Running"}}) == []


def test_only_openlineage_hears_of_checks_that_decide_nothing() -> None:
    (found,) = told({}, {"drift": SUMMARY})
    assert entry_of(found, ("history", "cloudevents", "openlineage")).pending == ("openlineage",)
    assert entry_of(found, ("history", "cloudevents")).pending == ()
