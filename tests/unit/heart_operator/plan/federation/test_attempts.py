"""Attempts at the check of a site's data: which Job is the next one, when it is made, and when it is the last."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heart_api.federation import SiteCheckOutcome, SiteFailure
from heart_api.federationsitestatus import SiteCheckStatus
from heart_api.kube.values import Blocked, ObjectKey
from heart_api.names import site_check_job_name
from heart_api.times import read
from heart_operator.plan.blocked import settled_job
from heart_operator.plan.federation.attempts import ATTEMPTS, attempt_names, attempt_of
from heart_operator.plan.federation.checks import CheckPlan, check_trigger, plan_check
from heart_operator.plan.federation.observed import SiteCheckJob
from heart_operator.plan.observed import ObservedJob
from tests.support.plan.federated import KEY, federated_model, reported, site, watched

START = read("2026-01-10T02:00:00Z")
MODEL, SITE = federated_model(), site()
TRIGGER = check_trigger(watched(SITE, MODEL))
FIRST, SECOND, THIRD, LAST = attempt_names(SITE, TRIGGER)
ANSWER = SiteCheckOutcome(public_key=KEY, rows=437)


def job(name: str, phase: Any = "Failed", **changes: Any) -> SiteCheckJob:
    ended: dict[str, Any] = {} if phase == "Running" else {"finished": START, "why": "Evicted"}
    found: SiteCheckJob = ObservedJob(name, f"uid-{name}", TRIGGER, START, phase)
    return replace(found, **ended | changes)


def plan(*jobs: SiteCheckJob, known: SiteCheckStatus | None = None, now: datetime = START) -> CheckPlan:
    at = reported(SITE, check=known.dump()) if known else SITE
    return plan_check(watched(at, MODEL, checks=jobs), may_start=True, now=now)


def failed(name: str) -> SiteCheckStatus:
    """The record of an attempt that has just ended without an answer."""
    found = plan(job(name)).status
    assert found
    assert found.phase == "Failed"
    return found


def begun(name: str) -> SiteCheckStatus:
    return SiteCheckStatus(job=name, trigger=TRIGGER, phase="Running")


def created(found: CheckPlan) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in found.create]


def keys(*names: str) -> tuple[ObjectKey, ...]:
    return tuple(ObjectKey("batch/v1", "Job", name) for name in names)


def test_the_first_attempt_has_the_name_that_it_always_had() -> None:
    assert site_check_job_name("ward", "uid-north", TRIGGER) == FIRST
    assert len({FIRST, SECOND, THIRD, LAST}) == ATTEMPTS
    assert [attempt_of(SITE, TRIGGER, name) for name in (FIRST, LAST, "of an earlier uid")] == [0, 3, 0]


@pytest.mark.parametrize(
    ("ended", "following", "minutes"), [(FIRST, SECOND, 1), (SECOND, THIRD, 10), (THIRD, LAST, 60)]
)
def test_the_next_attempt_begins_when_its_time_has_come(ended: str, following: str, minutes: int) -> None:
    due = START + timedelta(minutes=minutes)
    early = plan(job(ended), known=failed(ended), now=due - timedelta(seconds=1))
    assert early == CheckPlan(failed(ended), next_attempt=due)
    found = plan(job(ended), known=failed(ended), now=due)
    assert (found.status, created(found), found.delete) == (begun(following), [following], keys(ended))
    assert found.next_attempt is None


def test_after_the_last_attempt_a_person_is_asked() -> None:
    found = plan(job(LAST), known=begun(LAST))
    assert found.status
    assert found.status.next_attempt_time is None
    assert found.status.message == (
        f"Job {LAST}: it ended early: Evicted. After 4 attempts it is not tried again until the FederationSite's spec"
        " or a contract changes, or the Job is deleted"
    )
    assert plan(job(LAST), known=found.status, now=START + timedelta(days=30)) == CheckPlan(found.status)
    deleted = plan(known=found.status)
    assert (deleted.status, created(deleted)) == (begun(FIRST), [FIRST]), "deleting the Job begins anew"


def test_data_that_turn_out_bad_at_the_last_attempt_are_named_alone() -> None:
    found = plan(job(LAST, failure=SiteFailure(reason="DataInvalid", message="no column age"))).status
    assert found
    assert found.message == f"Job {LAST}: no column age"


def test_an_attempt_whose_job_was_not_made_is_made() -> None:
    """The operator died between the record and the Job; the one before may be there, or be gone."""
    for jobs in ((), (job(FIRST),)):
        found = plan(*jobs, known=begun(SECOND))
        assert (found.status, created(found)) == (begun(SECOND), [SECOND])
        assert found.delete == keys(*(one.name for one in jobs))


def test_a_lost_status_finds_the_latest_attempt() -> None:
    found = plan(job(FIRST), job(SECOND, "Running"))
    assert (found.status, found.create, found.delete) == (begun(SECOND), (), keys(FIRST))
    behind = plan(job(SECOND, "Running"), known=failed(FIRST))
    assert (behind.status, behind.create) == (begun(SECOND), ())


def test_an_earlier_attempt_says_nothing_of_a_later_one() -> None:
    late = job(FIRST, "Succeeded", result=ANSWER)
    assert plan(late, known=failed(SECOND)).status == failed(SECOND)


# --- a Job that was given up, for its pod could not start ------------------------------------------------------

LONG = Blocked("VolumeMissing", "no claim cohort", "Create it", hopeless=True, since=START - timedelta(minutes=10))


def given_up(name: str) -> SiteCheckJob:
    found = settled_job(job(name, "Running", waiting=True, blocked=LONG), START)
    assert found.phase == "Failed"
    return found


def test_a_job_that_was_given_up_is_removed_by_the_next_attempt() -> None:
    found = plan(given_up(FIRST), known=begun(FIRST)).status
    assert found
    assert found.message == (
        f"Job {FIRST}: it ended early: its pod could not start within 10 minutes (no claim cohort). It is tried again"
        " at 2026-01-10T02:01:00Z"
    )
    following = plan(given_up(FIRST), known=found, now=START + timedelta(minutes=1))
    assert (created(following), following.delete) == ([SECOND], keys(FIRST))


def test_a_job_that_starts_after_it_was_given_up_goes_on() -> None:
    known = plan(given_up(FIRST), known=begun(FIRST)).status
    running = plan(job(FIRST, "Running"), known=known)
    assert (running.status, running.create, running.delete) == (begun(FIRST), (), ())
    answered = plan(job(FIRST, "Succeeded", result=ANSWER, why=""), known=known)
    assert answered.status
    assert answered.status.phase == "Succeeded"
    assert answered.found["rows"] == 430


def test_a_job_that_kubernetes_ended_later_changes_nothing() -> None:
    known = plan(given_up(FIRST), known=begun(FIRST)).status
    ended = job(FIRST, why="DeadlineExceeded", finished=START + timedelta(minutes=5))
    assert plan(ended, known=known, now=START + timedelta(seconds=59)).status == known
