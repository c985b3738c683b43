"""Training: what starts a Job, what never does, and what its end means."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heart_api.handover import TrainingFailure
from heart_api.names import Annotation
from heart_operator.plan.actions import CloseRuns
from heart_operator.plan.training.triggers import spec_trigger
from tests.support.plan.world import Crash, World, bring_up, heart_model, serving_world

CHANGES = [
    ({"dataset": {"uri": "https://example.org/other.csv"}}, True),
    ({"target": {"name": "num", "positiveAbove": 1}}, True),
    ({"features": [{"name": "age", "type": "number"}]}, True),
    ({"training": {"seed": 43}}, True),
    ({"training": {"algorithms": ["random-forest"]}}, True),
    ({"training": {"scale": {"mode": "Distributed", "workers": 2}}}, True),
    ({"training": {"seed": 42}}, False),  # the default, written out
    ({"training": {"resources": {"limits": {"memory": "8Gi"}}}}, False),
    ({"training": {"timeoutSeconds": 7200}}, False),
    ({"training": {"backoffLimit": 5}}, False),
    ({"training": {"tuning": {"parallelism": 3}}}, False),
    ({"training": {"tuning": {"parallelism": 3, "trials": 50}}}, True),
    ({"gates": {"checks": []}}, False),
    ({"serving": {"replicas": 2}}, False),
]


@pytest.mark.parametrize(("change", "trains"), CHANGES)
def test_what_a_training_depends_on(change: dict[str, Any], trains: bool) -> None:
    assert (spec_trigger(heart_model(change)) != spec_trigger(heart_model())) == trains


@pytest.mark.parametrize(("change", "trains"), CHANGES)
def test_a_change_of_the_spec_starts_one_training_or_none(change: dict[str, Any], trains: bool) -> None:
    world = serving_world()
    world.merge_spec(change)
    world.settle()
    assert (world.running_job() is not None) == trains
    assert sum(world.jobs_created.values()) == 1 + trains


def test_a_first_apply_trains_once_and_says_so() -> None:
    world = World()
    plan = world.reconcile()
    (job,) = plan.create
    training = plan.facts.training
    assert training
    assert training.job == job["metadata"]["name"]
    assert training.phase == "Running"
    assert world.condition("Trained") == ("Unknown", "TrainingStarted")
    assert world.condition("Ready") == ("False", "WaitingForTraining")
    world.settle()
    assert sum(world.jobs_created.values()) == 1


def test_the_training_is_a_fact_before_its_job_exists() -> None:
    world = World()
    plan = world.plan()
    world.fuse = 1  # the record alone
    with pytest.raises(Crash):
        world.carry_out(plan)
    assert not world.jobs
    assert world.model.status.training
    world.fuse = None
    world.settle()
    assert list(world.jobs) == [world.model.status.training.job]


def test_a_new_value_of_the_annotation_trains_again() -> None:
    world = serving_world()
    for value, count in (("monday", 2), ("monday", 2), ("tuesday", 3)):
        world.retrain(value)
        bring_up(world)
        if world.running_job():
            world.finish_job()
            bring_up(world)
        assert sum(world.jobs_created.values()) == count


def test_removing_the_annotation_asks_for_nothing() -> None:
    world = serving_world()
    world.merge_spec({"gates": {}})
    world.retrain("monday")
    world.settle()
    world.finish_job()
    bring_up(world)
    world.model = world.model.model_copy(update={"annotations": {}})
    for lose_status in (False, True):
        if lose_status:
            world.wipe_status()
        bring_up(world)
        assert world.selected == "2"
        assert sum(world.jobs_created.values()) == 2


def test_removing_the_annotation_stops_no_training() -> None:
    world = serving_world()
    world.retrain("monday")
    world.settle()
    job = world.running_job()
    assert job
    world.model = world.model.model_copy(update={"annotations": {}})
    world.wipe_status()
    world.settle()
    assert world.running_job() == job


def test_removing_the_annotation_hides_no_failure() -> None:
    world = serving_world()
    world.retrain("monday")
    world.settle()
    world.fail_job()
    world.settle()
    world.model = world.model.model_copy(update={"annotations": {}})
    world.settle()
    assert world.condition("Trained") == ("False", "TrainingFailed")
    assert world.selected == "1"


def test_back_to_an_earlier_spec_is_back_to_its_version() -> None:
    world = serving_world()
    world.merge_spec({"gates": {"checks": []}})
    first = world.model.spec
    world.merge_spec({"training": {"seed": 7}})
    world.settle()
    world.finish_job()
    bring_up(world)
    assert world.selected == "2"
    world.change_spec(training=first.training)
    bring_up(world)
    assert world.selected == "1"
    assert sum(world.jobs_created.values()) == 2


def test_a_change_during_a_training_replaces_it() -> None:
    world = World()
    world.settle()
    first = world.running_job()
    assert first
    world.merge_spec({"training": {"seed": 7}})
    plan = world.reconcile()
    assert [key.name for key in plan.delete] == [first.name]
    assert not plan.create, "one Job at a time"
    world.settle()
    second = world.running_job()
    assert second
    assert second.name != first.name
    assert world.open_runs == {second.trigger}, "the killed Job's run is closed"


def test_a_lost_status_goes_on_with_a_version_that_nobody_asks_for_any_more() -> None:
    """The annotation was removed once it had started the training; what came of it is on its way to serve."""
    world = serving_world()
    world.merge_spec({"rollout": {"steps": []}})
    bring_up(world)
    world.retrain("x")
    world.settle()
    world.finish_job()
    world.settle()
    world.model = world.model.model_copy(update={"annotations": {}})
    world.settle()
    assert world.running_versions == {"1", "2"}
    world.wipe_status()
    bring_up(world)
    assert world.selected == "2"


def test_a_lost_status_goes_back_to_no_older_version() -> None:
    """Though of the Jobs only the older one's is left."""
    world = serving_world()
    world.retrain("x")
    world.settle()
    world.finish_job()
    world.merge_spec({"rollout": {"steps": []}})
    bring_up(world)
    newest = max(world.jobs.values(), key=lambda job: job.result.version if job.result else "")
    del world.jobs[newest.name]
    world.model = world.model.model_copy(update={"annotations": {}})
    world.wipe_status()
    bring_up(world)
    assert world.selected == "2"
    assert world.running_job() is None


def test_a_training_that_was_called_off_is_not_made_again() -> None:
    """Between the end of the one and the beginning of the next the wish for the next may go, too."""
    world = serving_world()
    world.retrain("x")
    world.settle()
    replaced = world.running_job()
    assert replaced
    world.retrain("y")
    world.reconcile()
    assert world.running_job() is None
    world.model = world.model.model_copy(update={"annotations": {}})
    bring_up(world)
    assert world.jobs_created[replaced.trigger] == 1
    assert world.condition("Ready") == ("True", "Serving")


def test_where_every_record_is_lost_a_job_finds_the_sealed_version() -> None:
    """The registry's tags prove nothing, so that they do not stand in for the Job, which has the key."""
    world = serving_world()
    world.jobs.clear()
    world.deployments.clear()
    world.wipe_status()
    bring_up(world)
    assert world.finish_job() == "1", "it trains nothing"
    bring_up(world)
    assert (world.selected, world.deployment("1").digest) == ("1", world.versions["1"].digest)


@pytest.mark.parametrize("lost", ["status", "status and Job", "status and Deployment"])
def test_nothing_is_trained_again_when_things_get_lost(lost: str) -> None:
    world = serving_world()
    if "Job" in lost:
        world.jobs.clear()
    if "Deployment" in lost:
        world.deployments.clear()
    world.wipe_status()
    bring_up(world)
    assert sum(world.jobs_created.values()) == 1
    assert world.selected == "1"
    assert world.deployment("1").digest == world.versions["1"].digest


def test_a_running_job_that_somebody_deletes_is_made_again() -> None:
    world = World()
    world.settle()
    (name,) = world.jobs
    world.jobs.clear()
    world.settle()
    assert list(world.jobs) == [name]


# --- its end -----------------------------------------------------------------------------------

ENDS = [
    ("OOMKilled", "raise spec.training.resources.limits.memory"),
    ("DeadlineExceeded: Job was active longer than specified deadline", "raise spec.training.timeoutSeconds"),
    ("Evicted", "spec.training.resources.requests"),
    ("ImagePullBackOff", "the trainer image cannot be pulled"),
    ("BackoffLimitExceeded", "kubectl logs job/"),
    ("", "ended without saying why"),
]


@pytest.mark.parametrize(("why", "hint"), ENDS)
def test_a_job_that_dies_says_what_to_do(why: str, hint: str) -> None:
    world = serving_world()
    world.retrain("x")
    world.settle()
    world.fail_job(why=why)
    world.settle()
    assert world.condition("Trained") == ("False", "TrainingFailed")
    assert hint in world.message("Trained")
    assert why in world.message("Trained")
    assert Annotation.RETRAIN in world.message("Trained")
    assert not world.open_runs, "its MLflow run does not stay RUNNING"
    assert world.condition("Ready") == ("True", "Serving"), "the version that serves is untouched"
    assert world.events[-1] == "TrainingFailed"


def test_the_trainers_own_message_comes_first() -> None:
    world = World()
    world.settle()
    world.fail_job(TrainingFailure(reason="DataInvalid", message="rows 3, 7: age is above 120; correct the file"))
    world.settle()
    assert world.condition("Trained") == ("False", "DataInvalid")
    assert "rows 3, 7: age is above 120; correct the file. It is not retried" in world.message("Trained")
    assert world.condition("Ready") == ("False", "DataInvalid")


def test_a_failed_training_is_not_tried_again_by_itself() -> None:
    world = World()
    world.settle()
    world.fail_job()
    for _ in range(3):
        world.pass_time(3600)
        world.settle()
    assert sum(world.jobs_created.values()) == 1
    world.retrain("again")
    world.settle()
    assert sum(world.jobs_created.values()) == 2


def test_a_run_left_open_is_closed_once_mlflow_answers() -> None:
    world = World()
    world.settle()
    world.fail_job()
    world.registry_error = "connection refused"
    world.settle()
    assert world.open_runs
    world.registry_error = None
    plan = world.reconcile()
    assert [action for action in plan.registry if isinstance(action, CloseRuns)] == [
        CloseRuns(next(iter(world.jobs.values())).trigger, "FAILED")
    ]
    assert not world.open_runs


def test_old_jobs_go_and_the_current_one_stays() -> None:
    world = serving_world()
    for value in "abcd":
        world.pass_time(60)
        world.retrain(value)
        world.settle()
        world.fail_job()
        world.settle()
    assert len(world.jobs) == 3
    world.pass_time(60)
    world.merge_spec({"training": {"seed": 9}})
    world.settle()
    assert world.running_job()
    assert len(world.jobs) == 3


def test_the_oldest_job_stays_while_it_is_the_current_one() -> None:
    world = serving_world()
    (job,) = world.jobs.values()
    for minutes in range(1, 5):
        other = replace(
            job, name=f"other-{minutes}", trigger=f"t{minutes}", created=job.created + timedelta(minutes=minutes)
        )
        world.jobs[other.name] = replace(other, phase="Failed", result=None)
    world.settle()
    assert job.name in world.jobs
    assert len(world.jobs) == 4


def test_a_training_is_told_what_serves() -> None:
    world = serving_world()
    world.retrain("x")
    plan = world.reconcile()
    environment = {
        entry["name"]: entry["value"] for entry in plan.create[0]["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert world.versions["1"].digest in environment["HEARTOPS_TRAINING_REQUEST"]


# --- what forbids it ---------------------------------------------------------------------------


def test_a_suspended_model_is_left_alone() -> None:
    world = serving_world()
    world.change_spec(suspend=True)
    world.retrain("x")
    world.children.clear()
    world.reconcile()
    world.settle()
    assert not world.children
    assert sum(world.jobs_created.values()) == 1
    assert world.condition("Available") == ("True", "Serving")
    assert world.condition("Ready") == ("True", "Suspended")
    assert world.condition("Progressing") == ("Unknown", "Suspended")
    assert world.condition("Trained") == ("Unknown", "Suspended")


def test_the_end_of_a_job_is_noticed_during_a_suspension() -> None:
    world = World()
    world.settle()
    world.change_spec(suspend=True)
    world.finish_job()
    world.settle()
    assert world.model.status.training
    assert world.model.status.training.version == "1"
    assert not world.deployments


def test_mlflow_down_starts_nothing_and_stops_nothing() -> None:
    world = serving_world()
    world.registry_error = "connection refused"
    world.retrain("x")
    del world.deployments["heart-v1"]
    world.settle()
    assert sum(world.jobs_created.values()) == 1
    assert world.deployment("1").digest == world.versions["1"].digest, "what serves is kept up"
    assert world.condition("Progressing") == ("Unknown", "RegistryUnavailable")
    assert world.condition("Trained") == ("Unknown", "RegistryUnavailable")
    assert world.condition("GatePassed") == ("True", "GatePassed"), "an outage does not unlearn a verdict"
    assert world.plan().requeue_after == 5, "the pods of version 1 are starting"
    world.start_pods()
    world.settle()
    assert world.plan().requeue_after == 30
    world.registry_error = None
    world.settle()
    assert world.running_job()


@pytest.mark.parametrize("lose_status", [False, True])
@pytest.mark.parametrize("replaced", [False, True])
def test_an_emptied_registry_trains_nothing(lose_status: bool, replaced: bool) -> None:
    world = serving_world()
    known = world.versions.pop("1")
    if replaced:
        world.versions["1"] = replace(known, digest="sha256:" + "0" * 64, trigger="other")
    world.aliases.clear()
    if lose_status:
        world.wipe_status()
    world.retrain("x")
    bring_up(world)
    assert sum(world.jobs_created.values()) == 1
    assert world.selected == "1"
    assert world.deployment("1").digest == known.digest
    assert world.condition("Ready") == ("False", "RegistryLost")
    assert world.condition("Available") == ("True", "Serving")
    assert not world.aliases


def test_a_claimed_name_is_not_touched() -> None:
    world = World(claimed_by="other/model")
    world.settle()
    assert not world.jobs
    assert world.condition("Ready") == ("False", "RegistryNameTaken")
    assert "other/model" in world.message("Ready")


def test_an_invalid_spec_trains_nothing_and_serving_goes_on() -> None:
    world = serving_world()
    world.merge_spec(
        {"training": {"seed": 9}, "monitoring": {"alerts": {"errorRate": {"warning": 0.5, "critical": 0.1}}}}
    )
    del world.deployments["heart-v1"]
    bring_up(world)
    assert sum(world.jobs_created.values()) == 1
    assert world.condition("Ready") == ("False", "InvalidSpec")
    assert "spec.monitoring.alerts.errorRate" in world.message("Ready")
    assert world.condition("Available") == ("True", "Serving")
    world.merge_spec({"monitoring": {}})
    world.settle()
    assert world.running_job()


def test_without_its_profile_a_model_still_goes_back() -> None:
    """Somebody deleted the profile, and it is now that the version is bad."""
    world = serving_world()
    world.merge_spec({"rollout": {"steps": []}})
    world.retrain("x")
    world.settle()
    world.finish_job()
    bring_up(world)
    assert world.selected == "2"
    policies = [key for key in world.children if key.kind == "NetworkPolicy"]
    world.profile = None
    world.submit("rollback", "2")
    bring_up(world)
    assert world.selected == "1"
    assert world.answering == {"1"}
    assert [key for key in world.children if key.kind == "NetworkPolicy"] == policies


def test_without_its_profile_a_new_model_makes_nothing() -> None:
    world = World(profile=None)
    world.settle()
    assert not world.children
    assert not world.jobs
    assert world.condition("Ready") == ("False", "InvalidSpec")
