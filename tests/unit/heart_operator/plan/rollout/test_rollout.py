"""Rollout: how a version gets behind the Service, and what happens to those that do not."""

from dataclasses import replace

import pytest

from heart_api.kube.values import ObjectKey
from heart_operator.plan.actions import Scale
from tests.support.plan.world import World, bring_up, names, serving_world


def train(world: World, value: str, *, auc: float = 0.9, starts: bool = True, regression: float = 0.0) -> str:
    """Another version, as far as it comes without its pods."""
    world.retrain(value)
    world.settle()
    version = world.finish_job(auc, starts, regression)
    world.settle()
    return version


def hpa_target(world: World) -> str:
    hpa = world.child("HorizontalPodAutoscaler")
    assert hpa
    name: str = hpa["spec"]["scaleTargetRef"]["name"]
    return name


def test_the_service_comes_with_the_first_version_that_is_ready() -> None:
    world = World()
    world.settle()
    world.finish_job()
    world.settle()
    assert world.deployment("1").replicas == 2
    assert world.child("Service") is None
    assert world.condition("Ready") == ("False", "RollingOut")
    world.start_pods()
    world.settle()
    assert world.selected == "1"
    assert hpa_target(world) == "heart-v1"
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("RolloutSucceeded") == ("True", "Promoted")
    assert world.aliases == {"serving": "1"}


def test_all_wanted_pods_must_be_ready() -> None:
    world = serving_world()
    world.autoscale(4)
    world.start_pods()
    train(world, "x")
    assert world.deployment("2").replicas == 4, "as many as the stable version has now"
    entry = world.deployment("2")
    world.deployments[entry.name] = replace(entry, ready=3, up_to_date=True)
    world.settle()
    assert world.selected == "1"
    world.start_pods()
    plan = world.reconcile()
    assert ("Service", "heart") in names(plan.apply)
    assert ("HorizontalPodAutoscaler", "heart") in names(plan.apply), "the autoscaler moves with the traffic"
    assert world.selected == "2"
    assert hpa_target(world) == "heart-v2"


def test_a_rollout_grows_with_the_stable_version() -> None:
    world = serving_world()
    train(world, "x")
    world.autoscale(5)
    plan = world.reconcile()
    assert plan.scale == (Scale("heart-v2", 5),)


def test_the_previous_version_stays_warm_then_goes() -> None:
    world = serving_world()
    world.settle()
    train(world, "x")
    bring_up(world)
    assert world.running_versions == {"1", "2"}
    assert world.model.status.previous
    assert world.aliases == {"serving": "2", "previous": "1"}
    world.autoscale(4)
    world.settle()
    assert world.deployment("1").replicas == 4, "it could take over at once"
    assert world.plan().requeue_after == 5, "the new pods are starting"
    world.start_pods()
    world.settle()
    assert world.plan().requeue_after == 30, "its successor is watched"
    world.pass_time(3599)
    world.settle()
    assert world.running_versions == {"1", "2"}
    world.pass_time(1)
    plan = world.reconcile()
    assert plan.delete == (ObjectKey("apps/v1", "Deployment", "heart-v1"),)
    world.settle()
    assert world.aliases == {"serving": "2"}


def test_a_lost_status_keeps_the_previous_version_warm() -> None:
    world = serving_world()
    train(world, "x")
    bring_up(world)
    world.wipe_status()
    world.settle()
    assert world.running_versions == {"1", "2"}
    assert world.model.status.previous
    assert world.model.status.previous.version == "1"


def test_a_version_that_never_gets_ready_is_rejected_for_good() -> None:
    world = serving_world()
    train(world, "x", starts=False)
    world.start_pods()
    assert world.plan().requeue_after == 5, "no watch says why its pods do not start"
    world.pass_time(59)
    world.settle()
    assert world.condition("RolloutSucceeded") == ("Unknown", "RollingOut")
    world.pass_time(1)
    world.settle()
    assert world.running_versions == {"1"}
    assert world.selected == "1"
    assert world.condition("RolloutSucceeded") == ("False", "ReadyDeadlineExceeded")
    assert "0 of 2 pods were ready 60s after their start (CrashLoopBackOff" in world.message("RolloutSucceeded")
    assert world.condition("Ready") == ("True", "Serving")
    assert world.tags == {"2": "ReadyDeadlineExceeded"}
    (entry,) = world.model.status.rejected
    assert (entry.version, entry.reason) == ("2", "ReadyDeadlineExceeded")
    for lose_status in (False, True):
        if lose_status:
            world.wipe_status()
        bring_up(world)
        assert world.running_versions == {"1"}
        assert sum(world.jobs_created.values()) == 2


def test_the_deadline_waits_while_mlflow_is_down() -> None:
    world = serving_world()
    train(world, "x", starts=False)
    world.registry_error = "connection refused"
    world.pass_time(600)
    world.settle()
    assert world.running_versions == {"1", "2"}, "its pods cannot fetch what MLflow does not give"
    assert not world.model.status.rejected


def test_the_first_version_goes_on_trying() -> None:
    world = World()
    world.settle()
    world.finish_job()
    world.settle()
    world.pass_time(600)
    world.settle()
    assert world.condition("RolloutSucceeded") == ("False", "ReadyDeadlineExceeded")
    assert world.condition("Ready") == ("False", "ReadyDeadlineExceeded")
    assert not world.model.status.rejected
    bring_up(world)
    assert world.selected == "1"


@pytest.mark.parametrize(("auc", "regression"), [(0.7, 0.0), (0.9, -0.1)])
def test_a_version_that_fails_its_gate_never_runs(auc: float, regression: float) -> None:
    world = serving_world()
    train(world, "x", auc=auc, regression=regression)
    bring_up(world)
    assert world.running_versions == {"1"}
    assert world.condition("GatePassed") == ("False", "GateFailed")
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("Progressing") == ("False", "GateFailed")
    assert world.model.status.gate == "Failed roc_auc"
    (entry,) = world.model.status.rejected
    assert (entry.version, entry.reason) == ("2", "GateFailed")
    assert world.tags["2"].startswith("GateFailed:")
    assert world.events[-1] == "GateFailed"


def test_a_version_is_judged_again_when_the_gates_change() -> None:
    world = serving_world()
    train(world, "x", auc=0.75)
    assert world.running_versions == {"1"}
    world.merge_spec({"gates": {"checks": [{"metric": "roc_auc", "min": 0.7}]}})
    bring_up(world)
    assert world.selected == "2"
    assert not world.model.status.rejected
    assert world.tags == {"2": ""}
    assert sum(world.jobs_created.values()) == 2


def test_stricter_gates_do_not_take_what_serves_away() -> None:
    world = serving_world()
    world.merge_spec({"gates": {"checks": [{"metric": "roc_auc", "min": 0.99}]}})
    bring_up(world)
    assert world.selected == "1"
    assert world.condition("GatePassed") == ("False", "GateFailed")
    assert world.condition("Ready") == ("True", "Serving")
    assert not world.model.status.rejected


def test_what_cannot_be_told_is_held_and_said() -> None:
    world = serving_world()
    train(world, "x", regression=-0.02)
    bring_up(world)
    assert world.running_versions == {"1"}
    assert world.condition("GatePassed") == ("Unknown", "InsufficientEvidence")
    assert world.condition("Progressing") == ("Unknown", "InsufficientEvidence")
    assert world.condition("Ready") == ("True", "Serving")
    assert world.model.status.gate == "Held roc_auc"
    assert world.model.status.candidate is None, "nothing of it is on its way"
    assert world.aliases == {"serving": "1"}
    checks = [check.dump() for check in world.model.spec.gates.checks]
    world.merge_spec({"gates": {"checks": checks, "onInsufficientEvidence": "Pass"}})
    bring_up(world)
    assert world.selected == "2"
    assert world.model.status.gate == "Passed 1/2"


def test_a_candidate_without_pods_is_none_once_its_gate_is_asked_anew_in_vain() -> None:
    world = serving_world()
    world.merge_spec({"serving": {"replicas": 0}})
    world.merge_spec({"gates": {"checks": [{"metric": "roc_auc", "min": 0.7}]}})
    train(world, "x", regression=-0.02)
    assert world.model.status.candidate
    assert world.condition("Progressing") == ("Unknown", "OnHold")
    world.merge_spec({"gates": {"checks": [{"metric": "roc_auc", "maxRegression": 0.02}]}})
    world.reconcile()
    assert world.model.status.candidate is None
    assert world.condition("Progressing") == ("Unknown", "InsufficientEvidence")


def test_an_unreadable_evaluation_promotes_nothing() -> None:
    world = serving_world()
    world.evaluation_error = "evaluation.json is not the file that the training wrote"
    train(world, "x")
    bring_up(world)
    assert world.running_versions == {"1"}
    assert world.condition("GatePassed") == ("Unknown", "EvaluationUnreadable")
    assert "is not the file that the training wrote" in world.message("GatePassed")
    assert world.plan().requeue_after == 30
    assert not world.model.status.rejected


def test_mlflow_going_down_stops_a_rollout_and_ends_nothing() -> None:
    world = serving_world()
    train(world, "x")
    world.registry_error = "connection refused"
    bring_up(world)
    assert world.selected == "1"
    assert world.running_versions == {"1", "2"}
    world.registry_error = None
    bring_up(world)
    assert world.selected == "2"


def test_a_version_that_the_registry_no_longer_lists_waits() -> None:
    world = serving_world()
    train(world, "x")
    del world.versions["2"]
    world.aliases.pop("candidate")
    bring_up(world)
    assert world.selected == "1"
    assert world.condition("Progressing") == ("Unknown", "OnHold")
    assert "the registry to list it" in world.message("Progressing")
    assert world.plan().requeue_after == 30


def test_a_newer_candidate_replaces_an_older_one() -> None:
    world = serving_world()
    train(world, "x", starts=False)
    assert world.running_versions == {"1", "2"}
    train(world, "y")
    assert world.running_versions == {"1", "3"}
    bring_up(world)
    assert world.selected == "3"


def test_a_candidate_goes_on_while_the_next_one_is_trained() -> None:
    world = serving_world()
    train(world, "x")
    world.retrain("y")
    bring_up(world)
    assert world.running_job()
    assert world.selected == "2"


def test_a_failed_training_brings_no_old_version_back() -> None:
    world = serving_world()
    train(world, "x")
    bring_up(world)
    world.merge_spec({"gates": {}})
    world.jobs = {name: job for name, job in world.jobs.items() if job.result and job.result.version == "1"}
    world.retrain("y")
    world.settle()
    world.fail_job()
    world.settle()
    del world.deployments["heart-v2"]
    bring_up(world)
    assert world.selected == "2"
    assert world.model.status.candidate is None


def test_a_rollout_is_left_alone_while_mlflow_is_down() -> None:
    world = serving_world()
    train(world, "x")
    world.retrain("y")
    world.settle()
    world.registry_error = "connection refused"
    world.finish_job()
    world.settle()
    assert world.running_versions == {"1", "2"}, "who knows whether version 3 will pass"


def test_a_deployment_with_other_bytes_is_replaced() -> None:
    world = serving_world()
    train(world, "x")
    name = world.deployment("2").name
    world.deployments[name] = replace(world.deployments[name], digest="sha256:" + "0" * 64, ready=2, up_to_date=True)
    plan = world.reconcile()
    assert [key.name for key in plan.delete if key.kind == "Deployment"] == [name]
    assert world.selected == "1"
    bring_up(world)
    assert world.selected == "2"
    assert world.deployment("2").digest == world.versions["2"].digest


def test_the_serving_versions_deployment_is_made_again() -> None:
    world = serving_world()
    world.deployments.clear()
    plan = world.reconcile()
    assert names(plan.create) == [("Deployment", "heart-v1")]
    assert world.condition("Ready") == ("False", "ReplicasUnavailable")
    assert world.condition("Available") == ("False", "NoServingVersion")
    bring_up(world)
    assert world.condition("Ready") == ("True", "Serving")


@pytest.mark.parametrize("kind", ["Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy"])
def test_a_deleted_child_is_made_again(kind: str) -> None:
    world = serving_world()
    before = dict(world.children)
    world.children = {key: child for key, child in world.children.items() if key.kind != kind}
    assert world.children != before
    world.settle()
    assert world.children == before


def test_an_edited_selector_is_set_right() -> None:
    world = serving_world()
    service = world.child("Service")
    assert service
    service["spec"]["selector"]["heartops.dev/model-version"] = "99"
    world.settle()
    assert world.selected == "1"


# --- how many pods -------------------------------------------------------------------------------


def test_a_fixed_number_is_the_operators_to_keep() -> None:
    world = serving_world()
    world.merge_spec({"serving": {"replicas": 4}})
    plan = world.reconcile()
    assert [key.kind for key in plan.delete] == ["HorizontalPodAutoscaler"]
    assert plan.scale == (), "one owner at a time: first the autoscaler goes"
    plan = world.reconcile()
    assert plan.scale == (Scale("heart-v1", 4),)
    bring_up(world)
    assert world.model.status.replicas == 4


def test_the_autoscalers_number_is_left_alone() -> None:
    world = serving_world()
    world.autoscale(5)
    world.start_pods()
    for _ in range(3):
        assert world.reconcile().scale == ()
    assert world.model.status.replicas == 5


def test_zero_pods_and_back() -> None:
    world = serving_world()
    world.merge_spec({"serving": {"replicas": 0}})
    bring_up(world)
    assert world.deployment("1").replicas == 0
    assert world.condition("Available") == ("False", "NoServingVersion")
    assert world.condition("Ready") == ("True", "Serving")
    world.merge_spec({"serving": {"autoscaling": {"minReplicas": 3}}})
    bring_up(world)
    assert world.deployment("1").replicas == 3, "an autoscaler does not start from 0 by itself"
    assert world.condition("Available") == ("True", "Serving")


def test_nothing_is_promoted_unproven_at_zero_pods() -> None:
    world = serving_world()
    world.merge_spec({"serving": {"replicas": 0}})
    bring_up(world)
    train(world, "x")
    bring_up(world)
    assert world.selected == "1"
    assert world.condition("Progressing") == ("Unknown", "OnHold")
    assert "spec.serving.replicas to be above 0" in world.message("Progressing")
    world.merge_spec({"serving": {"replicas": 1}})
    bring_up(world)
    assert world.selected == "2"


# --- optional children ----------------------------------------------------------------------------


def test_what_is_switched_off_is_removed() -> None:
    world = serving_world()
    world.merge_spec({"serving": {"ingress": {"className": "nginx", "host": "heart.example.org"}}})
    world.settle()
    assert world.child("Ingress")
    assert world.child("ServiceMonitor")
    assert world.condition("MonitoringConfigured") == ("True", "MonitoringApplied")
    world.merge_spec({"serving": {}, "monitoring": {"serviceMonitor": False}})
    world.settle()
    kinds = {key.kind for key in world.children}
    assert not kinds & {"Ingress", "ServiceMonitor", "PrometheusRule"}
    assert world.condition("MonitoringConfigured") == ("False", "MonitoringDisabled")


def test_a_cluster_without_prometheus_operator_is_told() -> None:
    world = serving_world(kinds=frozenset())
    assert world.condition("MonitoringConfigured") == ("False", "MonitoringUnavailable")
    assert world.condition("Ready") == ("True", "Serving")


# --- history and quiet ----------------------------------------------------------------------------


def test_history_says_who_served_when() -> None:
    world = serving_world()
    train(world, "x")
    world.pass_time(30)
    bring_up(world)
    first, second = world.model.status.history
    assert (first.version, second.version) == ("1", "2")
    assert first.until == second.from_
    assert second.until is None


def test_history_is_bounded() -> None:
    world = serving_world()
    world.merge_spec({"rollout": {"steps": [], "historyLimit": 2}})
    for value in "abc":
        train(world, value)
        bring_up(world)
    assert [entry.version for entry in world.model.status.history] == ["3", "4"]


def test_at_rest_nothing_is_written_and_nothing_is_said() -> None:
    world = serving_world()
    writes, told = world.writes, list(world.events)
    for _ in range(5):
        world.pass_time(3600)
        plan = world.reconcile()
        assert plan.requeue_after is None
    assert world.writes == writes
    assert world.events == told


def test_each_step_is_told_once() -> None:
    world = serving_world()
    assert world.events == ["TrainingStarted", "TrainingSucceeded", "GatePassed", "RollingOut", "Promoted"]


def test_times_move_with_the_status_alone() -> None:
    world = serving_world()
    before = {entry.type: entry for entry in world.model.status.conditions}
    world.pass_time(100)
    world.registry_error = "connection refused"
    world.settle()
    after = {entry.type: entry for entry in world.model.status.conditions}
    assert after["Available"] == before["Available"]
    assert after["Progressing"].last_transition_time > before["Progressing"].last_transition_time
