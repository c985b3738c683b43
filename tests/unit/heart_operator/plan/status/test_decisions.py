"""What receivers outside are told of each decision, and when nothing is told."""

from typing import Any

import pytest

from heart_api.heartmodel import HeartModelStatus
from heart_api.outbox import Erasure
from heart_api.times import read
from heart_operator.plan.status.decisions import Made, decisions, erased
from tests.support.plan.federated import federated_model
from tests.support.plan.world import heart_model

NOW = read("2026-01-10T03:00:00Z")
THEN, STARTED, ENDED = "2026-01-09T00:00:00Z", "2026-01-10T01:00:00Z", "2026-01-10T02:00:00Z"
ABOUT = {"namespace": "clinic", "name": "heart", "registryName": "clinic.heart"}
DATA = {"dataset": "https://example.org/heart.csv"}

RUNNING = {"job": "j", "trigger": "t", "phase": "Running", "startedAt": STARTED}
SUCCEEDED = RUNNING | {"phase": "Succeeded", "finishedAt": ENDED, "version": "2", "runId": "r", "artifactSha256": "d"}
FAILED = RUNNING | {"phase": "Failed", "finishedAt": ENDED, "reason": "DataInvalid", "message": "no rows"}


def told(before: dict[str, Any], after: dict[str, Any], model: Any = None) -> list[Made]:
    known = (model or heart_model()).model_copy(update={"status": HeartModelStatus.model_validate(before)})
    return list(decisions(known, HeartModelStatus.model_validate(after), NOW))


def facts(made: Made) -> dict[str, str]:
    """Without what every decision says, and without the run of OpenLineage."""
    return {name: value for name, value in made.data.items() if name not in (*ABOUT, "run")}


# --- Jobs ----------------------------------------------------------------------------------------

JOB = {"job": "j", **DATA}
DONE = {"version": "2", "digest": "d", "mlflowRun": "r"}


@pytest.mark.parametrize(
    ("field", "kind", "done"), [("training", *["training"] * 2), ("evaluation", *["evaluation"] * 2)]
)
def test_a_job_is_told_at_its_beginning_and_at_its_end(field: str, kind: str, done: str) -> None:
    (started,) = told({}, {field: RUNNING})
    assert (started.type, started.time, facts(started)) == ("training-started", STARTED, {"kind": kind} | JOB)
    (ended,) = told({field: RUNNING}, {field: SUCCEEDED})
    expected = "trained" if done == "training" else "evaluated"
    assert (ended.type, ended.time, facts(ended)) == (expected, ENDED, {"kind": kind} | JOB | DONE)
    (failed,) = told({field: RUNNING}, {field: FAILED})
    assert (failed.type, failed.time) == (f"{kind}-failed", ENDED)
    assert facts(failed) == {"kind": kind, "reason": "DataInvalid", "message": "no rows"} | JOB
    assert started.data["run"] == ended.data["run"] == failed.data["run"]
    assert {name: started.data[name] for name in ABOUT} == ABOUT


def test_a_job_without_an_end_ended_when_it_began() -> None:
    for ended in (SUCCEEDED, FAILED):
        (found,) = told({"training": RUNNING}, {"training": ended | {"finishedAt": None}})
        assert found.time == STARTED


OTHER = {"job": "other"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, None),
        (RUNNING, None),
        (RUNNING, RUNNING),
        (None, SUCCEEDED),
        (None, FAILED),
        (SUCCEEDED, SUCCEEDED),
        (FAILED, FAILED),
        (RUNNING | OTHER, SUCCEEDED),
        (SUCCEEDED, RUNNING),
    ],
)
def test_what_is_remembered_again_is_not_told(before: Any, after: Any) -> None:
    assert told({"training": before}, {"training": after}) == []


def test_another_job_is_another_run() -> None:
    (first,), (second,) = told({}, {"training": RUNNING}), told({"training": SUCCEEDED}, {"training": RUNNING | OTHER})
    assert first.id != second.id
    assert first.data["run"] != second.data["run"]


def test_each_end_has_an_id_of_its_own() -> None:
    ids = set()
    for job in ("j", "other"):
        for ended in (SUCCEEDED, FAILED):
            (found,) = told({"training": RUNNING | {"job": job}}, {"training": ended | {"job": job}})
            ids.add(found.id)
    assert len(ids) == 4


def site(name: str, state: str) -> dict[str, Any]:
    return {"site": name, "state": state, "uid": "u", "publicKey": "k"}


def sites_told(after: dict[str, Any]) -> str | None:
    return told({}, {"training": RUNNING} | after, federated_model())[0].data.get("sites")


def test_a_federated_trainings_sites_are_named() -> None:
    """Those that take part; of a record without sites those that are ready."""
    ready = {"sites": [{"site": "south/ward", "state": "Ready"}, {"site": "west/ward", "state": "Checking"}]}
    assert sites_told(ready) == "south/ward"
    parts = [site("south/ward", "Active"), site("north/ward", "Completed"), site("west/ward", "Rejected")]
    assert sites_told(ready | {"training": RUNNING | {"sites": parts}}) == "north/ward,south/ward"
    assert sites_told({}) is None
    (evaluation,) = told({}, {"evaluation": RUNNING} | ready, federated_model())
    assert "sites" not in evaluation.data


@pytest.mark.parametrize(("last", "named"), [(10, 50), (11, 49)])
def test_no_name_of_a_site_is_cut(last: int, named: int) -> None:
    """Forty-nine names of nine characters and one of ten are 500 with their commas: all that there is room for."""
    names = [f"north/{number:03}" for number in range(49)] + ["north/999".ljust(last, "9")]
    found = sites_told({"sites": [{"site": name, "state": "Ready"} for name in names]})
    assert found == ",".join(names[:named])


def test_a_federated_models_data_have_its_own_name() -> None:
    (started,) = told({}, {"training": RUNNING}, federated_model())
    assert started.data["dataset"] == "federation://clinic/heart"


# --- verdicts ------------------------------------------------------------------------------------


def condition(reason: str, message: str = "roc_auc 0.9", type_: str = "GatePassed") -> dict[str, Any]:
    return {"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": THEN}


def gate(*arguments: str, **more: Any) -> dict[str, Any]:
    return {"conditions": [condition("Serving", type_="Ready"), condition(*arguments)]} | more


@pytest.mark.parametrize("reason", ["GatePassed", "GateFailed", "InsufficientEvidence"])
def test_a_verdict_is_told_when_it_changes(reason: str) -> None:
    (found,) = told({}, gate(reason))
    assert (found.type, found.time) == ("gated", "2026-01-10T03:00:00Z")
    assert facts(found) == {"verdict": reason, "message": "roc_auc 0.9"}
    assert told(gate(reason), gate(reason)) == []
    (again,) = told(gate(reason), gate(reason, "roc_auc 0.8"))
    assert again.id != found.id
    (other,) = told(gate("NotEvaluated"), gate(reason))
    assert other == found
    (later,) = told({"training": SUCCEEDED}, gate(reason, training=SUCCEEDED))
    assert later.id != found.id, "the same verdict of another training"


def test_no_verdict_is_none() -> None:
    assert told({}, gate("NotEvaluated")) == []
    assert told(gate("GatePassed"), {}) == []


REJECTED = {"version": "2", "digest": "d", "reason": "GateFailed", "message": "too low", "time": THEN}


def test_a_rejection_is_told_once() -> None:
    (found,) = told({}, {"rejected": [REJECTED]})
    assert (found.type, found.time) == ("rejected", THEN)
    assert facts(found) == {"version": "2", "digest": "d", "reason": "GateFailed", "message": "too low"}
    assert told({"rejected": [REJECTED]}, {"rejected": [REJECTED | {"message": "said otherwise"}]}) == []
    changes = {"version": "3"}, {"reason": "CanaryAnalysisFailed"}, {"time": STARTED}
    (other,) = told({}, {"rejected": [REJECTED | {"digest": "other"}]})
    assert other.id != found.id
    for change in changes:
        assert len(told({"rejected": [REJECTED]}, {"rejected": [REJECTED, REJECTED | change]})) == 1
    ids = {made.id for made in told({}, {"rejected": [REJECTED, *(REJECTED | change for change in changes[::2])]})}
    assert len(ids) == 3


SERVED = {"version": "2", "digest": "d", "from": THEN, "reason": "Promoted"}


def test_a_version_that_begins_to_serve_is_told() -> None:
    (found,) = told({}, {"history": [SERVED | {"by": "carol", "message": "urgent"}]})
    assert (found.type, found.time) == ("promoted", THEN)
    assert facts(found) == {"version": "2", "digest": "d", "by": "carol", "message": "urgent"}
    assert told({"history": [SERVED]}, {"history": [SERVED | {"until": STARTED}]}) == []
    back = SERVED | {"reason": "RolledBack", "from": STARTED}
    (again,) = told({"history": [SERVED]}, {"history": [SERVED, back]})
    assert (again.type, again.time) == ("rolled-back", STARTED)
    assert again.id != found.id
    both = told({}, {"history": [SERVED, SERVED | {"version": "3"}, SERVED | {"from": STARTED}]})
    assert len({made.id for made in both}) == 3


COMMAND = {
    **{"id": "c1", "action": "promote", "version": "2", "by": "carol", "reason": "looks good", "time": THEN},
    "done": True,
}


@pytest.mark.parametrize("action", ["promote", "promote-full"])
def test_an_approval_is_told_once_it_was_carried_out(action: str) -> None:
    (found,) = told({}, {"command": COMMAND | {"action": action}})
    assert (found.type, found.time) == ("approved", THEN)
    assert facts(found) == {"version": "2", "by": "carol", "message": "looks good"}
    (next_,) = told({"command": COMMAND}, {"command": COMMAND | {"id": "c2"}})
    assert next_.id != found.id


@pytest.mark.parametrize(
    ("before", "after"),
    [(COMMAND, COMMAND), (None, COMMAND | {"done": False}), (None, COMMAND | {"action": "abort"}), (COMMAND, None)],
)
def test_no_other_command_is_an_approval(before: Any, after: Any) -> None:
    assert told({"command": before}, {"command": after}) == []


# --- drift ---------------------------------------------------------------------------------------

SUMMARY = {"verdict": "Drift", "share": 0.6, "time": THEN, "schedule": "nightly"}
SERVING = {"version": "1", "digest": "d", "since": THEN}


def test_drift_of_a_schedule_is_told_when_it_is_found() -> None:
    (found,) = told({}, {"drift": SUMMARY, "serving": SERVING})
    assert (found.type, found.time) == ("drift", THEN)
    assert facts(found) == {"version": "1", "schedule": "nightly", "share": "0.6"}
    (bare,) = told({}, {"drift": SUMMARY | {"share": None}})
    assert facts(bare) == {"schedule": "nightly"}
    assert told({"drift": SUMMARY}, {"drift": SUMMARY | {"share": 0.7}}) == []
    ids = {found.id}
    for change in ({"time": STARTED}, {"schedule": "weekly"}):
        (again,) = told({"drift": SUMMARY}, {"drift": SUMMARY | change})
        ids.add(again.id)
    assert len(ids) == 3
    assert len(told({"drift": SUMMARY | {"verdict": "NoDrift"}}, {"drift": SUMMARY})) == 1


@pytest.mark.parametrize("after", [None, SUMMARY | {"verdict": "NoDrift"}])
def test_no_drift_is_not_told(after: Any) -> None:
    assert told({"drift": SUMMARY}, {"drift": after}) == []


FOUND = {"time": THEN, "version": "1", "verdict": "Drift", "share": 0.5, "samples": 300, "message": "age moved"}
CHECK = {
    **{"id": "c1", "by": "erin", "since": THEN, "until": STARTED, "where": {"site": "a", "arm": "b"}},
    **{"phase": "Succeeded", "drift": FOUND},
}


def test_drift_of_a_check_is_told_when_it_ends() -> None:
    (found,) = told({"check": CHECK | {"drift": None, "phase": "Running"}}, {"check": CHECK})
    assert (found.type, found.time) == ("drift", THEN)
    assert facts(found) == {
        **{"version": "1", "check": "c1", "by": "erin", "where": "arm=b,site=a"},
        **{"share": "0.5", "message": "age moved"},
    }
    assert told({}, {"check": CHECK}) == [found]
    (other,) = told({"check": CHECK}, {"check": CHECK | {"id": "c2"}})
    assert other.id != found.id
    assert told({"check": CHECK}, {"check": CHECK | {"message": "said otherwise"}}) == []
    assert told({}, {"check": CHECK | {"drift": None, "phase": "Failed"}}) == []
    assert told({"check": CHECK}, {"check": None}) == []


# --- in all --------------------------------------------------------------------------------------


def test_decisions_come_in_the_order_in_which_they_were_made() -> None:
    after = gate("GatePassed", training=SUCCEEDED, evaluation=RUNNING, command=COMMAND, rejected=[REJECTED])
    after |= {"history": [SERVED], "drift": SUMMARY, "check": CHECK}
    found = told({"training": RUNNING}, after)
    assert [made.type for made in found] == [
        *("trained", "training-started", "gated", "approved", "rejected", "promoted"),
        *("drift", "drift"),
    ]


def test_ids_stay_what_an_earlier_release_gave() -> None:
    """A receiver that heard of a decision before an upgrade knows it again by its id."""
    (started,), (gated,) = told({}, {"training": RUNNING}), told({}, gate("GatePassed"))
    assert (started.id, gated.id) == ("6c94f32e-dcb6-50e0-a822-b9547161aa28", "062b767d-2135-50a5-afbd-b635b0d6ede3")
    assert started.data["run"] == "1413013d-d261-52c7-b36f-9c29da4306a8"


def test_another_model_has_other_ids() -> None:
    (ours,) = told({}, {"training": RUNNING})
    (theirs,) = told({}, {"training": RUNNING}, heart_model(uid="u-2"))
    assert ours.id != theirs.id
    assert ours.data["run"] != theirs.data["run"]


def test_an_erasure_says_how_much_and_never_of_whom() -> None:
    found = erased(heart_model(), Erasure(id="e1", time=THEN, predictions=3, outcomes=0))
    assert (found.type, found.time, facts(found)) == ("erased", THEN, {"predictions": "3", "outcomes": "0"})
    named = heart_model(annotations={"heartops.dev/erased-by": "frank"})
    by = erased(named, Erasure(id="e1", time=THEN, predictions=0, outcomes=7))
    assert facts(by) == {"predictions": "0", "outcomes": "7", "by": "frank"}
    assert by.id == found.id
    assert erased(named, Erasure(id="e2", time=THEN, predictions=0, outcomes=7)).id != found.id
