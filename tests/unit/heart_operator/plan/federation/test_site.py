"""The plan of one FederationSite as a whole: what it starts, what stands in its way, and when it looks again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heart_api.federation import SiteCheckOutcome, SiteOutcome
from heart_api.federationsite import FederationSite
from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.heartmodel import HeartModel, HeartModelStatus
from heart_api.kube.values import Blocked, ObjectKey
from heart_api.names import site_check_job_name, site_training_job_name
from heart_api.times import read, written
from heart_operator.manifests.children import key_of
from heart_operator.plan.actions import Event, SitePlan
from heart_operator.plan.federation.checks import check_trigger
from heart_operator.plan.federation.observed import SiteCheckJob, SitePart
from heart_operator.plan.federation.site import plan_site
from heart_operator.plan.observed import BlockedWorkload, ObservedJob
from tests.support.plan.federated import FEDERATED, IDENTITY, KEY, federated_model, reported, site, watched

NOW = read("2026-01-10T03:00:00Z")
BEGAN, ENDED, NEW = "2026-01-10T01:00:00Z", "2026-01-10T02:00:00Z", "2026-01-10T03:00:00Z"
SOON = "2026-01-10T03:01:00Z"
MODEL = federated_model()
TRAINING = MODEL.model_copy(
    update={
        "status": HeartModelStatus.model_validate(
            {
                "training": {
                    "job": "train-1",
                    "trigger": "t-1",
                    "phase": "Running",
                    "sites": [{"site": "north/ward", "uid": "uid-north"}],
                    "coordinator": IDENTITY.dump(),
                }
            }
        )
    }
)
TRIGGER = check_trigger(watched(site(), MODEL))
CHECK = site_check_job_name("ward", "uid-north", TRIGGER)
PART = site_training_job_name("ward", "uid-north", "clinic/heart", "t-1")
GOOD = {"job": CHECK, "trigger": TRIGGER, "phase": "Succeeded", "time": ENDED}
CHECKED = reported(site(), rows=430, publicKey=KEY, check=GOOD)


def job(name: str, trigger: str, phase: Any = "Running", **changes: Any) -> ObservedJob[Any, Any]:
    found: ObservedJob[Any, Any] = ObservedJob(name, f"uid-{name}", trigger, read(BEGAN), phase)
    return replace(found, **changes)


def check(phase: Any = "Running", **changes: Any) -> SiteCheckJob:
    return job(CHECK, TRIGGER, phase, **changes)


def part(phase: Any = "Running", name: str = PART, **changes: Any) -> SitePart:
    return SitePart("clinic/heart", job(name, "t-1", phase, **changes))


def plan(at: FederationSite = CHECKED, *models: HeartModel, **observed: Any) -> SitePlan:
    return plan_site(watched(at, *(models or (MODEL,)), **observed), NOW)


def ready(found: SitePlan) -> tuple[str, str, str]:
    entry = next(entry for entry in found.conditions if entry.type == "Ready")
    return entry.status, entry.reason, entry.message


def names(found: SitePlan) -> list[str]:
    return [manifest["metadata"]["name"] for manifest in found.create]


# --- all together --------------------------------------------------------------------------------


def test_a_new_site_gets_its_account_its_policy_and_its_check() -> None:
    found = plan(site())
    assert [(child["kind"], child["metadata"]["name"]) for child in found.apply] == [
        ("ServiceAccount", "ward-site"),
        ("NetworkPolicy", "ward-site"),
    ]
    assert names(found) == [CHECK]
    assert (found.delete, found.events, found.blocked, found.requeue_after) == ((), (), (), None)
    assert [(entry.type, entry.reason) for entry in found.conditions] == [
        ("Ready", "Checking"),
        ("Checked", "Checking"),
    ]
    assert found.facts.observed_generation == 1
    assert found.facts.check
    assert found.facts.check.phase == "Running"
    assert [entry.state for entry in found.facts.models] == ["Checking"]


def test_a_checked_site_at_rest_has_nothing_to_do() -> None:
    first = plan()
    status = first.status.dump()
    assert ready(first) == ("True", "Ready", "Ready for clinic/heart")
    children = {key_of(child): child for child in first.apply}
    again = plan(reported(site(), **status), children=children)
    assert (again.apply, again.create, again.delete, again.events) == ((), (), (), ())
    assert again.status.dump() == status


def test_a_changed_child_is_applied_again() -> None:
    children = {key_of(child): child for child in plan().apply}
    account = next(key for key in children if key.kind == "ServiceAccount")
    children[account] = children[account] | {"automountServiceAccountToken": True}
    assert [key_of(child) for child in plan(children=children).apply] == [account]


def test_a_check_that_ended_is_taken_into_the_status_and_announced() -> None:
    outcome = SiteCheckOutcome(public_key=KEY, rows=437)
    found = plan(site(), checks=(check("Succeeded", finished=read(ENDED), result=outcome),))
    assert (found.facts.rows, found.facts.public_key) == (430, KEY)
    assert [entry.state for entry in found.facts.models] == ["Ready"]
    assert found.events == (Event("Normal", "Checked", f"The data were checked at {ENDED}"),)
    assert found.create == ()


def test_problems_that_were_just_found_are_those_of_the_models() -> None:
    problem = {"model": "clinic/heart", "column": "age", "message": "12 cells are no numbers"}
    outcome = SiteCheckOutcome.model_validate({"public_key": KEY, "rows": 437, "problems": [problem]})
    found = plan(site(), checks=(check("Succeeded", finished=read(ENDED), result=outcome),))
    message = "data of FederationSite north/ward break the contract: age: 12 cells are no numbers"
    assert ready(found) == ("False", "ContractMismatch", message)
    later = plan(reported(site(), **found.status.dump()))
    assert ready(later) == ready(found), "they are remembered when the Job is gone"


def test_a_site_takes_part_in_a_training() -> None:
    found = plan(CHECKED, TRAINING)
    assert names(found) == [PART]
    assert ready(found) == ("True", "Training", "Taking part in the training of clinic/heart")
    assert Event("Normal", "TrainingJoined", f"Job {PART} takes part in training clinic/heart") in found.events


def test_a_check_is_made_before_a_part() -> None:
    assert names(plan(site(), TRAINING)) == [CHECK, PART]


def test_the_status_knows_the_jobs_that_the_operator_made() -> None:
    jobs = plan(CHECKED, TRAINING, checks=(check("Succeeded"),), parts=(part(),)).facts.jobs
    assert jobs
    assert {(entry.name, entry.uid) for entry in jobs} == {(CHECK, f"uid-{CHECK}"), (PART, f"uid-{PART}")}


# --- what is removed -----------------------------------------------------------------------------


def key(name: str, kind: str = "Job", version: str = "batch/v1") -> ObjectKey:
    return ObjectKey(version, kind, name)


def test_a_job_that_the_operator_did_not_make_is_removed_and_told() -> None:
    found = plan(foreign_jobs=(key("evil"), key("worse")))
    assert found.delete == (key("evil"), key("worse"))
    message = "Removing Jobs that HeartOps did not create, although they carry its owner reference: evil, worse"
    assert found.events[-1] == Event("Warning", "ForeignJob", message)


def test_a_suspended_site_ends_everything() -> None:
    at = CHECKED.model_copy(update={"spec": site(suspend=True).spec})
    found = plan(at, TRAINING, checks=(check(),), parts=(part(),), foreign_jobs=(key("evil"),))
    assert found.delete == (key("evil"), key(CHECK), key(PART))
    assert found.create == ()
    assert [entry.phase for entry in found.facts.trainings] == ["Withdrawn"]


def test_a_site_that_moved_elsewhere_leaves_nothing_behind() -> None:
    children = {key_of(child): child for child in plan().apply}
    other = key("theirs", "ConfigMap", "v1")
    found = plan(site(dataset=None, publicKey=KEY), children=children | {other: {}})
    assert set(found.delete) == set(children), "what it does not make itself is not its own to remove"
    assert found.apply == ()
    assert plan(children=children | {other: {}}).delete == ()


# --- what stands in its way ----------------------------------------------------------------------

WITHOUT_IMAGE = FEDERATED.model_copy(update={"images": FEDERATED.images.model_copy(update={"federation": None})})
OBSTACLES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str]]] = {
    "suspended": (
        {"suspend": True},
        {},
        ("Suspended", "The consent is suspended; set spec.suspend to false to resume"),
    ),
    "suspended, whatever else": (
        {"suspend": True, "runtime": "gpu"},
        {"profile": None},
        ("Suspended", "The consent is suspended; set spec.suspend to false to resume"),
    ),
    "no such profile": (
        {"runtime": "gpu"},
        {"profile": None, "profiles": ("default", "large")},
        ("InvalidSpec", "spec.runtime: runtime profile 'gpu' not found (available: default, large)"),
    ),
    "no profile at all": (
        {},
        {"profile": None, "profiles": ()},
        ("InvalidSpec", "spec.runtime: runtime profile 'default' not found (available: none)"),
    ),
    "no image": (
        {"runtime": "gpu"},
        {"profile": WITHOUT_IMAGE},
        (
            "InvalidSpec",
            "spec.runtime: the runtime profile 'gpu' has no image for federated trainings; ask the administrator to"
            " set runtimes.gpu.images.federation",
        ),
    ),
    "no such place": (
        {"dataset": {"uri": "http://example.org/rows.csv"}},
        {},
        (
            "InvalidSpec",
            "spec.dataset.uri: the runtime profile does not allow http://; use one of: https, s3, gs, pvc, configmap,"
            " builtin, dvc+https",
        ),
    ),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_an_obstacle_is_explained_and_nothing_starts(case: str) -> None:
    spec, observed, (reason, message) = OBSTACLES[case]
    found = plan(site(**spec), TRAINING, **observed)
    assert ready(found) == ("False", reason, message)
    assert found.create == ()
    assert Event("Normal" if reason == "Suspended" else "Warning", reason, message) in found.events


def test_an_obstacle_to_what_is_new_ends_nothing_that_runs() -> None:
    found = plan(CHECKED, TRAINING, parts=(part(),), profile=None)
    assert found.delete == ()
    assert [entry.phase for entry in found.facts.trainings] == ["Running"]


# --- the latest training and error ---------------------------------------------------------------


def training(phase: str, at: int, **changes: Any) -> dict[str, Any]:
    began, ended = f"2026-01-09T{at:02}:00:00Z", f"2026-01-09T{at:02}:30:00Z"
    known = {"model": "clinic/heart", "trigger": f"t-{at}", "job": f"j-{at}", "phase": phase, "startedAt": began}
    return known | {"finishedAt": ended, "message": f"{phase} at {at}"} | changes


def facts(*trainings: dict[str, Any], **changes: Any) -> FederationSiteStatus:
    status = {"check": GOOD, "trainings": trainings} | changes
    return plan(reported(site(), **status)).facts


def test_the_last_training_is_the_one_that_ended_last() -> None:
    assert facts().last_training_time is None
    assert facts(training("Failed", 1)).last_training_time == "2026-01-09T01:30:00Z"
    late = training("Succeeded", 1, finishedAt="2026-01-09T05:00:00Z")
    unknown = training("Failed", 4, finishedAt=None)
    assert facts(training("Failed", 2), late, unknown).last_training_time == "2026-01-09T05:00:00Z"
    assert facts(lastTrainingTime=BEGAN).last_training_time is None


@pytest.mark.parametrize(
    ("trainings", "expected"),
    [
        ([], None),
        ([training("Failed", 1)], "Failed at 1"),
        ([training("Failed", 1), training("Succeeded", 2)], None),
        ([training("Succeeded", 1), training("Failed", 2)], "Failed at 2"),
        ([training("Failed", 1), training("Withdrawn", 2)], "Failed at 1"),
        ([training("Withdrawn", 1)], None),
    ],
)
def test_the_last_error_is_that_of_the_latest_training(trainings: Any, expected: str | None) -> None:
    assert facts(*trainings, lastError="another").last_error == expected


def test_the_error_of_a_check_is_the_last_one() -> None:
    failed = check("Failed", finished=NOW, why="OOMKilled")
    found = plan(reported(site(), trainings=[training("Failed", 1)]), checks=(failed,))
    assert found.facts.last_error == f"Job {CHECK}: it ended early: OOMKilled. It is tried again at {SOON}"
    assert facts(training("Failed", 1), check=GOOD | {"phase": "Running"}).last_error == "Failed at 1"


# --- pods that do not run ------------------------------------------------------------------------

QUOTA = Blocked("Quota", "exceeded quota: pods", "Ask for more")


def ago(seconds: float) -> Any:
    return NOW - timedelta(seconds=seconds)


def hopeless(seconds: float) -> Blocked:
    return Blocked("VolumeMissing", "no claim cohort", "Create it", hopeless=True, since=ago(seconds))


def test_blocked_pods_are_told_and_counted() -> None:
    found = plan(site(), TRAINING, checks=(check(blocked=QUOTA),), parts=(part(blocked=QUOTA),))
    assert found.blocked == (BlockedWorkload("Job", CHECK, "Quota"), BlockedWorkload("Job", PART, "Quota"))
    checked = next(entry for entry in found.conditions if entry.type == "Checked")
    message = f"Job {CHECK} cannot start (Quota): exceeded quota: pods. Ask for more"
    assert (checked.status, checked.reason, checked.message) == ("Unknown", "CheckPending", message)
    assert Event("Warning", "CheckPending", message) in found.events


def test_jobs_that_waited_in_vain_have_failed() -> None:
    blocked = hopeless(600)
    found = plan(site(), TRAINING, checks=(check(blocked=blocked),), parts=(part(blocked=blocked),))
    why = "its pod could not start within 10 minutes (no claim cohort)"
    assert found.facts.check
    assert (found.facts.check.phase, found.facts.check.time) == ("Failed", NEW)
    assert found.facts.check.message == f"Job {CHECK}: it ended early: {why}. It is tried again at {SOON}"
    checked = next(entry for entry in found.conditions if entry.type == "Checked")
    assert (checked.status, checked.reason) == ("False", "CheckFailed")
    (entry,) = found.facts.trainings
    assert (entry.phase, entry.message, entry.finished_at) == ("Failed", why, NEW)
    assert found.blocked == ()
    assert found.requeue_after == 60


def test_nobody_has_to_act_while_a_check_is_tried_again() -> None:
    failed = {"job": CHECK, "trigger": TRIGGER, "phase": "Failed", "time": NEW, "message": "no answer"}
    for again, kinds in (({"nextAttemptTime": SOON}, ["Ready", "Checked"]), ({}, ["Ready", "Checked", "Stalled"])):
        found = plan(reported(site(), check=failed | again), checks=(check("Failed", finished=NOW),))
        assert [entry.type for entry in found.conditions] == kinds
        assert ready(found)[:2] == ("False", "CheckFailed")


def test_a_site_that_may_start_nothing_is_not_looked_at_again_for_an_attempt() -> None:
    failed = {"job": CHECK, "trigger": TRIGGER, "phase": "Failed", "time": ENDED, "nextAttemptTime": ENDED}
    assert plan(reported(site(), check=failed), profile=None).requeue_after is None


def test_jobs_are_waited_for_until_then() -> None:
    blocked = hopeless(599)
    found = plan(site(), TRAINING, checks=(check(blocked=blocked),), parts=(part(blocked=blocked),))
    assert found.facts.check
    assert found.facts.check.phase == "Running"
    assert [entry.phase for entry in found.facts.trainings] == ["Running"]


@pytest.mark.parametrize(
    ("checks", "parts", "expected"),
    [
        ([], [], None),
        ([{}], [{}], None),
        ([{"waiting": True, "created": ago(119)}], [], 5),
        ([{"waiting": True, "created": ago(120)}], [], 30),
        ([], [{"waiting": True, "created": ago(1)}], 5),
        ([{"waiting": True, "created": ago(300)}], [{"waiting": True, "created": ago(1)}], 5),
        ([{"phase": "Failed", "waiting": True}], [{"phase": "Failed", "waiting": True}], None),
    ],
)
def test_pods_that_do_not_run_are_looked_at_again(checks: Any, parts: Any, expected: float | None) -> None:
    jobs = tuple(check(**entry) for entry in checks)
    found = plan(site(), TRAINING, checks=jobs, parts=tuple(part(**entry) for entry in parts))
    assert found.requeue_after == expected


def ended(seconds: int) -> HeartModel:
    assert TRAINING.status.training
    update = {"phase": "Succeeded", "finished_at": written(ago(seconds))}
    training = TRAINING.status.training.model_copy(update=update)
    return TRAINING.model_copy(update={"status": TRAINING.status.model_copy(update={"training": training})})


def test_a_job_that_should_end_is_looked_at_again_after_a_minute() -> None:
    assert plan(CHECKED, ended(30), parts=(part(),)).requeue_after == 60
    waiting = part(waiting=True, created=ago(200))
    assert plan(CHECKED, ended(30), parts=(waiting,)).requeue_after == 30, "the sooner of both"
    done = part("Succeeded", finished=read(ENDED), result=SiteOutcome(exchanges=8))
    assert plan(CHECKED, ended(30), parts=(done,)).requeue_after is None
    assert plan(CHECKED, ended(60), parts=(part(),)).requeue_after is None
