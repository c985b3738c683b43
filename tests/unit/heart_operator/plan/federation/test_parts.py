"""A site's part in trainings: which Jobs run, which are removed, and what the status says of each."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heart_api.federation import SiteFailure, SiteOutcome
from heart_api.federationsite import FederationSite
from heart_api.federationsitestatus import SiteTrainingStatus
from heart_api.heartmodel import HeartModel, HeartModelStatus
from heart_api.kube.values import Blocked, ObjectKey
from heart_api.names import Annotation, site_training_job_name
from heart_api.times import read, written
from heart_operator.plan.federation.observed import SitePart
from heart_operator.plan.federation.parts import PartsPlan, plan_parts
from heart_operator.plan.observed import ObservedJob
from tests.support.plan.federated import IDENTITY, KEY, federated_model, reported, site, watched

NOW = read("2026-01-10T03:00:00Z")
BEGAN, ENDED, NEW = "2026-01-10T01:00:00Z", "2026-01-10T02:00:00Z", "2026-01-10T03:00:00Z"
SITE = site()
OTHER = "sha256:" + "0" * 64
OVER = "The training ended first, and the Job was removed"
WITHDRAWN = "The consent ended during the training, and the Job was removed"


def in_training(name: str = "heart", **training: Any) -> HeartModel:
    """A model whose training runs with this site."""
    values = {
        "job": "train-1",
        "trigger": "t-1",
        "phase": "Running",
        "sites": [{"site": "south/ward", "uid": "uid-south"}, {"site": "north/ward", "uid": "uid-north"}],
        "coordinator": IDENTITY.dump(),
    }
    status = HeartModelStatus.model_validate({"training": values | training})
    return federated_model().model_copy(update={"name": name, "status": status})


def ended_training(seconds: int = 0, **training: Any) -> HeartModel:
    """The same training, ended so many seconds ago."""
    finished = written(NOW - timedelta(seconds=seconds))
    return in_training(**({"phase": "Succeeded", "finishedAt": finished} | training))


MODEL = in_training()
IDLE = federated_model()


def job_of(model: str = "clinic/heart", trigger: str = "t-1") -> str:
    return site_training_job_name("ward", "uid-north", model, trigger)


NAME = job_of()


def part(
    phase: Any = "Running", model: str = "clinic/heart", name: str = NAME, trigger: str = "t-1", **job: Any
) -> SitePart:
    found: ObservedJob[Any, Any] = ObservedJob(name, f"uid-{name}", trigger, read(BEGAN), phase)
    return SitePart(model, replace(found, **({} if phase == "Running" else {"finished": read(ENDED)}) | job))


def record(phase: str = "Running", **changes: Any) -> dict[str, Any]:
    known = {"model": "clinic/heart", "trigger": "t-1", "job": NAME, "phase": phase, "startedAt": BEGAN}
    return known | ({} if phase == "Running" else {"finishedAt": ENDED, "message": "so it was"}) | changes


def plan(
    *parts: SitePart,
    models: tuple[HeartModel, ...] = (MODEL,),
    known: tuple[dict[str, Any], ...] = (),
    at: FederationSite = SITE,
    may_start: bool = True,
) -> PartsPlan:
    found = reported(at, trainings=known)
    return plan_parts(watched(found, *models, parts=parts), may_start=may_start, now=NOW)


def written_down(values: dict[str, Any]) -> SiteTrainingStatus:
    return SiteTrainingStatus.model_validate(values)


def key(name: str) -> ObjectKey:
    return ObjectKey("batch/v1", "Job", name)


# --- a Job is made -------------------------------------------------------------------------------


def test_a_site_joins_a_training_with_one_job_and_says_so() -> None:
    found = plan()
    (manifest,) = found.create
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == (NAME, "north")
    about = manifest["spec"]["template"]["metadata"]["annotations"]
    assert (about[Annotation.TRIGGER], about[Annotation.TRAINED_MODEL]) == ("t-1", "clinic/heart")
    assert found == PartsPlan((written_down(record(startedAt=NEW)),), create=(manifest,))


def test_a_job_is_named_for_the_site_the_model_and_the_training() -> None:
    models = (MODEL, in_training("lung"))
    at = site(allow=[{"model": "clinic/heart"}, {"model": "clinic/lung"}])
    created = plan(models=models, at=at).create
    assert [manifest["metadata"]["name"] for manifest in created] == [NAME, job_of("clinic/lung")]
    (again,) = plan(models=(in_training(trigger="t-2"),)).create
    assert again["metadata"]["name"] == job_of(trigger="t-2")


NOT_WANTED: dict[str, dict[str, Any]] = {
    "no training": {"models": (IDLE,)},
    "ended": {"models": (ended_training(),)},
    "failed": {"models": (ended_training(phase="Failed"),)},
    "nobody to trust yet": {"models": (in_training(coordinator=None),)},
    "no sites": {"models": (in_training(sites=None),)},
    "others' training": {"models": (in_training(sites=[{"site": "south/ward", "uid": "uid-north"}]),)},
    "made anew since": {"models": (in_training(sites=[{"site": "north/ward", "uid": "uid-old"}]),)},
    "no model": {"models": ()},
    "elsewhere": {"at": site(dataset=None, publicKey=KEY)},
    "suspended": {"at": site(suspend=True)},
    "not allowed": {"at": site(allow=[])},
    "another contract": {"at": site(allow=[{"model": "clinic/heart", "contractHash": OTHER}])},
    "may not start": {"may_start": False},
}


@pytest.mark.parametrize("case", NOT_WANTED)
def test_nothing_starts(case: str) -> None:
    assert plan(**NOT_WANTED[case]) == PartsPlan(())


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Withdrawn"])
def test_a_part_that_ended_is_not_repeated(phase: str) -> None:
    assert plan(known=(record(phase),)) == PartsPlan((written_down(record(phase)),))


def test_a_job_that_was_deleted_while_it_ran_is_made_again() -> None:
    found = plan(known=(record(),))
    assert [manifest["metadata"]["name"] for manifest in found.create] == [NAME]
    assert found.trainings == (written_down(record()),), "it began when it first began"
    assert plan(known=(record(startedAt=None),)).trainings == (written_down(record(startedAt=NEW)),)


def test_a_job_that_may_not_be_made_again_yet_still_counts_as_running() -> None:
    assert plan(known=(record(),), may_start=False) == PartsPlan((written_down(record()),))


# --- a Job exists --------------------------------------------------------------------------------


def test_a_running_job_is_left_alone() -> None:
    running = PartsPlan((written_down(record()),))
    assert plan(part()) == running
    assert plan(part(), known=(record(startedAt=NEW),)) == running, "the Job's own time counts"
    assert plan(part(), may_start=False) == running


def test_a_job_that_cannot_start_says_why() -> None:
    blocked = Blocked("Quota", "exceeded quota: pods", "Ask for more")
    (entry,) = plan(part(blocked=blocked)).trainings
    assert entry.phase == "Running"
    assert entry.message == f"Job {NAME} cannot start (Quota): exceeded quota: pods. Ask for more"


FAILURE = SiteFailure(reason="BundleMismatch", message="another release")


@pytest.mark.parametrize(
    ("phase", "job", "expected"),
    [
        ("Succeeded", {"result": SiteOutcome(exchanges=8)}, ("Succeeded", "8 exchanges answered")),
        ("Succeeded", {}, ("Succeeded", "")),
        ("Succeeded", {"failure": FAILURE}, ("Failed", "another release")),
        ("Failed", {"failure": FAILURE, "why": "Error"}, ("Failed", "another release")),
        ("Failed", {"why": "OOMKilled"}, ("Failed", "OOMKilled")),
        ("Failed", {"why": "OOMKilled", "result": SiteOutcome(exchanges=8)}, ("Failed", "OOMKilled")),
    ],
)
@pytest.mark.parametrize("known", [(), (record(),)])
def test_a_job_that_ended_leaves_its_result(phase: str, job: Any, expected: tuple[str, str], known: Any) -> None:
    for model in (MODEL, IDLE):
        found = plan(part(phase, **job), models=(model,), known=known)
        assert found == PartsPlan((written_down(record(expected[0], message=expected[1])),))


def test_a_job_without_an_end_ended_when_it_was_made() -> None:
    (entry,) = plan(part("Failed", finished=None)).trainings
    assert (entry.started_at, entry.finished_at) == (BEGAN, BEGAN)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Withdrawn"])
def test_what_was_written_of_an_end_stays(phase: str) -> None:
    later = part("Failed", why="its pod was removed")
    assert plan(later, known=(record(phase),)).trainings == (written_down(record(phase)),)


# --- a Job is not wanted any more ----------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, 59])
def test_a_job_is_given_a_minute_to_end_after_its_training(seconds: int) -> None:
    found = plan(part(), models=(ended_training(seconds),), known=(record(),))
    assert found == PartsPlan((written_down(record()),), lingering=True)


def test_a_job_that_has_ended_is_waited_for_no_more() -> None:
    assert not plan(part("Succeeded"), models=(ended_training(1),)).lingering


def test_a_job_that_outlives_its_training_is_removed() -> None:
    found = plan(part(), models=(ended_training(60),), known=(record(),))
    closed = written_down(record("Failed", finishedAt=NEW, message=OVER))
    assert found == PartsPlan((closed,), delete=(key(NAME),))


@pytest.mark.parametrize("model", [ended_training(trigger="t-2"), in_training(trigger="t-1", coordinator=None), IDLE])
def test_a_job_of_an_earlier_training_is_removed_at_once(model: HeartModel) -> None:
    found = plan(part(), models=(model,))
    closed = written_down(record("Failed", finishedAt=NEW, message=OVER))
    assert found == PartsPlan((closed,), delete=(key(NAME),))


NO_CONSENT: dict[str, dict[str, Any]] = {
    "suspended": {"at": site(suspend=True)},
    "not allowed": {"at": site(allow=[])},
    "no model": {"models": ()},
    "not named": {
        "models": (MODEL.model_copy(update={"spec": federated_model(sites=["south/ward", "west/ward"]).spec}),)
    },
    "another contract": {"at": site(allow=[{"model": "clinic/heart", "contractHash": OTHER}])},
    "suspended after the training": {"at": site(suspend=True), "models": (ended_training(1),)},
}


@pytest.mark.parametrize("case", NO_CONSENT)
@pytest.mark.parametrize("may_start", [True, False])
def test_a_job_is_removed_at_once_where_the_consent_ended(case: str, may_start: bool) -> None:
    found = plan(part(), known=(record(),), may_start=may_start, **NO_CONSENT[case])
    closed = written_down(record("Withdrawn", finishedAt=NEW, message=WITHDRAWN))
    assert found == PartsPlan((closed,), delete=(key(NAME),))


def test_the_consent_for_another_model_does_not_count() -> None:
    at = site(allow=[{"model": "clinic/lung"}])
    found = plan(part(), at=at, models=(MODEL, federated_model().model_copy(update={"name": "lung"})))
    assert [entry.phase for entry in found.trainings] == ["Withdrawn"]


def test_a_part_whose_job_is_gone_and_not_wanted_is_closed() -> None:
    over = plan(models=(IDLE,), known=(record(),))
    assert over == PartsPlan((written_down(record("Failed", finishedAt=NEW, message=OVER)),))
    withdrawn = plan(at=site(suspend=True), known=(record(),))
    assert withdrawn == PartsPlan((written_down(record("Withdrawn", finishedAt=NEW, message=WITHDRAWN)),))


# --- what is kept --------------------------------------------------------------------------------


def hour(at: int) -> str:
    return f"2026-01-09T{at:02}:00:00Z"


def test_ten_trainings_are_kept_newest_first() -> None:
    old = [record("Succeeded", job=f"j-{at:02}", startedAt=hour(at)) for at in range(11)]
    found = plan(known=tuple(old))
    assert [entry.job for entry in found.trainings] == [NAME, *(f"j-{at:02}" for at in range(10, 1, -1))]


def test_trainings_of_one_second_are_in_the_order_of_their_jobs() -> None:
    old = [record("Failed", job=name, startedAt=hour(1)) for name in ("b", "c", "a")]
    unknown = [record("Failed", job=name, startedAt=None) for name in ("y", "z")]
    found = plan(models=(IDLE,), known=(*unknown, *old))
    assert [entry.job for entry in found.trainings] == ["c", "b", "a", "z", "y"]


def done(at: int, **job: Any) -> SitePart:
    return part("Succeeded", name=f"j-{at}", trigger=f"old-{at}", created=read(hour(at)), **job)


def test_the_jobs_of_three_trainings_are_kept() -> None:
    assert plan(*(done(at) for at in range(3)), part()).delete == ()
    assert plan(*(done(at) for at in range(5)), part()).delete == (key("j-1"), key("j-0"))


def test_the_job_of_a_training_that_still_runs_is_kept() -> None:
    """It would be made again."""
    early = part("Failed", created=read("2026-01-01T00:00:00Z"), why="Error")
    found = plan(*(done(at) for at in range(3)), early)
    assert (found.delete, found.create) == ((), ())
    assert plan(*(done(at) for at in range(3)), early, models=(IDLE,)).delete == (key(NAME),)


def test_running_jobs_are_removed_before_old_ones() -> None:
    found = plan(*(done(at) for at in range(4)), part(), models=(IDLE,))
    assert found.delete == (key(NAME), key("j-0"))
