"""Trainings at sites: what is fixed when one starts, what is recorded until its end, what starts another."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.federation import Progress
from heart_api.handover import SiteResult, TrainingFailure, TrainingResult
from heart_api.heartmodel import HeartModelStatus, TrainingStatus
from heart_api.names import training_job_name
from heart_api.status import CoordinatorStatus
from heart_api.times import written
from heart_operator.manifests.coordinator_job import build_coordinator_job
from heart_operator.plan.observed import Observed, ObservedJob, TrainingJob
from heart_operator.plan.training.training import of_job, plan_training, training_record
from heart_operator.plan.training.triggers import current_trigger, spec_trigger
from heart_operator.plan.versions import Version
from tests.support.plan.federated import IDENTITY, KEY, SITES, FederatedWorld, federated_model, federated_world
from tests.support.plan.world import sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NORTH, SOUTH, WEST = SITES
TRIGGER = spec_trigger(federated_model())
EARLIER = TrainingStatus(job="j", trigger="old", phase="Succeeded", version="1")
TRUSTED = CoordinatorStatus.model_validate(IDENTITY.model_dump())
RESULT = TrainingResult(version="2", run_id="r", artifact_sha256=sha("2"), evaluation_sha256=sha("e"))


@pytest.fixture(scope="module")
def world() -> FederatedWorld:
    """A training runs at three sites."""
    return federated_world()


@pytest.fixture
def idle(world: FederatedWorld) -> Observed:
    """Every site is ready, and nothing has been trained."""
    seen = world.observe()
    model = seen.model.model_copy(update={"status": HeartModelStatus()})
    return replace(seen, model=model, jobs=(), coordinator=None, progress=None)


Seen = Callable[..., Observed]


@pytest.fixture
def seen(world: FederatedWorld) -> Seen:
    """A Job of this training, with the record that was made when it started."""

    def of(job: TrainingJob, trusted: CoordinatorStatus | None = None, **changes: Any) -> Observed:
        found = world.observe()
        assert found.model.status.training
        known = found.model.status.training.model_copy(update={"coordinator": trusted})
        model = found.model.model_copy(update={"status": HeartModelStatus(training=known)})
        return replace(found, model=model, jobs=(job,), **changes)

    return of


def job(phase: Any = "Running", **changes: Any) -> TrainingJob:
    name = training_job_name("heart", "u-1", TRIGGER, 0)
    return ObservedJob(**({"name": name, "uid": "u", "trigger": TRIGGER, "created": NOW, "phase": phase} | changes))


def told(site: str, state: Any = "Active", **changes: Any) -> SiteResult:
    namespace, _, name = site.partition("/")
    return SiteResult(namespace=namespace, name=name, state=state, **changes)


def sites_of(observed: Observed) -> dict[str, tuple[str, int | None, int]]:
    """State, rows and exchanges by site, as recorded."""
    record = training_record(observed, TRIGGER)
    assert record
    assert record.sites is not None
    return {entry.site: (entry.state, entry.rows, entry.exchanges) for entry in record.sites}


# --- its start -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stable", [None, Version("1", sha("1"))])
def test_a_training_asks_the_sites_that_are_ready_and_keeps_their_keys(idle: Observed, stable: Version | None) -> None:
    plan = plan_training(idle, stable, may_start=True, now=NOW)
    assert plan.status
    assert [(entry.site, entry.public_key, entry.rows) for entry in plan.status.sites or ()] == [
        (name, KEY, 400) for name in sorted(SITES)
    ]
    assert idle.profile
    reference = stable.reference if stable else None
    expected = build_coordinator_job(idle.model, idle.profile, TRIGGER, reference, plan.status.sites or ())
    assert plan.create == (expected,)


def test_without_a_site_the_training_waits_and_old_jobs_go(idle: Observed) -> None:
    absent = replace(idle, sites=(replace(idle.sites[0], site=None), *idle.sites[1:]))
    old = tuple(job("Succeeded", name=f"j{n}", trigger=f"t{n}", result=RESULT) for n in range(5))
    model = idle.model.model_copy(update={"status": HeartModelStatus(training=EARLIER)})
    plan = plan_training(replace(absent, model=model, jobs=old), None, may_start=True, now=NOW)
    assert (plan.status, plan.wanted, plan.create, len(plan.delete)) == (EARLIER, True, (), 2)
    assert plan.site_wait
    assert plan.site_wait.reason == "SiteMissing"


def test_a_training_that_runs_is_not_held_up_by_a_site(seen: Seen) -> None:
    found = seen(job(), sites=())
    plan = plan_training(found, None, may_start=True, now=NOW)
    assert (plan.site_wait, plan.wanted) == (None, False)
    assert plan.status
    assert {entry.state for entry in plan.status.sites or ()} == {"Withdrawn"}


# --- while it runs -------------------------------------------------------------------------------


def test_a_running_training_shows_what_its_coordinator_sees(seen: Seen) -> None:
    progress = Progress(sites=(told(NORTH, rows=1234, exchanges=3), told(WEST, "Offline")))
    assert sites_of(seen(job(), progress=progress)) == {
        NORTH: ("Active", 1200, 3),
        SOUTH: ("Waiting", 400, 0),
        WEST: ("Offline", 400, 0),
    }


def test_the_first_coordinators_identity_is_kept(seen: Seen) -> None:
    """A site answers whom the record names; a pod that comes later is somebody else."""
    late = IDENTITY.model_copy(update={"bundle_sha256": "c" * 64})
    for phase in ("Running", "Failed"):
        kept = training_record(seen(job(phase), TRUSTED, coordinator=late), TRIGGER)
        first = training_record(seen(job(phase), None, coordinator=IDENTITY), TRIGGER)
        unknown = training_record(seen(job(phase), None, coordinator=None), TRIGGER)
        assert kept
        assert first
        assert unknown
        assert (kept.coordinator, first.coordinator, unknown.coordinator) == (TRUSTED, TRUSTED, None)


# --- its end -------------------------------------------------------------------------------------


def test_what_the_sites_gave_is_in_the_record_of_a_success(seen: Seen) -> None:
    result = RESULT.model_copy(update={"sites": (told(NORTH, "Completed", rows=456, exchanges=8),)})
    found = seen(job("Succeeded", result=result, finished=NOW))
    assert sites_of(found) == {NORTH: ("Completed", 450, 8), SOUTH: ("Waiting", 400, 0), WEST: ("Waiting", 400, 0)}
    record = training_record(found, TRIGGER)
    assert record
    assert (record.phase, record.version) == ("Succeeded", "2")


def test_what_a_site_refused_is_in_the_record_of_a_failure(seen: Seen) -> None:
    refused = told(SOUTH, "Refused", message="its key has changed")
    failure = TrainingFailure(reason="SiteRefused", message="south/ward refused", sites=(refused,))
    found = seen(job("Failed", failure=failure))
    assert sites_of(found)[SOUTH] == ("Rejected", 400, 0)
    assert sites_of(found)[NORTH] == ("Waiting", 400, 0)


def test_a_coordinator_that_says_nothing_leaves_the_sites_as_they_were(seen: Seen) -> None:
    for ended in (job("Failed", why="OOMKilled"), job("Succeeded", result=RESULT)):
        assert set(sites_of(seen(ended)).values()) == {("Waiting", 400, 0)}


def test_a_record_that_was_lost_names_no_sites(seen: Seen) -> None:
    """Which were asked, with which keys, cannot be known any more."""
    result = RESULT.model_copy(update={"sites": (told(NORTH, "Completed"),)})
    ended = job("Succeeded", result=result)
    found = seen(ended)
    lost = replace(found, model=found.model.model_copy(update={"status": HeartModelStatus()}))
    record = training_record(lost, TRIGGER)
    assert record == of_job(ended)
    assert record
    assert record.sites is None


# --- what starts another -------------------------------------------------------------------------

SELECTED = {"sites": None, "selector": {"namespaces": ["north"], "matchLabels": {"study": "heart"}}}


@pytest.mark.parametrize(
    ("federation", "trains"),
    [
        ({"sites": [WEST, SOUTH, NORTH]}, False),
        ({"sites": [NORTH, SOUTH]}, True),
        ({"sites": [NORTH, SOUTH, "east/ward"]}, True),
        (SELECTED, True),
        ({"onMissingSite": "Continue"}, False),
        ({"minSites": 3}, False),
        ({"roundDeadlineSeconds": 60}, False),
        ({"aggregation": "Sum"}, False),  # the default, written out
    ],
)
def test_the_sites_are_part_of_what_is_trained(federation: dict[str, Any], trains: bool) -> None:
    assert (spec_trigger(federated_model(**federation)) != TRIGGER) == trains


def test_another_selection_is_another_training() -> None:
    others = {"sites": None, "selector": {"namespaces": ["north"], "matchLabels": {"study": "liver"}}}
    assert spec_trigger(federated_model(**SELECTED)) != spec_trigger(federated_model(**others))


def test_an_upgrade_of_the_operator_trains_nothing_again() -> None:
    """Triggers are compared with those that an earlier release stored."""
    assert (TRIGGER, spec_trigger(federated_model(**SELECTED))) == ("1289b3a9", "b191f469")


def test_a_request_over_http_trains_once(idle: Observed) -> None:
    requests = {"retrain": {"id": "20260101T110000Z-1", "by": "alice"}}
    status = HeartModelStatus.model_validate({"requests": requests})
    asked = replace(idle, model=idle.model.model_copy(update={"status": status}))
    trigger = current_trigger(asked)
    assert trigger.startswith(f"{TRIGGER}-")
    answered = status.model_copy(update={"training": EARLIER.model_copy(update={"trigger": trigger})})
    assert current_trigger(replace(idle, model=idle.model.model_copy(update={"status": answered}))) == trigger
    later = HeartModelStatus.model_validate({"requests": {"retrain": {"id": "20260101T120000Z-1"}}})
    assert current_trigger(replace(idle, model=idle.model.model_copy(update={"status": later}))) != trigger


def test_the_next_attempt_starts_when_the_one_before_was_lost(idle: Observed) -> None:
    for finished, started in ((NOW + timedelta(minutes=5), "2026-01-01T12:05:00Z"), (None, written(NOW))):
        record = training_record(replace(idle, jobs=(job("Failed", lost=True, finished=finished),)), TRIGGER)
        assert record
        assert (record.phase, record.started_at) == ("Running", started)
