"""Events: what has just changed, said once."""

from typing import Any

import pytest

from heart_api.heartmodel import (
    ConditionStatus,
    HeartModelStatus,
)
from heart_operator.plan.actions import Event
from heart_operator.plan.status.events import build_events
from tests.support.plan.decisions import command, condition


def events(old: tuple[ConditionStatus, ...], *new: ConditionStatus, **more: Any) -> tuple[Event, ...]:
    return build_events(HeartModelStatus(conditions=old), HeartModelStatus(conditions=new, **more))


def test_an_event_follows_a_change() -> None:
    promoted = condition("RolloutSucceeded", "Promoted", "True", "m")
    assert events((), promoted) == (Event("Normal", "Promoted", "m"),)
    assert events((promoted,), promoted) == ()
    assert events((promoted.model_copy(update={"status": "False"}),), promoted) != ()
    assert events((promoted.model_copy(update={"reason": "Paused"}),), promoted) != ()
    assert events((promoted.model_copy(update={"message": "before"}),), promoted) != ()
    assert events((), condition("RolloutSucceeded", "Serving", "True", "m")) == ()
    assert events((), condition("Available", "Promoted", "True", "m")) == ()


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (condition("RolloutSucceeded", "CanaryAnalysisFailed", "False"), "Warning"),
        (condition("GatePassed", "InsufficientEvidence", "Unknown"), "Warning"),
        (condition("GatePassed", "EvaluationUnreadable", "Unknown"), "Warning"),
        (condition("Progressing", "RegistryUnavailable", "Unknown"), "Warning"),
        (condition("Trained", "TrainingPending", "Unknown"), "Warning"),
        (condition("Trained", "DataInvalid", "False"), "Warning"),
        (condition("GatePassed", "Evaluating", "Unknown"), "Normal"),
        (condition("Trained", "TrainingSucceeded", "True"), "Normal"),
        (condition("Progressing", "Suspended", "Unknown"), "Normal"),
    ],
)
def test_warnings_are_what_needs_a_person(entry: ConditionStatus, kind: str) -> None:
    (found,) = events((), entry)
    assert (found.type, found.reason) == (kind, entry.reason)


def test_every_training_that_failed_is_announced_and_no_other_unknown_reason() -> None:
    assert events((), condition("Trained", "Strange", "Unknown")) == ()
    assert events((), condition("GatePassed", "Strange", "False")) == ()
    assert len(events((), condition("Trained", "Strange", "False"))) == 1


def test_passing_details_of_an_obstacle_repeat_no_event() -> None:
    outage = condition("Progressing", "RegistryUnavailable", "Unknown", "MLflow: refused")
    assert events((outage,), outage.model_copy(update={"message": "MLflow: timeout"})) == ()
    pending = condition("Ready", "PodsPending", "False", "1 of 2 pods (Quota): exceeded by 1. Ask")
    assert events((pending,), pending.model_copy(update={"message": "1 of 2 pods (Quota): exceeded by 2. Ask"})) == ()
    again = pending.model_copy(update={"message": "1 of 2 pods (Quota): exceeded (cpu): by 3"})
    assert events((pending,), again) == ()
    other = pending.model_copy(update={"message": "1 of 2 pods (Scheduling): no node. Add one"})
    assert len(events((pending,), other)) == 1
    quota = condition("Trained", "QuotaExceeded", "Unknown", "the next one may start at 3:00")
    assert events((quota,), quota.model_copy(update={"message": "the next one may start at 4:00"})) == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"result": "paused"},
            Event("Normal", "CommandExecuted", "alice requested pause of version 1 (urgent): paused"),
        ),
        (
            {"version": "", "reason": "", "by": "", "result": "no rollout", "done": False},
            Event("Warning", "CommandFailed", "A user requested pause: no rollout"),
        ),
    ],
)
def test_a_command_is_announced_once_and_first(given: dict[str, Any], expected: Event) -> None:
    promoted = condition("RolloutSucceeded", "Promoted", "True", "m")
    found = events((), promoted, command=command("pause", **given))
    assert found == (expected, Event("Normal", "Promoted", "m"))
    assert events((), command=command("pause", announced=True)) == ()
