"""A user's command: what it changes, what is noted of it, and when it cannot be carried out."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from heart_api.commands import Command
from heart_api.heartmodel import CandidateStatus, CommandStatus, HeartModelStatus, RejectedStatus, Rollout
from heart_api.names import Reason
from heart_operator.plan.observed import Observed, Registry
from heart_operator.plan.rollout.commands import Handled, Roles, handle_command, pending_command
from heart_operator.plan.versions import Version
from tests.support.plan.world import PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITTEN, BEFORE = "2026-01-01T12:00:00Z", "2026-01-01T11:00:00Z"
ROLLOUT = Rollout.model_validate(
    {"steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}], "historyLimit": 2}
)
NO_WAY_BACK = "there is no previous version to roll back to; set spec.version to one"
SERVES = f"version 1 ({sha('1')}) serves, not the version in the command"
GOES = f"the candidate is version 2 ({sha('2')}), not the version in the command"
STABLE = Version("1", sha("1"))


def candidate(**changes: Any) -> CandidateStatus:
    values: dict[str, Any] = {
        "version": "2",
        "digest": sha("2"),
        "since": BEFORE,
        "step": 1,
        "step_since": BEFORE,
        "phase": "Paused",
    }
    return CandidateStatus(**(values | changes))


def rejection(version: str, reason: str = Reason.CANARY_ANALYSIS_FAILED) -> RejectedStatus:
    return RejectedStatus(version=version, digest=sha(version), reason=reason, message="bad", time=BEFORE)


def roles(**changes: Any) -> Roles:
    values: dict[str, Any] = {"stable": STABLE, "candidate": candidate(), "rejected": (), "has_way_back": True}
    return Roles(**(values | changes))


def command(action: str, version: str = "2", **changes: Any) -> Command:
    digest = sha(version) if version else ""
    values = {"action": action, "version": version, "digest": digest, "id": "c-1", "by": "alice", "reason": ""}
    return Command.model_validate(values | changes)


def observed(wanted: Command | None, handled: CommandStatus | None = None) -> Observed:
    status = HeartModelStatus(command=handled, observed_generation=1)
    model = heart_model(annotations=wanted.annotations() if wanted else {}, status=status)
    return Observed(model, PROFILE, (), (), (), {}, Registry(), frozenset())


def handle(wanted: Command, before: Roles | None = None) -> Handled:
    return handle_command(observed(wanted), before or roles(), ROLLOUT, NOW)


def note(handled: Handled) -> tuple[bool, str]:
    """(done, result)."""
    assert handled.command
    return handled.command.done, handled.command.result


def changed(handled: Handled) -> CandidateStatus:
    assert note(handled)[0], note(handled)[1]
    assert handled.roles.candidate
    return handled.roles.candidate


def test_a_command_is_noted_with_who_asked_and_why() -> None:
    found = handle(command("pause", reason="lunch")).command
    assert found == CommandStatus(
        id="c-1",
        action="pause",
        version="2",
        by="alice",
        reason="lunch",
        time=WRITTEN,
        done=True,
        result="paused",
    )


def test_a_command_is_handled_once() -> None:
    wanted = command("abort")
    done = handle(wanted).command
    assert pending_command(observed(wanted)) == wanted
    assert pending_command(observed(wanted, done)) is None
    assert pending_command(observed(None)) is None
    assert pending_command(observed(command("abort", id="c-2"), done)) is not None
    again = handle_command(observed(wanted, done), roles(), ROLLOUT, NOW)
    assert again == Handled(roles(), done)


def test_a_command_that_outlived_the_status_is_not_carried_out_again() -> None:
    """It may be much older than what serves: a rollback of a version that a person has named since."""
    model = heart_model(annotations=command("rollback", "1").annotations(), status=HeartModelStatus())
    handled = handle_command(replace(observed(None), model=model), roles(), ROLLOUT, NOW)
    assert handled.roles == roles()
    assert handled.command
    assert (handled.command.id, handled.command.done) == ("c-1", False)
    assert handled.command.result.endswith("whether it was carried out before; repeat the command")


def test_promote_goes_past_a_pause() -> None:
    handled = handle(command("promote"), roles(candidate=candidate(paused=True)))
    found = changed(handled)
    assert (found.step, found.step_since, found.paused) == (2, WRITTEN, False)
    assert (found.approved, found.forced) == (False, False)
    assert note(handled)[1].endswith(" 2"), "steps are counted from 1"


def test_promote_gives_an_approval() -> None:
    for waiting in (candidate(phase="AwaitingApproval", paused=True), candidate(step=4, phase="Scaling", paused=True)):
        handled = handle(command("promote"), roles(candidate=waiting))
        found = changed(handled)
        assert (found.approved, found.forced, found.paused, found.step) == (True, False, False, waiting.step)
        assert note(handled) == (True, "approved")


def test_promote_at_the_end_lets_it_pass_without_evidence() -> None:
    handled = handle(command("promote"), roles(candidate=candidate(step=4, phase="Held", paused=True)))
    found = changed(handled)
    assert (found.approved, found.forced, found.paused) == (True, True, False)
    assert note(handled) == (True, "approved without evidence")


@pytest.mark.parametrize("starting", [candidate(step=0, phase="Scaling"), candidate(phase="Starting")])
def test_promote_cannot_hurry_pods(starting: CandidateStatus) -> None:
    done, result = note(handle(command("promote"), roles(candidate=starting)))
    assert not done
    assert result == "the candidate is not paused or on hold: its pods are starting; promote-full skips the steps"


def test_promote_full_skips_everything() -> None:
    handled = handle(command("promote-full"), roles(candidate=candidate(paused=True)))
    found = changed(handled)
    assert (found.approved, found.forced, found.paused, found.step) == (True, True, False, 1)
    assert note(handled) == (True, "the remaining steps and the analysis are skipped")


def test_pause_and_resume() -> None:
    assert changed(handle(command("pause"))).paused
    before = roles(candidate=candidate(paused=True))
    handled = handle(command("resume"), before)
    assert handled.roles == roles(candidate=candidate(paused=False))
    assert note(handled) == (True, "resumed")
    assert note(handle(command("resume"))) == (False, "it was not paused by a user")


def test_abort_rejects_the_candidate() -> None:
    handled = handle(command("abort", reason="wrong data"))
    assert handled.roles.candidate is None
    assert handled.roles.stable == STABLE
    assert handled.roles.has_way_back
    (entry,) = handled.roles.rejected
    assert entry == RejectedStatus(
        version="2", digest=sha("2"), reason=Reason.ABORTED, message="by alice: wrong data", time=WRITTEN
    )
    assert note(handled) == (True, "version 2 was rejected")


def test_nobody_and_no_reason_are_left_out() -> None:
    (entry,) = handle(command("abort", by="")).roles.rejected
    assert entry.message.startswith("by a ")
    assert ":" not in entry.message


def test_only_so_many_rejections_are_kept() -> None:
    before = roles(rejected=(rejection("7"), rejection("8")))
    assert [entry.version for entry in handle(command("abort"), before).roles.rejected] == ["8", "2"]


def test_rollback_rejects_what_serves_and_keeps_the_candidate() -> None:
    handled = handle(command("rollback", "1"))
    assert handled.roles.candidate == candidate()
    (entry,) = handled.roles.rejected
    assert (entry.version, entry.digest, entry.reason, entry.message) == (
        "1",
        sha("1"),
        Reason.ROLLED_BACK,
        "by alice",
    )
    assert note(handled) == (True, "version 1 was rejected")


@pytest.mark.parametrize(
    ("wanted", "before", "words"),
    [
        (command("rollback", "1"), roles(stable=None), "no version serves"),
        (command("rollback", "2"), roles(), SERVES),
        (command("rollback", "1", digest=sha("2")), roles(), SERVES),
        (command("rollback", "2", digest=sha("1")), roles(), SERVES),
        (command("rollback", "1"), roles(has_way_back=False), NO_WAY_BACK),
        (command("abort"), roles(candidate=None), "no rollout is in progress"),
        (command("abort", "3"), roles(), GOES),
        (command("abort", digest=sha("3")), roles(), GOES),
        (command("pause"), roles(candidate=None), "no rollout is in progress"),
        (command("promote-full", "3"), roles(), GOES),
        (command("resume", "3"), roles(), GOES),
        (command("retry", "3"), roles(), "version 3 is not in status.rejected"),
        (command("retry", ""), roles(), "version ? is not in status.rejected"),
        (command("retry", "3"), roles(rejected=(rejection("2"),)), "version 3 is not in status.rejected"),
    ],
)
def test_what_cannot_be_carried_out_changes_nothing_and_says_why(wanted: Command, before: Roles, words: str) -> None:
    handled = handle(wanted, before)
    assert handled.roles == before
    done, result = note(handled)
    assert not done
    assert result.startswith(words)


def test_a_digest_may_be_written_without_its_prefix() -> None:
    bare = sha("2").removeprefix("sha256:")
    assert note(handle(command("pause"), roles(candidate=candidate(digest=bare))))[0]


def test_retry_clears_the_rejections_of_that_version_alone() -> None:
    handled = handle(command("retry"), roles(rejected=(rejection("2"), rejection("3"))))
    assert handled.roles == roles(rejected=(rejection("3"),))
    assert note(handled) == (True, "rejection cleared")


def test_a_retraining_is_noted_only() -> None:
    handled = handle(command("retrain", ""))
    assert handled.roles == roles()
    assert note(handled)[0]
    assert note(handled)[1].islower()
