"""What a FederationSite's conditions say, when they change, and which events follow."""

from typing import Any

import pytest

from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.heartmodel import ConditionStatus
from heart_api.times import read
from heart_operator.plan.actions import Event
from heart_operator.plan.federation.siteconditions import build_site_conditions, build_site_events
from heart_operator.plan.obstacles import Obstacle
from tests.support.plan.federated import KEY, reported, site, watched

NOW = read("2026-01-10T03:00:00Z")
THEN, NEW = "2026-01-09T00:00:00Z", "2026-01-10T03:00:00Z"
LOCAL = site().model_copy(update={"generation": 4})
ELSEWHERE = site(dataset=None, publicKey=KEY)
BROKEN = Obstacle("InvalidSpec", "spec.runtime: runtime profile 'x' not found")
SUSPENDED = Obstacle("Suspended", "The consent is suspended")
CHECK = {"job": "ward-check-1", "trigger": "t", "phase": "Succeeded", "time": THEN}


def model(state: str, name: str = "clinic/heart", message: str = "") -> dict[str, Any]:
    return {"model": name, "state": state, "message": message}


def training(phase: str, name: str = "clinic/heart", job: str = "j", message: str = "") -> dict[str, Any]:
    return {"model": name, "trigger": "t", "job": job, "phase": phase, "message": message}


def found(
    facts: dict[str, Any], at: Any = LOCAL, obstacle: Obstacle | None = None, blocked: str = ""
) -> dict[str, ConditionStatus]:
    status = FederationSiteStatus.model_validate(facts)
    conditions = build_site_conditions(watched(at), status, obstacle, blocked, NOW)
    assert len({entry.type for entry in conditions}) == len(conditions)
    return {entry.type: entry for entry in conditions}


def said(entry: ConditionStatus) -> tuple[str, str, str]:
    return entry.status, entry.reason, entry.message


# --- Ready ---------------------------------------------------------------------------------------

READY: dict[str, tuple[dict[str, Any], Obstacle | None, tuple[str, str, str]]] = {
    "an obstacle is said before all else": (
        {"models": [model("Ready")], "trainings": [training("Running")]},
        BROKEN,
        ("False", "InvalidSpec", BROKEN.message),
    ),
    "in training": (
        {"trainings": [training("Running", "clinic/lung", "k"), training("Running"), training("Succeeded", "a/b")]},
        None,
        ("True", "Training", "Taking part in the training of clinic/lung, clinic/heart"),
    ),
    "in training, whatever the others lack": (
        {"models": [model("Checking", "clinic/lung", "checked")], "trainings": [training("Running")]},
        None,
        ("True", "Training", "Taking part in the training of clinic/heart"),
    ),
    "ready": (
        {"models": [model("Ready"), model("CheckFailed", "a/b", "x"), model("Ready", "clinic/lung")]},
        None,
        ("True", "Ready", "Ready for clinic/heart, clinic/lung"),
    ),
    "ready after a training": (
        {"models": [model("Ready")], "trainings": [training("Failed"), training("Withdrawn", job="k")]},
        None,
        ("True", "Ready", "Ready for clinic/heart"),
    ),
    "checking": (
        {"models": [model("TooFewRows", "a/b", "x"), model("Checking", message="the data are being checked")]},
        None,
        ("Unknown", "Checking", "the data are being checked"),
    ),
    "the first trouble": (
        {"models": [model("NotNamed", "a/a", "x"), model("TooFewRows", "a/b", "few"), model("CheckFailed")]},
        None,
        ("False", "TooFewRows", "few"),
    ),
    "a broken contract": (
        {"models": [model("ContractMismatch", message="age is text")]},
        None,
        ("False", "ContractMismatch", "age is text"),
    ),
    "unreadable data": (
        {"models": [model("CheckFailed", message="no such file")]},
        None,
        ("False", "CheckFailed", "no such file"),
    ),
    "no model wants it": (
        {"models": [model("NotNamed", message="not named"), model("ModelNotFound", "a/b", "not found")]},
        None,
        ("False", "WaitingForModel", "not named; not found"),
    ),
    "nothing is known yet": ({}, None, ("False", "WaitingForModel", "")),
}


@pytest.mark.parametrize("case", READY)
def test_ready_says_what_the_site_does_or_lacks(case: str) -> None:
    facts, obstacle, expected = READY[case]
    assert said(found(facts, obstacle=obstacle)["Ready"]) == expected


def test_a_site_that_allows_nothing_says_so() -> None:
    empty = site(allow=[])
    nothing = ("False", "NothingAllowed", "spec.allow is empty: no model gets anything")
    assert said(found({"trainings": [training("Running")]}, empty)["Ready"]) == nothing
    assert said(found({}, empty, SUSPENDED)["Ready"]) == ("False", "Suspended", SUSPENDED.message)


def test_a_site_elsewhere_is_ready_elsewhere_and_has_no_data_to_check() -> None:
    conditions = found({"models": [model("Ready")]}, ELSEWHERE)
    assert set(conditions) == {"Ready"}
    assert said(conditions["Ready"]) == ("True", "Elsewhere", "Ready for clinic/heart")


# --- Checked -------------------------------------------------------------------------------------

CHECKED: dict[str, tuple[dict[str, Any], str, tuple[str, str, str]]] = {
    "nothing yet": ({}, "", ("Unknown", "Checking", "Nothing has been checked yet")),
    "blocked": (
        {"check": CHECK},
        "Job ward-check-1 cannot start (Quota)",
        ("Unknown", "CheckPending", "Job ward-check-1 cannot start (Quota)"),
    ),
    "running": (
        {"check": CHECK | {"phase": "Running"}, "models": [model("ContractMismatch")]},
        "",
        ("Unknown", "Checking", "Job ward-check-1 is reading the data"),
    ),
    "failed": (
        {"check": CHECK | {"phase": "Failed", "message": "no such file"}, "models": [model("ContractMismatch")]},
        "",
        ("False", "CheckFailed", "no such file"),
    ),
    "a broken contract": (
        {"check": CHECK, "models": [model("Ready", "a/b"), model("ContractMismatch", message="age is text")]},
        "",
        ("False", "ContractMismatch", "age is text"),
    ),
    "good": (
        {"check": CHECK, "models": [model("TooFewRows"), model("Ready", "a/b")]},
        "",
        ("True", "Checked", f"The data were checked at {THEN}"),
    ),
}


@pytest.mark.parametrize("case", CHECKED)
def test_checked_says_what_was_found_in_the_data(case: str) -> None:
    facts, blocked, expected = CHECKED[case]
    assert said(found(facts, blocked=blocked)["Checked"]) == expected


# --- Stalled, times ------------------------------------------------------------------------------


def test_trouble_that_needs_a_person_stalls_the_site() -> None:
    conditions = found({"models": [model("TooFewRows", message="few")], "check": CHECK})
    assert list(conditions) == ["Ready", "Checked", "Stalled"]
    assert said(conditions["Stalled"]) == ("True", "TooFewRows", "few")
    assert conditions["Stalled"].last_transition_time == NEW
    assert said(found({}, obstacle=BROKEN)["Stalled"]) == ("True", "InvalidSpec", BROKEN.message)
    assert said(found({}, site(allow=[]))["Stalled"])[1] == "NothingAllowed"


@pytest.mark.parametrize(
    ("facts", "obstacle"),
    [
        ({"models": [model("Ready")]}, None),
        ({"models": [model("Checking")]}, None),
        ({"models": [model("NotNamed")]}, None),
        ({"models": [model("Ready")]}, SUSPENDED),
    ],
)
def test_a_site_that_waits_for_others_or_was_suspended_is_not_stalled(
    facts: dict[str, Any], obstacle: Obstacle | None
) -> None:
    assert list(found(facts, obstacle=obstacle)) == ["Ready", "Checked"]


def condition(type_: str, status: str, reason: str = "Ready", **more: Any) -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "lastTransitionTime": THEN} | more


def test_the_time_moves_only_with_the_status() -> None:
    old = [condition("Ready", "False", "CheckFailed"), condition("Checked", "False"), condition("Stalled", "True")]
    before = reported(LOCAL, conditions=old)
    bad = found({"models": [model("TooFewRows")], "check": CHECK}, before)
    assert {name: entry.last_transition_time for name, entry in bad.items()} == {
        "Ready": THEN,
        "Checked": NEW,
        "Stalled": THEN,
    }
    good = found({"models": [model("Ready")]}, before)
    assert good["Ready"].last_transition_time == NEW
    assert {entry.observed_generation for entry in (*bad.values(), *good.values())} == {4}


def test_a_first_condition_begins_now() -> None:
    assert {entry.last_transition_time for entry in found({"models": [model("Ready")]}).values()} == {NEW}


# --- events --------------------------------------------------------------------------------------


def events(before: dict[str, Any], after: dict[str, Any], *conditions: dict[str, Any]) -> tuple[Event, ...]:
    old, new = (FederationSiteStatus.model_validate(status) for status in (before, after))
    return build_site_events(old, new, [ConditionStatus.model_validate(entry) for entry in conditions])


@pytest.mark.parametrize(
    ("reason", "type_"),
    [
        ("InvalidSpec", "Warning"),
        ("CheckFailed", "Warning"),
        ("CheckPending", "Warning"),
        ("ContractMismatch", "Warning"),
        ("TooFewRows", "Warning"),
        ("Suspended", "Normal"),
        ("Checked", "Normal"),
    ],
)
@pytest.mark.parametrize("condition_type", ["Ready", "Checked"])
def test_a_reason_is_announced_when_it_is_new(reason: str, type_: Any, condition_type: str) -> None:
    now = condition(condition_type, "False", reason, message="why")
    assert events({}, {}, now) == (Event(type_, reason, "why"),)
    assert events({"conditions": [condition(condition_type, "True", "Other")]}, {}, now)
    assert events({"conditions": [now | {"message": "another"}]}, {}, now) == (), "the same reason is old news"
    assert events({"conditions": [now | {"type": "Stalled"}]}, {}, now), "another condition said it"


@pytest.mark.parametrize("reason", ["Ready", "Training", "NothingAllowed", "WaitingForModel", "Checking", "Elsewhere"])
def test_what_happens_every_day_is_no_event(reason: str) -> None:
    assert events({}, {}, condition("Ready", "False", reason)) == ()


def test_a_stalled_site_is_announced_once() -> None:
    assert events({}, {}, condition("Stalled", "True", "TooFewRows")) == ()


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("Running", Event("Normal", "TrainingJoined", "Job j takes part in training clinic/heart")),
        ("Withdrawn", Event("Normal", "ConsentWithdrawn", "clinic/heart: why")),
        ("Failed", Event("Warning", "TrainingLeft", "clinic/heart: why")),
        ("Succeeded", Event("Normal", "TrainingLeft", "clinic/heart: why")),
    ],
)
def test_a_training_is_told_when_it_begins_and_ends(phase: str, expected: Event) -> None:
    now = {"trainings": [training(phase, message="why")]}
    other = "Succeeded" if phase == "Running" else "Running"
    assert events({}, now) == (expected,)
    assert events({"trainings": [training(other)]}, now) == (expected,)
    assert events({"trainings": [training(phase)]}, now) == ()
    assert events({"trainings": [training(phase, job="another")]}, now) == (expected,)


def test_conditions_are_told_before_trainings() -> None:
    now = {"trainings": [training("Running", job="k"), training("Running")]}
    told = events({}, now, condition("Ready", "True", "Ready"), condition("Checked", "True", "Checked"))
    assert [(entry.reason, entry.message.split()[:2]) for entry in told] == [
        ("Checked", []),
        ("TrainingJoined", ["Job", "k"]),
        ("TrainingJoined", ["Job", "j"]),
    ]
