"""A drift check that somebody requested: one Job for each order, whatever happens in between."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heart_api.checks import CheckOrder, CheckStatus
from heart_api.drift import CheckFailure, CheckResult
from heart_api.driftstatus import DriftStatus
from heart_api.heartmodel import HeartModelStatus, ServingStatus
from heart_api.kube.values import Blocked
from heart_api.names import check_job_name
from heart_api.status import RequestsStatus
from heart_operator.plan.check import CheckPlan, plan_check
from heart_operator.plan.observed import CheckJob, Observed, ObservedJob, Registry
from tests.support.plan.world import PROFILE, START, World, heart_model, sha

ORDER = CheckOrder(
    id="20260101T000000Z-01",
    by="alice",
    since="2025-12-31T00:00:00Z",
    until="2026-01-01T00:00:00Z",
    where={"site": "hospital-01"},
)
LATER = ORDER.model_copy(update={"id": "20260101T010000Z-01"})
NAME = check_job_name("heart", "u-1", ORDER.id)
SERVING = ServingStatus(version="1", digest=sha("1"), since="2025-12-01T00:00:00Z")
SPEC: dict[str, Any] = {"serving": {"predictionLog": {"labels": ["site"]}}}
FOUND = DriftStatus(time=ORDER.until, version="1", verdict="Drift", share=1, samples=300, message="all moved")


def observed(
    order: CheckOrder | None = ORDER,
    checks: tuple[CheckJob, ...] = (),
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> Observed:
    annotations = order.annotations() if order else {}
    known = HeartModelStatus(**{"serving": SERVING} | status)
    model = heart_model(SPEC | (spec or {}), annotations=annotations).model_copy(update={"status": known})
    return Observed(
        model=model,
        profile=PROFILE,
        profiles=("default",),
        jobs=(),
        deployments=(),
        children={},
        registry=Registry(),
        kinds=frozenset(),
        checks=checks,
    )


def job(name: str = NAME, **more: Any) -> CheckJob:
    return ObservedJob(
        **{"name": name, "uid": "j", "trigger": ORDER.until, "created": START, "phase": "Running"} | more
    )


def names(plan: CheckPlan) -> tuple[list[str], list[str]]:
    return [item["metadata"]["name"] for item in plan.create], [key.name for key in plan.delete]


def test_without_an_order_nothing_happens() -> None:
    assert plan_check(observed(None)) == CheckPlan()


def test_an_order_makes_one_job_that_checks_what_was_ordered() -> None:
    plan = plan_check(observed())
    assert names(plan) == ([NAME], [])
    assert plan.status
    assert (plan.status.phase, plan.status.by, plan.status.where) == ("Running", "alice", {"site": "hospital-01"})
    (container,) = plan.create[0]["spec"]["template"]["spec"]["containers"]
    assert '"where":{"site":"hospital-01"}' in container["env"][0]["value"]
    again = plan_check(observed(checks=(job(),), check=plan.status))
    assert names(again) == ([], [])


def test_a_job_that_was_deleted_while_it_ran_is_made_again() -> None:
    running = plan_check(observed()).status
    assert names(plan_check(observed(check=running))) == ([NAME], [])


def test_what_it_found_is_kept_and_the_job_is_not_made_again() -> None:
    ended = job(phase="Succeeded", result=CheckResult(drift=FOUND), finished=START)
    found = plan_check(observed(checks=(ended,))).status
    assert found
    assert (found.phase, found.drift, found.message) == ("Succeeded", FOUND, "all moved")
    assert plan_check(observed(check=found)) == CheckPlan(found)
    assert plan_check(observed(None, check=found)).status == found, "the annotation may go"


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        ({"failure": CheckFailure(reason="LogUnavailable", message="no log")}, "no log"),
        ({"why": "OOMKilled"}, f"Job {NAME} ended early: OOMKilled"),
    ],
)
def test_a_check_that_failed_says_why(ended: dict[str, Any], why: str) -> None:
    found = plan_check(observed(checks=(job(phase="Failed", **ended),))).status
    assert found
    assert (found.phase, found.message, found.drift) == ("Failed", why, None)


def test_a_blocked_job_says_why() -> None:
    blocked = Blocked("Quota", "exceeded", "ask for more")
    found = plan_check(observed(checks=(job(blocked=blocked),))).status
    assert found
    assert "exceeded" in found.message


def test_a_newer_order_takes_the_place_of_the_running_one() -> None:
    running = plan_check(observed()).status
    plan = plan_check(observed(LATER, checks=(job(),), check=running))
    assert names(plan) == ([check_job_name("heart", "u-1", LATER.id)], [NAME])


def test_an_older_order_is_never_carried_out_again() -> None:
    """A tool that applies files puts an old annotation back."""
    done = CheckStatus(id=LATER.id, since=LATER.since, until=LATER.until, phase="Succeeded", drift=FOUND)
    assert plan_check(observed(check=done)) == CheckPlan(done)


def test_an_order_over_http_counts_as_the_annotation_does() -> None:
    plan = plan_check(observed(None, requests=RequestsStatus(check=ORDER)))
    assert names(plan)[0] == [NAME]


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (observed(serving=None), "No version is serving"),
        (replace(observed(), profile=None), "no runtime profile"),
        (observed(spec={"serving": {"predictionLog": {"sink": "None"}}}), "no prediction log"),
        (observed(spec={"serving": {}}), "not logged with the label site"),
        (observed(spec={"suspend": True}), "suspended"),
    ],
)
def test_a_check_that_cannot_start_says_why_and_makes_no_job(seen: Observed, why: str) -> None:
    plan = plan_check(seen)
    assert plan.status
    assert (plan.status.phase, why in plan.status.message) == ("Pending", True), plan.status.message
    assert not plan.create


def test_the_models_plan_creates_the_job_records_it_and_keeps_the_requests() -> None:
    world = World()
    world.settle()
    world.finish_job()
    world.settle()
    world.start_pods()
    world.settle()
    order = ORDER.model_copy(update={"where": {}})
    asked = RequestsStatus(check=order)
    world.model = world.model.model_copy(update={"status": world.model.status.model_copy(update={"requests": asked})})
    plan = world.plan()
    assert [item["metadata"]["name"] for item in plan.create] == [NAME]
    assert plan.status.requests == asked
    assert plan.status.check
    assert plan.status.check.phase == "Running"


PROBLEMS: list[tuple[Observed, str]] = [
    (observed(spec={"suspend": True}), "The model is suspended; set spec.suspend to false to resume"),
    (
        replace(observed(), profile=None),
        "There is no runtime profile default: spec.runtime must name one of an administrator's",
    ),
    (
        observed(spec={"serving": {"predictionLog": {"sink": "None"}}}),
        "The model has no prediction log: set spec.serving.predictionLog.sink to PostgreSQL",
    ),
    (
        observed(
            ORDER.model_copy(update={"where": {"ward": "1", "site": "2", "age": "3"}}),
        ),
        "Predictions are not logged with the label age, ward: add it to spec.serving.predictionLog.labels",
    ),
    (observed(serving=None), "No version is serving yet: nothing has been predicted"),
]


@pytest.mark.parametrize(("seen", "message"), PROBLEMS)
def test_what_is_in_the_way_is_said_in_full_and_an_older_check_makes_room(seen: Observed, message: str) -> None:
    plan = plan_check(replace(seen, checks=(job("older"),)))
    assert plan.status
    assert (plan.status.phase, plan.status.message, plan.status.id) == ("Pending", message, ORDER.id)
    assert names(plan) == ([], ["older"])


def test_the_status_repeats_the_whole_order() -> None:
    status = plan_check(observed()).status
    assert status == CheckStatus(
        id=ORDER.id, by="alice", since=ORDER.since, until=ORDER.until, where=ORDER.where, phase="Running", job=NAME
    )


def test_jobs_of_older_checks_go_and_the_orders_own_stays() -> None:
    others = (job("older"), job("oldest"))
    assert names(plan_check(observed(checks=others))) == ([NAME], ["older", "oldest"])
    assert names(plan_check(observed(checks=(*others, job())))) == ([], ["older", "oldest"])
    ended = CheckStatus(id=ORDER.id, since=ORDER.since, until=ORDER.until, phase="Failed")
    assert names(plan_check(observed(checks=(*others, job()), check=ended))) == ([], ["older", "oldest"])
    assert names(plan_check(observed(None, checks=others, check=ended))) == ([], ["older", "oldest"])
    assert names(plan_check(observed(None, checks=others))) == ([], ["older", "oldest"])
    newer = ended.model_copy(update={"id": LATER.id})
    assert plan_check(observed(checks=others, check=newer)).status == newer
    assert names(plan_check(observed(checks=others, check=newer))) == ([], ["older", "oldest"])


def test_a_check_that_waited_is_made_once_it_can() -> None:
    waiting = plan_check(observed(serving=None)).status
    plan = plan_check(observed(check=waiting))
    assert names(plan) == ([NAME], [])
    assert plan.status
    assert (plan.status.phase, plan.status.message) == ("Running", "")


def test_an_ended_job_counts_although_a_new_one_could_not_start() -> None:
    ended = job(phase="Succeeded", result=CheckResult(drift=FOUND), finished=START)
    found = plan_check(observed(checks=(ended,), serving=None)).status
    assert found
    assert found.phase == "Succeeded"


@pytest.mark.parametrize(
    ("finished", "told"), [(START, "2026-01-01T00:00:00Z"), (None, "2025-12-31T23:00:00Z")], ids=["known", "unknown"]
)
def test_when_the_job_ended_or_else_when_it_was_created(finished: datetime | None, told: str) -> None:
    created = START - timedelta(hours=1)
    for ended in ({"phase": "Failed"}, {"phase": "Succeeded", "result": CheckResult(drift=FOUND)}):
        found = plan_check(observed(checks=(job(created=created, finished=finished, **ended),))).status
        assert found
        assert (found.job, found.finished_at) == (NAME, told)


@pytest.mark.parametrize("result", [None, CheckResult(drift=None)])
def test_a_job_without_a_result_has_failed_without_a_reason(result: CheckResult | None) -> None:
    found = plan_check(observed(checks=(job(phase="Succeeded", result=result),))).status
    assert found
    assert (found.phase, found.message) == ("Failed", f"Job {NAME} ended early: without a reason")


def test_a_running_job_is_named_with_what_blocks_it() -> None:
    blocked = Blocked("Quota", "exceeded", "ask for more")
    found = plan_check(observed(checks=(job(blocked=blocked),))).status
    assert found
    assert (found.phase, found.job, found.finished_at) == ("Running", NAME, None)
    assert found.message == f"Job {NAME} cannot start (Quota): exceeded. ask for more"
    found = plan_check(observed(checks=(job(),))).status
    assert found
    assert found.message == ""
