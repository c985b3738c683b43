"""The check of a site's data: when a Job reads them, and what it means for each model."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heart_api.federation import SiteCheckOutcome, SiteFailure
from heart_api.federationsite import FederationSite
from heart_api.federationsitestatus import AllowedModelStatus, ColumnProblem, SiteCheckStatus
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Blocked, ObjectKey
from heart_api.names import Annotation, site_check_job_name
from heart_api.times import read
from heart_operator.plan.federation.checks import CheckPlan, check_trigger, model_states, plan_check
from heart_operator.plan.federation.observed import SiteCheckJob
from heart_operator.plan.observed import ObservedJob
from tests.support.plan.federated import KEY, federated_model, reported, site, watched

BEGAN, ENDED, LATE = "2026-01-10T01:00:00Z", "2026-01-10T02:00:00Z", "2026-01-20T00:00:00Z"
MODEL = federated_model()
LUNG = MODEL.model_copy(update={"name": "lung"})
OTHER = "sha256:" + "0" * 64
SITE = site()
TRIGGER = check_trigger(watched(SITE, MODEL))
NAME = site_check_job_name("ward", "uid-north", TRIGGER)
RECORD: dict[str, Any] = {"job": NAME, "trigger": TRIGGER, "phase": "Succeeded", "time": ENDED}


def job(phase: Any = "Running", trigger: str = TRIGGER, name: str = NAME, **changes: Any) -> SiteCheckJob:
    found: SiteCheckJob = ObservedJob(name, f"uid-{name}", trigger, read(BEGAN), phase)
    return replace(found, **({} if phase == "Running" else {"finished": read(ENDED)}) | changes)


def outcome(**changes: Any) -> SiteCheckOutcome:
    return SiteCheckOutcome.model_validate({"public_key": KEY, "rows": 437} | changes)


def plan(
    *jobs: SiteCheckJob, at: FederationSite = SITE, may_start: bool = True, now: str = ENDED, **status: Any
) -> CheckPlan:
    known = reported(at, **status) if status else at
    return plan_check(watched(known, MODEL, checks=jobs), may_start=may_start, now=read(now))


def key(name: str) -> ObjectKey:
    return ObjectKey("batch/v1", "Job", name)


# --- what a check answers ------------------------------------------------------------------------


def trigger(*models: HeartModel, **spec: Any) -> str:
    return check_trigger(watched(site(**spec), *models))


def test_an_upgrade_of_the_operator_reads_no_data_again() -> None:
    assert trigger(MODEL) == "f7b62d73"
    assert trigger(MODEL, dataset=None, publicKey=KEY) == "753a81fe"
    assert trigger(MODEL, dataset={"uri": "pvc://cohort/rows.parquet", "format": "parquet"}) == "eb91016e"


def test_data_are_read_again_when_an_answer_may_change() -> None:
    allow = [{"model": "clinic/heart"}, {"model": "clinic/lung"}]
    features = [{"name": "age", "type": "number"}, {"name": "weight", "type": "number"}]
    spec = type(MODEL.spec).model_validate(MODEL.spec.dump() | {"features": features})
    changed = {
        TRIGGER,
        trigger(MODEL, minimumRows=51),
        trigger(MODEL, dataset={"uri": "pvc://cohort/others.csv"}),
        trigger(MODEL, dataset={"uri": "pvc://cohort/rows.csv", "format": "parquet"}),
        trigger(MODEL, LUNG, allow=allow),
        trigger(LUNG, allow=allow),
        trigger(LUNG.model_copy(update={"namespace": "ward"}), allow=[{"model": "ward/lung"}]),
        trigger(MODEL.model_copy(update={"spec": spec})),
    }
    assert len(changed) == 8


@pytest.mark.parametrize(
    "spec",
    [
        {"minimumCell": 20},
        {"resources": {"limits": {"memory": "1Gi"}}},
        {"runtime": "other"},
        {"allow": [{"model": "clinic/heart"}, {"model": "clinic/lung"}]},
        {"allow": [{"model": "clinic/heart", "contractHash": MODEL.contract_hash}]},
    ],
)
def test_data_are_not_read_again_for_what_no_check_answers(spec: dict[str, Any]) -> None:
    assert trigger(MODEL, **spec) == TRIGGER


# --- when a Job reads them -----------------------------------------------------------------------


def test_a_new_site_is_checked_by_one_job_for_all_models() -> None:
    found = plan()
    (manifest,) = found.create
    assert manifest["metadata"]["name"] == NAME
    assert manifest["spec"]["template"]["metadata"]["annotations"][Annotation.TRIGGER] == TRIGGER
    assert found == CheckPlan(SiteCheckStatus(job=NAME, trigger=TRIGGER, phase="Running"), create=(manifest,))


@pytest.mark.parametrize(
    ("at", "may_start", "models"),
    [
        (SITE, False, (MODEL,)),
        (site(dataset=None, publicKey=KEY), True, (MODEL,)),
        (SITE, True, ()),
        (site(suspend=True), True, (MODEL,)),
        (site(allow=[]), True, (MODEL,)),
    ],
)
def test_no_data_are_read_without_consent_or_for_nobody(at: FederationSite, may_start: bool, models: Any) -> None:
    known = reported(at, check=RECORD)
    jobs = (job(), job("Succeeded", "old", "ward-check-old", result=outcome()))
    found = plan_check(watched(known, *models, checks=jobs), may_start=may_start, now=read(ENDED))
    assert found == CheckPlan(SiteCheckStatus.model_validate(RECORD), delete=(key(NAME),)), "the latest is remembered"


def test_a_running_check_is_waited_for() -> None:
    running = SiteCheckStatus(job=NAME, trigger=TRIGGER, phase="Running")
    assert plan(job()) == CheckPlan(running)
    assert plan(job(), check=RECORD | {"phase": "Running", "time": None}) == CheckPlan(running)


def test_a_check_that_cannot_start_says_why() -> None:
    blocked = Blocked("Quota", "exceeded quota: pods", "Ask for more")
    found = plan(job(waiting=True, blocked=blocked))
    assert found.blocked == f"Job {NAME} cannot start (Quota): exceeded quota: pods. Ask for more"
    assert (found.create, found.delete) == ((), ())


def test_a_running_check_whose_job_was_deleted_is_made_again() -> None:
    running = RECORD | {"phase": "Running", "time": None}
    found = plan(check=running)
    assert [manifest["metadata"]["name"] for manifest in found.create] == [NAME]
    assert found.status == SiteCheckStatus.model_validate(running)
    assert (found.found, found.delete, found.blocked) == ({}, (), "")


def test_a_check_that_succeeded_is_not_repeated_when_its_job_is_gone() -> None:
    known = SiteCheckStatus.model_validate(RECORD)
    assert plan(check=RECORD) == CheckPlan(known)
    assert plan(job("Succeeded", result=None), check=RECORD) == CheckPlan(known), "nor judged again without its pod"


def test_a_check_that_failed_is_repeated_once_its_job_is_gone() -> None:
    failed = RECORD | {"phase": "Failed", "message": "no column age"}
    there = job("Failed", failure=SiteFailure(reason="DataInvalid", message="x"))
    assert plan(there, check=failed) == CheckPlan(SiteCheckStatus.model_validate(failed))
    again = plan(check=failed)
    assert again.status == SiteCheckStatus(job=NAME, trigger=TRIGGER, phase="Running")
    assert len(again.create) == 1


def test_the_record_of_another_check_does_not_count() -> None:
    found = plan(check=RECORD | {"trigger": "old"})
    assert found.status == SiteCheckStatus(job=NAME, trigger=TRIGGER, phase="Running")
    assert len(found.create) == 1
    ended = plan(job("Succeeded", result=outcome()), check=RECORD | {"trigger": "old"})
    assert ended.status == SiteCheckStatus.model_validate(RECORD)
    assert ended.found["rows"] == 430


@pytest.mark.parametrize("known", [{}, {"check": RECORD | {"phase": "Running", "time": None}}])
def test_one_check_runs_at_a_time(known: dict[str, Any]) -> None:
    found = plan(job("Running", "other", "ward-check-other"), **known)
    assert [manifest["metadata"]["name"] for manifest in found.create] == [NAME]
    assert found.delete == (key("ward-check-other"),)


def test_checks_of_something_else_are_stopped_and_the_oldest_results_removed() -> None:
    old = [
        job("Succeeded", f"old-{day}", f"ward-check-{day}", created=read(f"2026-01-0{day}T00:00:00Z"))
        for day in range(1, 6)
    ]
    running = job("Running", "other", "ward-check-other")
    found = plan(*old, running, job())
    assert found.delete == (key("ward-check-other"), *(key(f"ward-check-{day}") for day in (4, 3, 2, 1)))
    assert plan(*old[:2], job()).delete == ()
    early = job("Succeeded", created=read("2026-01-01T00:00:00Z"), result=outcome())
    assert plan(*old[2:], early).delete == (), "the one that counts is kept"


# --- how it ended --------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "enough"), [(50, True), (49, False)])
def test_a_check_counts_the_rows_against_the_minimum(rows: int, enough: bool) -> None:
    found = plan(job("Succeeded", result=outcome(rows=rows, more_problems=2)))
    assert found.status == SiteCheckStatus(
        job=NAME, trigger=TRIGGER, phase="Succeeded", time=ENDED, enough_rows=enough, more_problems=2
    )
    assert (found.create, found.delete) == ((), ())


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ({"failure": SiteFailure(reason="DatasetUnreachable", message="a time-out."), "why": "Error"}, "a time-out."),
        ({"why": "OOMKilled"}, "it ended early: OOMKilled."),
        ({}, "it ended early: its pod was removed."),
    ],
)
@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_check_without_a_result_has_failed_and_is_tried_again(end: dict[str, Any], why: str, phase: str) -> None:
    found = plan(job(phase, **end))
    message = f"Job {NAME}: {why} It is tried again at 2026-01-10T02:01:00Z"
    known = {"phase": "Failed", "message": message, "nextAttemptTime": "2026-01-10T02:01:00Z"}
    assert found.status == SiteCheckStatus.model_validate(RECORD | known)
    assert (found.create, found.delete, found.next_attempt) == ((), (), read("2026-01-10T02:01:00Z"))


def test_a_check_of_bad_data_is_not_tried_again() -> None:
    found = plan(job("Failed", failure=SiteFailure(reason="DataInvalid", message="no column age")), now=LATE)
    known = {"phase": "Failed", "message": f"Job {NAME}: no column age"}
    assert found == CheckPlan(SiteCheckStatus.model_validate(RECORD | known))


def test_a_job_that_failed_after_its_answer_has_answered() -> None:
    found = plan(job("Failed", result=outcome(), why="DeadlineExceeded"))
    assert found.status == SiteCheckStatus.model_validate(RECORD)
    assert found.found["rows"] == 430


def test_a_job_without_an_end_ended_when_it_was_made() -> None:
    found = plan(job("Succeeded", finished=None, result=outcome()))
    assert found.status
    assert found.status.time == BEGAN


def test_the_status_takes_rounded_rows_the_key_and_the_problems() -> None:
    problem = {"model": "clinic/heart", "column": "age", "message": "12 cells are no numbers"}
    found = plan(job("Succeeded", result=outcome(rows=1234, problems=[problem])))
    assert found.found == {"rows": 1200, "public_key": KEY, "problems": (ColumnProblem.model_validate(problem),)}


def test_the_key_that_is_known_is_kept_where_a_check_says_none() -> None:
    other = f"{KEY} ward"
    assert plan(job("Succeeded", result=outcome(public_key="")), publicKey=other).found["public_key"] == other
    assert plan(job("Succeeded", result=outcome()), publicKey=other).found["public_key"] == KEY


def test_twenty_problems_are_kept() -> None:
    problems = [{"model": "clinic/heart", "column": f"c{at}", "message": "x"} for at in range(21)]
    found = plan(job("Succeeded", result=outcome(problems=problems))).found["problems"]
    assert [entry.column for entry in found] == [f"c{at}" for at in range(20)]


def test_an_answer_is_taken_once() -> None:
    assert plan(job("Succeeded", result=outcome()), check=RECORD).found == {}


def test_an_answer_to_a_running_check_is_taken() -> None:
    found = plan(job("Succeeded", result=outcome()), check=RECORD | {"phase": "Running"})
    assert found.found["rows"] == 430
    assert found.status == SiteCheckStatus.model_validate(RECORD)
    assert plan(job("Failed"), check=RECORD | {"phase": "Running"}).found == {}


# --- what it means for each model ----------------------------------------------------------------


def states(
    check: dict[str, Any] | None = RECORD,
    *problems: tuple[str, str, str],
    at: FederationSite = SITE,
    models: tuple[HeartModel, ...] = (MODEL,),
) -> tuple[AllowedModelStatus, ...]:
    known = SiteCheckStatus.model_validate(check) if check else None
    found = tuple(ColumnProblem(model=name, column=column, message=text) for name, column, text in problems)
    return model_states(watched(at, *models), known, found)


def state(*args: Any, **kwargs: Any) -> tuple[str, str]:
    (entry,) = states(*args, **kwargs)
    assert (entry.model, entry.contract_hash) == ("clinic/heart", MODEL.contract_hash)
    return entry.state, entry.message


def test_every_allowed_model_has_an_entry_by_name() -> None:
    at = site(allow=[{"model": name} for name in ("ward/a", "clinic/heart", "clinic/eye")])
    assert [entry.model for entry in states(at=at)] == ["clinic/eye", "clinic/heart", "ward/a"]
    assert states(at=site(allow=[])) == ()


def test_a_model_that_cannot_be_seen_is_not_found() -> None:
    message = "there is no HeartModel clinic/heart, or the operator does not watch its namespace"
    assert states(models=()) == (AllowedModelStatus(model="clinic/heart", state="ModelNotFound", message=message),)


def test_a_model_that_does_not_want_the_site_is_told_so() -> None:
    expected = ("NotNamed", "HeartModel clinic/heart does not name this site in spec.federation")
    other = federated_model(sites=["south/ward", "west/ward"])
    assert state(models=(other,)) == expected
    assert state(models=(other,), at=site(allow=[{"model": "clinic/heart", "contractHash": OTHER}])) == expected


def test_a_contract_that_was_not_agreed_to_is_a_mismatch() -> None:
    found = state(at=site(allow=[{"model": "clinic/heart", "contractHash": OTHER}]))
    assert found == (
        "ContractMismatch",
        f"FederationSite north/ward allows another contract ({OTHER}); if the data holder agrees with today's,"
        f" it is {MODEL.contract_hash}",
    )


def test_a_site_elsewhere_is_ready_for_whom_it_allows() -> None:
    assert state(None, at=site(dataset=None, publicKey=KEY)) == ("Ready", "")


@pytest.mark.parametrize("check", [None, RECORD | {"phase": "Running"}, RECORD | {"trigger": "old"}])
def test_data_are_being_checked_until_todays_check_has_ended(check: dict[str, Any] | None) -> None:
    assert state(check) == ("Checking", "the data of FederationSite north/ward are being checked")


def test_data_that_cannot_be_read_are_no_good() -> None:
    failed = RECORD | {"phase": "Failed", "message": "Job j: no such file"}
    message = "the data of FederationSite north/ward cannot be read: Job j: no such file"
    assert state(failed) == ("CheckFailed", message)


def test_good_data_are_ready() -> None:
    assert state() == ("Ready", "")


def test_problems_of_another_model_do_not_count() -> None:
    assert state(RECORD, ("clinic/lung", "age", "12 cells are no numbers")) == ("Ready", "")


def test_too_few_rows_are_told_with_the_minimum() -> None:
    message = "FederationSite north/ward has fewer than 50 valid rows (minimumRows)"
    assert state(RECORD | {"enoughRows": False}) == ("TooFewRows", message)


BREAK = "data of FederationSite north/ward break the contract: "
IN_LOG = f"in the log of Job {NAME})"


@pytest.mark.parametrize(
    ("columns", "more", "expected"),
    [
        (["a"], 0, "a: bad"),
        ([""], 0, "bad"),
        (["a", "", "c"], 0, "a: bad; bad; c: bad"),
        (["a", "b", "c", "d"], 0, f"a: bad; b: bad; c: bad (and 1 more, {IN_LOG}"),
        (["a", "b", "c", "d", "e"], 4, f"a: bad; b: bad; c: bad (and 6 more, {IN_LOG}"),
        (["a"], 3, f"a: bad (and 3 more, {IN_LOG}"),
    ],
)
def test_a_broken_contract_names_three_columns_and_counts_the_rest(
    columns: list[str], more: int, expected: str
) -> None:
    check = RECORD | {"moreProblems": more, "enoughRows": False}
    problems = [("clinic/lung", "x", "other"), *(("clinic/heart", column, "bad") for column in columns)]
    assert state(check, *problems) == ("ContractMismatch", BREAK + expected)


def test_problems_that_are_in_the_log_alone_may_be_the_models_own() -> None:
    message = f"data of FederationSite north/ward may break the contract: see the log of Job {NAME} (problems: 3)"
    found = state(RECORD | {"moreProblems": 3}, ("clinic/lung", "x", "other"))
    assert found == ("ContractMismatch", message)


def test_the_times_of_a_check_are_its_own() -> None:
    later = job("Succeeded", result=outcome(), finished=read(ENDED) + timedelta(hours=3))
    found = plan(later)
    assert found.status
    assert found.status.time == "2026-01-10T05:00:00Z"
