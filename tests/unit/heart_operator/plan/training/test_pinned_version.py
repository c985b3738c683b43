"""`spec.version` names a number: that version serves, and nothing is trained unless a person asks for it."""

from typing import Any

import pytest

from heart_api.heartmodel import HeartModelSpec
from heart_api.names import short_hash
from heart_api.status import RequestsStatus, RequestStatus
from heart_operator.plan.training.triggers import spec_trigger
from tests.support.plan.world import World, bring_up, heart_model, serving_world

OTHER = {"training": {"seed": 7}}


def pinned_world(version: int | str = 1) -> World:
    """Version 1 was trained and serves, and `spec.version` names it."""
    world = serving_world()
    world.merge_spec({"version": version})
    world.settle()
    return world


def trainings(world: World) -> int:
    return sum(world.jobs_created.values())


@pytest.mark.parametrize(("version", "pinned"), [(7, "7"), ("7", "7"), ("latest", ""), ("@champion", ""), ("@v7", "")])
def test_only_a_number_pins(version: int | str, pinned: str) -> None:
    spec: HeartModelSpec = heart_model({"version": version}).spec
    assert spec.pinned_version == pinned


def test_a_spec_that_is_pinned_is_not_trained_for() -> None:
    world = pinned_world()
    assert world.condition("Trained") == ("True", "TrainingSucceeded"), "it was trained before"
    world.merge_spec(OTHER)
    world.settle()
    assert (trainings(world), world.selected) == (1, "1")
    assert world.condition("Trained") == ("Unknown", "VersionPinned")
    assert world.message("Trained") == (
        "spec.version names version 1: nothing is trained for this spec. `kubectl heart retrain heart` trains without"
        " serving, `latest` or an alias trains and serves"
    )
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("Progressing") == ("True", "UpToDate")
    assert world.events[-1] == "VersionPinned"
    assert world.model.status.training
    assert world.model.status.training.version == "1", "what was trained last stays on record"


@pytest.mark.parametrize("version", ["latest", "@champion"])
def test_a_version_that_is_no_longer_pinned_trains_for_the_spec_as_it_is(version: str) -> None:
    world = pinned_world()
    world.aliases["champion"] = "1"
    for seed in (7, 8):
        world.merge_spec({"training": {"seed": seed}})
        world.settle()
    world.merge_spec({"version": version})
    world.settle()
    assert world.running_job()
    assert trainings(world) == 2, "once, however often the spec changed meanwhile"


def test_a_version_that_is_no_longer_pinned_trains_nothing_for_a_spec_that_was_trained_for() -> None:
    world = pinned_world()
    world.merge_spec({"version": "latest"})
    bring_up(world)
    assert trainings(world) == 1


def test_a_version_that_exists_is_measured_and_serves_without_a_training() -> None:
    world = World(model=heart_model({"version": 1}))
    world.register_by_hand()
    world.settle()
    assert world.condition("Ready") == ("False", "Evaluating")
    assert world.finish_evaluation() == "1"
    bring_up(world)
    assert (world.selected, world.running_job()) == ("1", None)
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("Trained") == ("Unknown", "VersionPinned")


def test_a_version_that_does_not_exist_is_said_and_not_trained() -> None:
    world = World(model=heart_model({"version": 1}))
    world.settle()
    assert trainings(world) == 0
    assert world.condition("Ready") == ("False", "VersionNotFound")
    assert world.message("Ready") == (
        "No version is serving yet. spec.version: the registry has no version 1 of clinic.heart, nor any other, and"
        " none is trained while a number is named; to train one, set it to latest"
    )


def test_a_person_who_asks_for_a_training_gets_one() -> None:
    world = pinned_world()
    world.merge_spec(OTHER)
    world.settle()
    world.retrain("monday")
    world.settle()
    job = world.running_job()
    assert job
    assert job.trigger == f"{spec_trigger(world.model)}-{short_hash('monday')}"
    assert world.finish_job() == "2"
    bring_up(world)
    assert world.selected == "1", "it is not served"
    assert world.condition("Trained") == ("True", "TrainingSucceeded")
    world.merge_spec({"version": "latest"})
    bring_up(world)
    assert (world.selected, trainings(world)) == ("2", 2)


def test_a_caller_over_http_who_asks_for_a_training_gets_one() -> None:
    world = pinned_world()
    asked = RequestsStatus(retrain=RequestStatus(id="20260101T000000Z-abcd", by="ci"))
    world.model = world.model.model_copy(update={"status": world.model.status.model_copy(update={"requests": asked})})
    world.settle()
    assert world.running_job()


def test_a_wish_that_was_granted_is_not_granted_again_for_the_next_spec() -> None:
    world = pinned_world()
    world.retrain("monday")
    world.settle()
    world.finish_job()
    bring_up(world)
    world.merge_spec(OTHER)
    world.settle()
    assert (world.running_job(), trainings(world)) == (None, 2)
    assert world.condition("Trained") == ("Unknown", "VersionPinned")


def test_a_wish_for_a_spec_that_changed_meanwhile_is_granted_for_the_new_one() -> None:
    world = pinned_world()
    world.retrain("monday")
    world.settle()
    world.merge_spec(OTHER)
    world.settle()
    job = world.running_job()
    assert job
    assert job.trigger == f"{spec_trigger(world.model)}-{short_hash('monday')}"


def test_a_training_that_runs_when_its_version_is_pinned_goes_on() -> None:
    world = serving_world()
    world.merge_spec(OTHER)
    world.settle()
    world.merge_spec({"version": 1})
    world.settle()
    assert world.running_job()
    assert world.finish_job() == "2"
    bring_up(world)
    assert (world.selected, trainings(world)) == ("1", 2)


def test_a_training_for_a_spec_that_was_taken_back_is_called_off() -> None:
    """As `git revert` does it: spec and version in one write."""
    world = serving_world()
    world.merge_spec(OTHER)
    world.settle()
    world.merge_spec({"version": 1, "training": {"seed": 9}})
    world.settle()
    assert (world.running_job(), world.model.status.training) == (None, None)
    assert world.condition("Progressing") == ("True", "UpToDate")


@pytest.mark.parametrize("deleted", [False, True])
def test_a_lost_job_does_not_seem_to_run_for_ever(deleted: bool) -> None:
    world = serving_world()
    world.merge_spec(OTHER)
    world.settle()
    job = world.running_job()
    assert job
    if deleted:
        del world.jobs[job.name]
    world.merge_spec({"version": 1, "training": {"seed": 9}})
    world.settle()
    assert world.condition("Progressing") == ("True", "UpToDate")


def test_a_training_that_failed_before_keeps_no_pinned_version_from_being_healthy() -> None:
    world = serving_world()
    world.merge_spec(OTHER)
    world.settle()
    world.fail_job()
    world.settle()
    assert world.condition("Progressing")[0] == "False"
    world.merge_spec({"version": 1, "training": {"seed": 9}})
    world.settle()
    assert world.condition("Progressing") == ("True", "UpToDate")
    world.merge_spec({"version": "latest"} | OTHER)
    world.settle()
    assert world.condition("Trained") == ("False", "TrainingFailed"), "nothing was forgotten"


@pytest.mark.parametrize("suspended", [False, True])
def test_an_obstacle_leaves_jobs_alone(suspended: bool) -> None:
    world = serving_world()
    world.merge_spec(OTHER)
    world.settle()
    change: dict[str, Any] = {"version": 1, "training": {"seed": 9}}
    if suspended:
        world.merge_spec(change | {"suspend": True})
    else:
        world.registry_error = "connection refused"
        world.merge_spec(change)
    world.settle()
    assert world.running_job()
    assert world.model.status.training
    assert world.model.status.training.phase == "Running"
    assert world.condition("Trained") == ("Unknown", "VersionPinned")


def test_old_jobs_go_as_ever() -> None:
    world = serving_world()
    for value in "abcd":
        world.retrain(value)
        world.settle()
        world.finish_job()
        bring_up(world)
    world.merge_spec({"version": 5} | OTHER)
    bring_up(world)
    assert len(world.jobs) == 3
    assert world.selected == "5"
