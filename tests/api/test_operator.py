"""The operator on a real API server: what a person sees after `kubectl apply`, from training to serving.

The controllers are real, so Jobs and Deployments make pods; a fake kubelet says how these fare.
"""

import json

import pytest

from heart_api.handover import Env, TrainingRequest
from heart_api.kube.kinds import HEART_MODEL
from heart_api.names import Annotation
from tests.support.apiserver.client import poll
from tests.support.apiserver.fake_kubelet import failing
from tests.support.apiserver.world import PROFILES, World

pytestmark = pytest.mark.api


def test_apply_ends_in_a_version_that_serves(world: World) -> None:
    with world.start() as operator:
        world.create()
        world.wait_serving("1")
        status = world.status()
        assert world.selected() == "1"
        assert {kind for kind, _ in world.children()} == {
            *("Job", "Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy", "ConfigMap"),
            *("ServiceMonitor", "PrometheusRule"),
        }
        assert status["serving"]["readyReplicas"] == 2
        assert status["observedGeneration"] == world.model()["metadata"]["generation"]
        assert world.condition("Available")["status"] == "True"
        poll(
            "the alias in the registry", lambda: world.registry.aliases(f"{world.namespace}.heart") == {"serving": "1"}
        )
        for reason in ("TrainingStarted", "TrainingSucceeded", "GatePassed", "Promoted"):
            world.wait_event(reason)
        reasons = world.event_reasons()
        assert sorted(reasons) == sorted(set(reasons)), "an event was written twice"
        track = f'heartops_model_track{{model="heart",namespace="{world.namespace}",track="stable",version="1"}}'
        operator.wait_metric(track, 1)
        labels = f'model="heart",namespace="{world.namespace}"'
        operator.wait_metric(f'heartops_trainings_total{{{labels},result="succeeded",trigger="spec"}}', 1)
        operator.wait_metric(f'heartops_rollouts_total{{{labels},result="promoted"}}', 1)
        operator.wait_metric(f"heartops_training_duration_seconds_count{{{labels}}}", 1)
        operator.wait_metric(f"heartops_lead_time_seconds_count{{{labels}}}", 1)
        assert operator.metric(f"heartops_time_to_restore_seconds_count{{{labels}}}") == 0
        operator.wait_metric("heartops_is_leader", 1)
        assert operator.metric("heartops_reconcile_errors_total") == 0
        assert operator.fetch("/livez") == "ok\n"


def test_the_training_job_gets_the_whole_request(world: World) -> None:
    world.kubelet.train = lambda request: None
    with world.start():
        world.create()
        job = poll("a training Job", world.jobs)[0]
        container = job["spec"]["template"]["spec"]["containers"][0]
        environment = {entry["name"]: entry.get("value", "") for entry in container["env"]}
        request = TrainingRequest.model_validate(json.loads(environment[Env.TRAINING_REQUEST]))
        assert (request.namespace, request.name, request.job) == (world.namespace, "heart", job["metadata"]["name"])
        assert request.dataset.uri == "https://example.org/heart.csv"
        assert [feature.name for feature in request.features] == ["age", "sex"]
        assert environment[Env.TRACKING_URI] == PROFILES["default"]["trackingUri"]
        assert container["image"] == "trainer:1"
        world.wait_condition("Trained", "Unknown", "TrainingStarted")


def test_a_version_that_fails_its_gate_is_never_served(world: World) -> None:
    world.registry.auc = 0.71
    with world.start() as operator:
        world.create()
        world.wait_condition("GatePassed", "False", "GateFailed")
        rejected = poll("a rejection", lambda: world.status().get("rejected"))
        assert rejected[0]["version"] == "1"
        assert "0.71" in rejected[0]["message"]
        assert not world.deployments()
        assert world.condition("Ready")["status"] == "False"
        assert world.condition("Available")["status"] == "False"
        labels = f'model="heart",namespace="{world.namespace}"'
        operator.wait_metric(f'heartops_rollouts_total{{{labels},result="gate_failed"}}', 1)
        assert operator.metric(f'heartops_rollouts_total{{{labels},result="rejected"}}') == 0


def test_a_changed_gate_is_applied_without_training_again(world: World) -> None:
    world.registry.auc = 0.71
    with world.start():
        world.create()
        world.wait_condition("GatePassed", "False", "GateFailed")
        world.edit({"gates": {"checks": [{"metric": "roc_auc", "min": 0.7}]}})
        world.wait_serving("1")
        assert len(world.jobs()) == 1


def test_a_failed_training_says_why_and_what_to_do(world: World) -> None:
    world.kubelet.train = failing("DataInvalid", "column age: 3 rows are above 120; mend the file or the contract")
    with world.start():
        world.create()
        trained = world.wait_condition("Trained", "False")
        assert trained["reason"] == "DataInvalid"
        assert "column age" in trained["message"]
        assert not world.deployments()
        assert len(world.jobs()) == 1


def test_a_candidate_that_is_never_ready_leaves_the_serving_version_alone(world: World) -> None:
    with world.start():
        world.create(rollout={"readyDeadline": "3s"})
        world.wait_serving("1")
        world.kubelet.fates["2"] = "crash"
        before = world.deployments()["1"]
        world.edit({"training": {"seed": 7}})
        world.wait_condition("RolloutSucceeded", "False", "ReadyDeadlineExceeded", seconds=40)
        rejected = poll("a rejection", lambda: world.status().get("rejected"))[0]
        assert (rejected["version"], rejected["reason"]) == ("2", "ReadyDeadlineExceeded")
        assert "CrashLoopBackOff" in rejected["message"]
        assert world.selected() == "1"
        assert world.deployments()["1"]["spec"] == before["spec"]
        assert world.condition("Available")["status"] == "True"


def test_an_edit_of_what_is_learnt_trains_and_rolls_out(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.edit({"training": {"seed": 7}})
        world.wait_serving("2", seconds=40)
        assert world.selected() == "2"
        assert world.status()["previous"]["version"] == "1"
        assert [entry["version"] for entry in world.status()["history"]] == ["1", "2"]
        aliases = {"serving": "2", "previous": "1"}
        poll("the aliases in the registry", lambda: world.registry.aliases(f"{world.namespace}.heart") == aliases)


def test_an_edit_during_a_training_replaces_it(world: World) -> None:
    train = world.registry.train
    world.kubelet.train = lambda request: train(request) if request.training.seed == 7 else None
    with world.start():
        world.create()
        first = poll("a training Job", world.jobs)[0]["metadata"]["name"]
        world.edit({"training": {"seed": 7}})
        world.wait_serving("1")
        assert first not in [job["metadata"]["name"] for job in world.jobs()]
        assert len(world.registry.versions[f"{world.namespace}.heart"]) == 1


def test_a_new_value_of_the_annotation_trains_once(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        annotations = {"metadata": {"annotations": {Annotation.RETRAIN: "monday"}}}
        world.api.patch(HEART_MODEL, world.namespace, "heart", annotations)
        world.wait_serving("2", seconds=40)
        assert len(world.registry.versions[f"{world.namespace}.heart"]) == 2


def test_an_operator_of_one_namespace_leaves_others_alone(world: World) -> None:
    with world.start(namespaces=("somewhere-else",)) as elsewhere:
        poll("it leads", lambda: elsewhere.metric("heartops_is_leader") == 1)
        world.create()
        world.wait_silence()
        assert world.writes() == []
    with world.start(namespaces=("somewhere-else", world.namespace)):
        world.wait_serving("1")
