"""Which rejections stand, which fall, and what the gate's verdict adds: one decision at a time."""

from datetime import UTC, datetime
from typing import Any

import pytest

from heart_api.heartmodel import CommandStatus, HeartModelStatus, RejectedStatus
from heart_api.names import Reason
from heart_operator.plan.gates.verdict import GateReport, gates_hash
from heart_operator.plan.observed import Observed, RegisteredVersion, Registry
from heart_operator.plan.selection.gate_rejections import judge_rejections, without_renamed
from heart_operator.plan.selection.rejections import (
    find_rejection,
    is_forgiven,
    is_tagged,
    reject,
    tag_of,
    tagged_rejection,
    with_rejection,
    without_gate_rejection,
)
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.versions import Version
from tests.support.plan.world import MONITORING, PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE = "2026-01-01T11:00:00Z"
ONE, TWO = Version("1", sha("1")), Version("2", sha("2"))
TODAY = gates_hash(heart_model().spec.gates)
PASSED, FAILED = GateReport("Passed", (), TODAY), GateReport("Failed", (), TODAY)
HELD = GateReport("InsufficientEvidence", (), TODAY)


def entry(version: str = "2", reason: str = Reason.ABORTED, **changes: Any) -> RejectedStatus:
    values = {"version": version, "digest": sha(version), "reason": reason, "message": "bad", "time": BEFORE}
    return RejectedStatus(**(values | changes))


def by_gate(version: str = "2", hash_: str = TODAY) -> RejectedStatus:
    return entry(version, Reason.GATE_FAILED, gates_hash=hash_)


def observed(tag: str | None = None, spec: dict[str, Any] | None = None, **status: Any) -> Observed:
    versions = {} if tag is None else {"2": RegisteredVersion("2", "r", "t", sha("2"), tag or None)}
    model = heart_model(spec, status=HeartModelStatus(**status))
    return Observed(model, PROFILE, ("default",), (), (), {}, Registry(versions=versions), MONITORING)


def retry(version: str = "2", **changes: Any) -> CommandStatus:
    return CommandStatus(**({"id": "c", "action": "retry", "version": version, "time": BEFORE} | changes))


@pytest.mark.parametrize(
    ("rejected", "version", "stands"),
    [
        (entry(), TWO, True),
        (entry(digest=sha("2").removeprefix("sha256:")), TWO, True),
        (entry(), Version("2", sha("x")), False),
        (entry(), Version("2", ""), True),
        (entry("3"), Version("2", ""), False),
        (entry("7", digest=sha("2")), TWO, True),
        (by_gate(), TWO, True),
        (by_gate(hash_="other"), TWO, False),
    ],
)
def test_a_rejection_stands_for_the_same_bytes_and_gates(
    rejected: RejectedStatus, version: Version, stands: bool
) -> None:
    assert find_rejection((entry("9"), rejected), version, TODAY) == (rejected if stands else None)


@pytest.mark.parametrize(
    ("tag", "status", "message"),
    [
        ("Aborted", {}, "Rejected earlier (Aborted), according to its tag in the registry"),
        ("GateFailed:h", {}, None),
        ("", {}, None),
        (None, {}, None),
        ("Aborted", {"command": retry()}, None),
    ],
)
def test_a_tag_rejects_when_the_status_was_lost(tag: str | None, status: dict[str, Any], message: str | None) -> None:
    found = tagged_rejection(observed(tag, **status), TWO, NOW)
    assert (found and found.message) == message
    if found:
        assert (found.version, found.digest, found.reason, found.time) == (
            *("2", sha("2"), "Aborted", "2026-01-01T12:00:00Z"),
        )


@pytest.mark.parametrize(
    ("tag", "version", "status", "tagged"),
    [
        ("Aborted", TWO, {}, True),
        ("Aborted", TWO, {"command": retry()}, False),
        (f"GateFailed:{TODAY}", TWO, {}, True),
        ("GateFailed:other", TWO, {}, False),
        ("NotServable:evaluate-2-x", TWO, {}, False),
        ("NotServable:evaluate-2-x", Version("2", ""), {}, False),
        ("", TWO, {}, False),
        (None, TWO, {}, False),
    ],
)
def test_what_a_tag_says_today(tag: str | None, version: Version, status: dict[str, Any], tagged: bool) -> None:
    assert is_tagged(observed(tag, **status), version, TODAY) is tagged


@pytest.mark.parametrize(
    ("command", "forgiven"),
    [(None, False), (retry(), True), (retry("3"), False), (retry(done=False), False), (retry(action="abort"), False)],
)
def test_a_retry_forgives_its_version(command: CommandStatus | None, forgiven: bool) -> None:
    assert is_forgiven(observed(command=command), "2") is forgiven


def test_a_rejection_and_its_tag() -> None:
    found = reject(TWO, Reason.GATE_FAILED, "roc_auc", NOW, "h")
    assert found == by_gate(hash_="h").model_copy(update={"message": "roc_auc", "time": "2026-01-01T12:00:00Z"})
    assert [tag_of(found), tag_of(entry())] == ["GateFailed:h", "Aborted"]


def test_the_newest_rejection_takes_the_place_of_the_same_bytes() -> None:
    old, other, new = entry(), entry("3"), by_gate()
    assert with_rejection((old, other), new, 5) == (other, new)
    assert with_rejection((entry("4"), other), new, 2) == (other, new)
    nameless = entry(digest="")
    assert with_rejection((nameless, entry("3", digest="")), entry(digest="", reason="x"), 5)[0].version == "3"


def test_a_passed_gate_clears_the_gates_rejection_alone() -> None:
    bare = by_gate().model_copy(update={"digest": sha("2").removeprefix("sha256:")})
    assert without_gate_rejection((bare, entry(), by_gate("3")), TWO) == (entry(), by_gate("3"))


def judged(
    gate: GateReport | None,
    rejected: tuple[RejectedStatus, ...] = (),
    *,
    selection: Selection | None = None,
    stable: Version | None = ONE,
    seen: Observed | None = None,
) -> tuple[RejectedStatus, ...]:
    return judge_rejections(seen or observed(), stable, selection or Selection(TWO), gate, rejected, NOW)


def test_a_failed_gate_rejects_and_a_passed_one_clears() -> None:
    (found,) = judged(FAILED)
    assert (found.version, found.reason, found.gates_hash, found.time) == (
        *("2", "GateFailed", TODAY, "2026-01-01T12:00:00Z"),
    )
    assert found.message == FAILED.message
    old = by_gate(hash_="other")
    assert judged(PASSED, (old, entry("3"))) == (entry("3"),)
    assert judged(HELD, (old,)) == (old,)
    assert judged(None, (old,)) == (old,)
    limited = observed(spec={"rollout": {"historyLimit": 1}})
    assert [each.version for each in judged(FAILED, (entry("3"),), seen=limited)] == ["2"]


def test_whom_a_gate_does_not_reject() -> None:
    assert judged(FAILED, selection=Selection(ONE)) == (), "it serves"
    assert judged(FAILED, selection=Selection()) == ()
    assert judged(FAILED, selection=Selection(TWO, pinned=True)) == ()
    standing = (entry(),)
    assert judged(FAILED, standing) == standing
    assert len(judged(FAILED, stable=None)) == 1


def test_a_tag_counts_unless_the_version_is_named() -> None:
    tagged = observed("CanaryAnalysisFailed")
    assert [each.reason for each in judged(PASSED, seen=tagged)] == ["CanaryAnalysisFailed"]
    assert judged(PASSED, seen=tagged, selection=Selection(TWO, pinned=True)) == ()


@pytest.mark.parametrize(
    ("version", "before", "kept"),
    [
        ("2", "1", False),
        ("2", "latest", False),
        ("2", "2", True),
        ("2", None, True),
        ("latest", "2", True),
        ("@a", "2", True),
    ],
)
def test_naming_a_version_again_retries_it(version: str, before: str | None, kept: bool) -> None:
    seen = observed(spec={"version": version}, desired_version=before, rejected=(entry(), entry("3")))
    assert without_renamed(seen) == ((entry(), entry("3")) if kept else (entry("3"),))
