"""Check Jobs and schedules as the API server returns them."""

from typing import Any

import pytest

from heart_api.drift import CheckFailure, CheckOutcome, CheckResult
from heart_api.driftstatus import DriftStatus
from heart_api.kube.objects import InvalidSpec
from heart_api.kube.schedules import model_of, parse_schedule
from heart_operator.observe.jobs import parse_check

STAMP = "2026-11-22T06:00:00Z"
FOUND = DriftStatus(time=STAMP, version="7", verdict="NoDrift", share=0, samples=200)


def job(end: str | None = None) -> dict[str, Any]:
    conditions = [{"type": end, "status": "True", "lastTransitionTime": STAMP, "reason": "Why"}] if end else []
    metadata = {"name": "watchful-check-1", "uid": "j", "creationTimestamp": STAMP}
    metadata["annotations"] = {"heartops.dev/scheduled-time": STAMP}
    return {"metadata": metadata, "status": {"conditions": conditions}}


def pod(message: str, created: str = STAMP, **more: Any) -> dict[str, Any]:
    ended = {"exitCode": 0, "reason": "Completed", "message": message, **more}
    return {
        "metadata": {"creationTimestamp": created},
        "status": {"containerStatuses": [{"name": "trainer", "state": {"terminated": ended}}]},
    }


def said(outcome: CheckOutcome) -> str:
    return outcome.model_dump_json(by_alias=True, exclude_none=True)


def test_a_finding_is_read_from_the_last_words() -> None:
    found = parse_check(job("Complete"), [pod(said(CheckOutcome(result=CheckResult(drift=FOUND))))])
    assert (found.phase, found.result, found.failure) == ("Succeeded", CheckResult(drift=FOUND), None)


def test_a_failure_says_why_and_the_newest_pod_counts() -> None:
    failure = CheckFailure(reason="LogUnavailable", message="the database does not answer")
    pods = [pod("Traceback", "2026-11-22T06:00:00Z"), pod(said(CheckOutcome(failure=failure)), "2026-11-22T06:01:00Z")]
    found = parse_check(job("Failed"), pods)
    assert (found.phase, found.failure) == ("Failed", failure)


def test_a_killed_pod_leaves_kubernetes_words() -> None:
    assert parse_check(job("Failed"), [pod("", reason="OOMKilled")]).why == "OOMKilled"
    assert parse_check(job("Failed"), []).why == "Why"


def test_a_pod_that_is_gone_is_a_lost_result_and_one_that_was_not_asked_is_not() -> None:
    lost = parse_check(job("Complete"), [])
    assert lost.failure
    assert "pod was removed" in lost.failure.message
    assert parse_check(job("Complete")).failure is None


def test_a_running_check() -> None:
    found = parse_check(job())
    assert (found.phase, found.result, found.failure) == ("Running", None, None)


def schedule(spec: dict[str, Any], status: Any = None) -> dict[str, Any]:
    meta = {"namespace": "clinic", "name": "nightly", "uid": "r", "creationTimestamp": STAMP}
    return {"metadata": meta, "spec": spec, "status": status}


def test_a_schedule_and_an_unreadable_status() -> None:
    found = parse_schedule(schedule({"modelName": "heart", "schedule": "0 3 * * *"}, {"runs": "none"}))
    assert (found.spec.model_name, found.status.runs, found.generation) == ("heart", (), 1)


def test_a_schedule_from_a_newer_version_is_rejected_by_its_field() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.moon"):
        parse_schedule(schedule({"modelName": "heart", "moon": "full"}))


@pytest.mark.parametrize(("spec", "name"), [({"modelName": "heart"}, "heart"), ({"modelName": 3}, ""), (None, "")])
def test_the_model_is_known_though_the_rest_is_unreadable(spec: Any, name: str) -> None:
    assert model_of({"metadata": {}, "spec": spec}) == name
