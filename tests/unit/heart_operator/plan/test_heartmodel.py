"""The plan of a model as a whole: every part's work is in it, in the order in which it is carried out."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heart_api.checks import CheckOrder
from heart_api.kube.values import Blocked, ObjectKey
from heart_api.names import check_job_name
from heart_api.profile import Quota
from heart_operator.plan.actions import Plan, Scale, SetAlias, TagVersion
from heart_operator.plan.heartmodel import plan_heart_model
from heart_operator.plan.observed import BlockedWorkload, Observed, ObservedJob
from heart_operator.plan.obstacles import find_obstacle
from heart_operator.plan.quota import StartedTraining, Usage
from heart_operator.plan.selection.selection import select_version
from tests.support.plan.world import PROFILE, START, World, heart_model, serving_world, sha

EVIL = ObjectKey("batch/v1", "Job", "evil")
ORDER = CheckOrder(id="20260101T000000Z-01", by="alice", since="2025-12-31T00:00:00Z", until="2026-01-01T00:00:00Z")
LIMITED = PROFILE.model_copy(update={"quota": Quota(models=1, trainings_per_hour=1)})


def plan_of(observed: Observed, world: World) -> Plan:
    return plan_heart_model(observed, select_version(observed), world.now)


def check_job(name: str, **changes: Any) -> ObservedJob[Any, Any]:
    values: dict[str, Any] = {"name": name, "uid": "j", "trigger": ORDER.until, "created": START, "phase": "Running"}
    return ObservedJob(**(values | changes))


def test_a_foreign_job_is_removed_and_said_after_everything_else() -> None:
    world = World()
    plan = plan_of(replace(world.observe(), foreign_jobs=(EVIL,)), world)
    assert EVIL in plan.delete
    assert len(plan.events) > 1
    assert (plan.events[-1].reason, "evil" in plan.events[-1].message) == ("ForeignJob", True)
    assert [event.reason for event in plan.events].count("ForeignJob") == 1
    world.change_spec(suspend=True)
    suspended = plan_of(replace(world.observe(), foreign_jobs=(EVIL,)), world)
    assert (suspended.delete, [event.reason for event in suspended.events]) == ((), ["Suspended"])


def test_a_newer_checks_job_is_made_and_the_older_one_removed() -> None:
    world = serving_world()
    annotations = {**world.model.annotations, **ORDER.annotations()}
    world.model = world.model.model_copy(update={"annotations": annotations})
    plan = plan_of(replace(world.observe(), checks=(check_job("older"),)), world)
    name = check_job_name("heart", "u-1", ORDER.id)
    assert [item["metadata"]["name"] for item in plan.create] == [name]
    assert plan.delete == (ObjectKey("batch/v1", "Job", "older"),)
    assert plan.facts.check
    assert plan.facts.check.job == name


def test_a_check_that_waited_in_vain_is_deleted_and_has_failed() -> None:
    world = serving_world()
    annotations = {**world.model.annotations, **ORDER.annotations()}
    world.model = world.model.model_copy(update={"annotations": annotations})
    missing = Blocked("VolumeMissing", "no volume", "Create it", hopeless=True, since=world.now)
    name = check_job_name("heart", "u-1", ORDER.id)
    observed = replace(world.observe(), checks=(check_job(name, blocked=missing),))
    waiting = plan_of(observed, world)
    assert (waiting.delete, waiting.blocked) == ((), (BlockedWorkload("Job", name, "VolumeMissing"),))
    world.now += timedelta(minutes=10)
    plan = plan_of(observed, world)
    assert plan.delete == (ObjectKey("batch/v1", "Job", name),)
    assert plan.facts.check
    assert (plan.facts.check.phase, "no volume" in plan.facts.check.message) == ("Failed", True)


def test_what_waits_for_a_quota_is_told_to_the_metrics() -> None:
    world = World(profile=LIMITED)
    nothing = plan_of(replace(world.observe(), usage=Usage(1, 0)), world)
    assert nothing.waits == ()
    models = plan_of(replace(world.observe(), usage=Usage(2, 1)), world)
    assert [wait.quota for wait in models.waits] == ["models"]
    ready = next(each.message for each in models.conditions if each.type == "Ready")
    assert ready == f"No version is serving yet. {models.waits[0].message}"
    one = (StartedTraining("other", START - timedelta(minutes=1)),)
    trainings = plan_of(replace(world.observe(), usage=Usage(1, 0, one)), world)
    assert [wait.quota for wait in trainings.waits] == ["trainingsPerHour"]
    both = plan_of(replace(world.observe(), usage=Usage(2, 1, one)), world)
    assert [wait.quota for wait in both.waits] == ["models"], "a model beyond the quota trains nothing"


def test_a_registry_of_another_model_is_told_nothing() -> None:
    world = serving_world()
    world.aliases = {}
    assert SetAlias("serving", "1") in plan_of(world.observe(), world).registry
    world.claimed_by = "other/heart"
    assert plan_of(world.observe(), world).registry == ()


def test_decisions_are_kept_for_whoever_is_told_of_them() -> None:
    world = World()
    outbox = plan_of(replace(world.observe(), destinations=("openlineage",)), world).facts.outbox
    assert outbox
    assert [(entry.type, entry.time) for entry in outbox.entries] == [("training-started", "2026-01-01T00:00:00Z")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({}, "InvalidSpec"), ({"valid": True}, "QuotaExceeded"), ({"valid": True, "room": True}, "RegistryUnavailable")],
)
def test_a_quota_stands_between_the_spec_and_the_registry(changes: dict[str, bool], reason: str) -> None:
    spec = {} if changes.get("valid") else {"registryName": "other.heart"}
    world = World(model=heart_model(spec), profile=LIMITED, registry_error="refused")
    usage = Usage(2, 0 if changes.get("room") else 1)
    found = find_obstacle(replace(world.observe(), usage=usage), None)
    assert found
    assert found.reason == reason


def trained(world: World, value: str, **result: float) -> None:
    world.retrain(value)
    world.settle()
    world.finish_job(**result)
    world.settle()


def test_whatever_is_trained_or_measured_is_compared_with_what_serves() -> None:
    world = serving_world()
    world.register_by_hand()
    world.retrain("x")
    training, evaluation = world.plan().create
    assert sha("1") in json.dumps(training)
    assert sha("1") in json.dumps(evaluation)


def test_a_version_that_is_worse_than_what_serves_fails_its_gate() -> None:
    world = serving_world()
    trained(world, "x", regression=-0.1)
    assert world.condition("GatePassed")[0] == "False"
    assert "is worse than the serving version's" in world.message("GatePassed")


def test_a_registry_that_lost_what_the_service_selects_trains_nothing_even_without_a_status() -> None:
    world = serving_world()
    world.versions = {}
    world.wipe_status()
    plan = world.plan()
    assert next(each.reason for each in plan.conditions if each.type == "Progressing") == "RegistryLost"
    assert plan.create == ()


def test_a_version_that_nobody_can_serve_is_rejected() -> None:
    world = serving_world()
    version = world.register_by_hand()
    world.settle()
    world.reject_evaluation()
    world.settle()
    assert [(entry.version, entry.reason) for entry in world.model.status.rejected] == [(version, "NotServable")]


def test_a_candidate_waits_for_the_registry_and_says_so() -> None:
    world = serving_world()
    world.merge_spec({"rollout": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
    trained(world, "x")
    world.start_pods()
    world.settle()
    world.registry_error = "refused"
    world.settle()
    candidate = world.model.status.candidate
    assert candidate
    assert (candidate.phase, candidate.message.startswith("MLflow is unavailable (refused)")) == ("Held", True)


def test_the_gates_verdict_is_told_with_its_time() -> None:
    world = World()
    world.settle()
    world.finish_job()
    world.now += timedelta(hours=1)
    outbox = plan_of(replace(world.observe(), destinations=("cloudevents",)), world).facts.outbox
    assert outbox
    assert {entry.type: entry.time for entry in outbox.entries}["gated"] == "2026-01-01T01:00:00Z"


def test_orphans_are_adopted_except_those_that_go() -> None:
    world = serving_world()
    world.orphan()
    (job,) = (key for key in world.orphans if key.kind == "Job")
    adopted = {entry.key for entry in plan_of(world.observe(), world).adopt}
    assert job in adopted
    assert {key.kind for key in adopted} >= {"Deployment", "Service", "Job"}
    plan = plan_of(replace(world.observe(), foreign_jobs=(job,)), world)
    assert {entry.key for entry in plan.adopt} == adopted - {job}


def test_another_number_of_pods_is_scaled_to() -> None:
    world = serving_world()
    world.merge_spec({"serving": {"replicas": 3}})
    world.children = {key: child for key, child in world.children.items() if key.kind != "HorizontalPodAutoscaler"}
    assert world.plan().scale == (Scale(world.deployment("1").name, 3),)


def test_a_version_that_passes_changed_gates_loses_the_mark_of_its_rejection() -> None:
    world = serving_world()
    trained(world, "x", auc=0.7)
    assert world.tags["2"].startswith("GateFailed")
    world.merge_spec({"gates": {"checks": [{"metric": "roc_auc", "min": 0.6}]}})
    assert ("2", "") in [(tag.version, tag.value) for tag in world.plan().registry if isinstance(tag, TagVersion)]
