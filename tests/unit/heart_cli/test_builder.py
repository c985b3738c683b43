"""What a person may tell the operator in each state, and what is said where it makes no sense."""

import pytest

from heart_api.commands import Command, read_command
from heart_api.heartmodel import HeartModel
from heart_api.kube.objects import parse_model
from heart_cli.builder import build_command, notes, offers
from heart_cli.targets import NotApplicable
from tests.support.apiserver.heart_objects import (
    candidate,
    condition,
    heart_model,
    previous,
    rejected,
    served,
    serving,
    sha,
)
from tests.unit.heart_cli.cases import CASES


def model(status, spec=None, annotations=None) -> HeartModel:
    return parse_model(heart_model(status, spec, annotations))


def command_for(found: HeartModel, action: str, version: str = "", reason: str = "") -> Command:
    return build_command(found, action, version, id_="20261121T080000Z-3f2a", by="alice", reason=reason)


ROLLOUT = {"serving": serving("6"), "candidate": candidate("7"), "previous": previous("5")}
QUIET = {"serving": serving("6"), "previous": previous("5")}
HELD = QUIET | {
    "conditions": [
        condition(
            "GatePassed", "Unknown", "InsufficientEvidence", "Version 7: 12 events are too few. Train on more data"
        )
    ]
}
PAUSED = ROLLOUT | {"candidate": candidate("7", paused=True)}
REJECTED = QUIET | {
    "rejected": [
        rejected("4", "ReadyDeadlineExceeded", "0 of 2", "2026-11-01T08:00:00Z"),
        rejected("7", "Crashing", "OOM"),
    ]
}
PAST = [served("3", "2026-11-01T08:00:00Z"), served("4", "2026-11-05T08:00:00Z"), served("6", "2026-11-18T04:00:00Z")]


@pytest.mark.parametrize(
    ("status", "action", "version", "target"),
    [
        (ROLLOUT, "promote", "", "7"),
        (ROLLOUT, "promote", "7", "7"),
        (ROLLOUT, "promote-full", "", "7"),
        (ROLLOUT, "abort", "", "7"),
        (ROLLOUT, "pause", "", "7"),
        (PAUSED, "resume", "", "7"),
        (QUIET, "rollback", "", "6"),
        (QUIET, "rollback", "5", "6"),
        (ROLLOUT, "rollback", "5", "6"),
        (REJECTED, "retry", "", "7"),
        (REJECTED, "retry", "4", "4"),
    ],
)
def test_a_command_names_the_version_and_its_bytes(status, action, version, target):
    command = command_for(model(status), action, version)
    assert (command.action, command.version, command.digest) == (action, target, sha(target))


def test_what_is_written_is_what_the_operator_reads():
    written = command_for(model(ROLLOUT), "promote", reason="checked with cardiology")
    assert read_command(written.annotations()) == written
    assert (written.by, written.reason) == ("alice", "checked with cardiology")


def test_retraining_names_no_version():
    command = command_for(model(QUIET), "retrain")
    assert (command.version, command.digest) == ("", "")
    assert read_command(command.annotations()) == command


@pytest.mark.parametrize(
    ("status", "spec", "action", "version", "words"),
    [
        (QUIET, {}, "promote", "", "heart has no candidate; version 6 serves"),
        ({}, {}, "abort", "", "heart has no candidate; no version is serving yet"),
        (
            REJECTED,
            {},
            "promote",
            "",
            "Version 7 was rejected (Crashing: OOM); to clear the rejection: kubectl heart retry heart 7",
        ),
        (HELD, {}, "promote", "", "version 6 serves. Version 7: 12 events are too few. Train on more data"),
        (ROLLOUT, {}, "promote", "8", "Version 8 is not the candidate (candidate: version 7)"),
        (PAUSED, {}, "pause", "", "already paused; to resume: kubectl heart resume heart"),
        (ROLLOUT, {}, "resume", "", "Version 7 was not paused by a user"),
        ({}, {}, "rollback", "", "nothing to roll back"),
        (QUIET, {"version": 6}, "rollback", "", "spec.version of heart requests version 6"),
        (QUIET, {"version": "6"}, "rollback", "", "spec.version of heart requests version 6"),
        (ROLLOUT, {}, "rollback", "", "kubectl heart abort heart"),
        (QUIET, {}, "rollback", "3", '{"spec":{"version":3}}'),
        ({"serving": serving("6")}, {}, "rollback", "", "There is no version to roll back to"),
        (QUIET, {}, "retry", "", "No version of heart is rejected"),
        (REJECTED, {}, "retry", "9", "Version 9 is not rejected (rejected: 7, 4)"),
        (QUIET | {"rejected": [rejected("7", "GateFailed", "roc_auc 0.7")]}, {}, "retry", "7", "change spec.gates"),
        (ROLLOUT, {"suspend": True}, "promote", "", "heart is suspended"),
        (QUIET, {"suspend": True}, "retrain", "", '{"spec":{"suspend":false}}'),
    ],
)
def test_a_command_without_sense_is_rejected_in_words(status, spec, action, version, words):
    with pytest.raises(NotApplicable) as rejection:
        command_for(model(status, spec), action, version)
    assert words in str(rejection.value)


def test_a_rollback_goes_past_versions_that_were_rejected():
    status = {"serving": serving("6"), "history": PAST, "rejected": [rejected("4", "RolledBack", "by bob")]}
    found = model(status)
    assert notes(found, command_for(found, "rollback")) == ["Rolling back from version 6 to version 3."]


def test_an_alias_may_be_rolled_back():
    assert command_for(model(QUIET, {"version": "@champion"}), "rollback").version == "6"


def test_a_command_that_takes_anothers_place_says_so():
    before = Command(action="promote", version="7", digest=sha("7"), id="earlier", by="bob").annotations()
    found = model(ROLLOUT, annotations=before)
    assert "promote 7 by bob" in notes(found, command_for(found, "abort"))[0]
    handled = {"id": "earlier", "action": "promote", "time": "2026-11-21T07:59:00Z"}
    found = model(ROLLOUT | {"command": handled}, annotations=before)
    assert notes(found, command_for(found, "abort")) == []


def test_aborting_what_spec_version_names_says_how_long_it_holds():
    found = model(ROLLOUT, {"version": 7})
    assert "stays rejected until spec.version changes" in notes(found, command_for(found, "abort"))[0]


@pytest.mark.parametrize("name", CASES)
def test_every_command_that_is_offered_would_be_accepted(name):
    found = CASES[name]().model
    for offer in offers(found):
        _, _, action, shown, *version = offer.split()
        assert shown == found.name
        command_for(found, action, *version)


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("waiting_for_approval", ["promote", "abort"]),
        ("at_a_step", ["promote", "abort"]),
        ("paused", ["resume", "abort"]),
        ("starting", ["pause", "abort"]),
        ("healthy", ["rollback"]),
        ("refused", ["retry"]),
        ("nothing_serves", ["retrain"]),
        ("suspended", []),
    ],
)
def test_what_is_offered(name, actions):
    assert [offer.split()[2] for offer in offers(CASES[name]().model)] == actions
