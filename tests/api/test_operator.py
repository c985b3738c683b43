"""The operator on a real API server: what a person sees after `kubectl apply`, and after things go wrong.

The controllers are real, so Jobs and Deployments make pods; a fake kubelet says how these fare.
"""

import json
import time

import pytest

from heart_operator.api.handover import Env, TrainingRequest
from heart_operator.api.names import Annotation, Label
from heart_operator.kinds import BY_NAME, DEPLOYMENT, HEART_MODEL, SERVICE
from tests.support.fake_kubelet import failing
from tests.support.kube_api import Resource, poll
from tests.support.operator_world import PROFILES, World

pytestmark = pytest.mark.api

RESTORED = 15
"""Seconds within which a deleted or edited child is as it was."""


def test_apply_ends_in_a_version_that_serves(world: World) -> None:
    with world.start() as operator:
        world.create()
        world.wait_serving("1")
        status = world.status()
        assert world.selected() == "1"
        assert {kind for kind, _ in world.children()} == {
            *("Job", "Deployment", "Service", "ServiceAccount", "PodDisruptionBudget", "NetworkPolicy"),
            *("ServiceMonitor", "PrometheusRule"),
        }
        assert status["serving"]["readyReplicas"] == 2
        assert status["observedGeneration"] == world.model()["metadata"]["generation"]
        assert world.condition("Available")["status"] == "True"
        poll(
            "the alias in the registry", lambda: world.registry.aliases(f"{world.namespace}.heart") == {"serving": "1"}
        )
        told = world.event_reasons()
        assert sorted(told) == sorted(set(told)), "an event was told twice"
        assert {"TrainingStarted", "TrainingSucceeded", "GatePassed", "Promoted"} <= set(told)
        track = f'heartops_model_track{{model="heart",namespace="{world.namespace}",track="stable",version="1"}}'
        assert operator.metric(track) == 1
        assert operator.metric('heartops_trainings_total{result="succeeded",trigger="spec"}') >= 1
        assert operator.metric('heartops_rollouts_total{result="promoted"}') >= 1
        assert operator.metric("heartops_is_leader") == 1
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
        assert operator.metric('heartops_rollouts_total{result="rejected"}') >= 1


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
        world.wait_condition("RolloutSucceeded", "False", "NeverReady", seconds=40)
        rejected = poll("a rejection", lambda: world.status().get("rejected"))[0]
        assert (rejected["version"], rejected["reason"]) == ("2", "NeverReady")
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


def test_a_new_value_of_the_annotation_trains_once(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        annotations = {"metadata": {"annotations": {Annotation.RETRAIN: "monday"}}}
        world.api.patch(HEART_MODEL, world.namespace, "heart", annotations)
        world.wait_serving("2", seconds=40)
        assert len(world.registry.versions[f"{world.namespace}.heart"]) == 2


def test_deleted_children_come_back(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        before = {child for child in world.children() if child[0] != "Job"}
        by_kind = {kind.kind: kind for kind in BY_NAME.values()}
        for kind, name in before:
            world.api.delete(by_kind[kind], world.namespace, name)
        poll(f"{before} are back", lambda: before <= world.children(), RESTORED)
        world.wait_serving("1")
        assert len(world.registry.versions[f"{world.namespace}.heart"]) == 1, "a lost child must not start a training"


EDITS: dict[str, Resource] = {
    "Service": {"spec": {"selector": {Label.MODEL_VERSION: "9"}}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 2}},
    "NetworkPolicy": {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 99}},
    "ServiceMonitor": {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
    "PrometheusRule": {"spec": {"groups": []}},
    "ServiceAccount": {"automountServiceAccountToken": True},
}


def test_edited_children_are_mended(world: World) -> None:
    with world.start():
        world.create(serving={"autoscaling": {"minReplicas": 1, "maxReplicas": 4}})
        world.wait_serving("1")
        wanted = {}
        for kind, name in sorted(world.children()):
            if kind in EDITS:
                wanted[kind, name] = world.child(kind_named(kind), name)
                world.api.patch(kind_named(kind), world.namespace, name, EDITS[kind])
        assert {kind for kind, _ in wanted} == set(EDITS)
        for (kind, name), before in wanted.items():
            poll(
                f"{kind} is as it was",
                lambda k=kind, n=name, b=before: same(world.child(kind_named(k), n), b),
                RESTORED,
            )


def test_a_child_that_lost_its_label_is_found_again(world: World) -> None:
    with world.start(resync_seconds=2):
        world.create()
        world.wait_serving("1")
        world.api.patch(SERVICE, world.namespace, "heart", {"metadata": {"labels": {Label.MODEL: None}}})
        poll(
            "the label is back",
            lambda: world.child(SERVICE, "heart")["metadata"]["labels"].get(Label.MODEL) == "heart",
            RESTORED,
        )


def test_the_count_that_an_autoscaler_chose_is_left_alone(world: World) -> None:
    with world.start():
        world.create(serving={"autoscaling": {"minReplicas": 1, "maxReplicas": 6}})
        world.wait_serving("1")
        name = world.deployments()["1"]["metadata"]["name"]
        world.api.patch(DEPLOYMENT, world.namespace, name, {"spec": {"replicas": 4}}, "scale")
        poll("four ready pods are reported", lambda: world.status()["serving"]["readyReplicas"] == 4)
        world.edit({"gates": {"checks": []}})
        generation = world.model()["metadata"]["generation"]
        poll("the edit is seen", lambda: world.status()["observedGeneration"] == generation)
        assert world.deployments()["1"]["spec"]["replicas"] == 4


def test_kubectl_scale_changes_a_fixed_count(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.api.patch(HEART_MODEL, world.namespace, "heart", {"spec": {"replicas": 3}}, "scale")
        poll("three pods", lambda: world.deployments()["1"]["spec"]["replicas"] == 3)
        world.wait_serving("1")


def test_a_wiped_status_is_worked_out_again(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        before = world.status()
        whole = world.model() | {"status": {}}
        world.api.call("PUT", HEART_MODEL.path(world.namespace, "heart", "status"), whole)
        world.wait_serving("1")
        after = world.status()
        assert after["serving"]["digest"] == before["serving"]["digest"]
        assert world.selected() == "1"
        assert len(world.jobs()) == 1


def test_nothing_is_written_once_all_is_done(world: World) -> None:
    with world.start(resync_seconds=1):
        for number in range(3):
            world.create(f"heart-{number}")
        for number in range(3):
            world.wait_serving("1", f"heart-{number}")
        settle(world)
        before = world.writes()
        time.sleep(8)
        assert world.writes() == before


def test_an_operator_that_starts_late_finds_what_happened(world: World) -> None:
    world.kubelet.train = lambda request: None
    with world.start():
        world.create()
        poll("a training Job", world.jobs)
    world.kubelet.train = world.registry.train
    poll("the training ended meanwhile", lambda: world.jobs()[0]["status"].get("succeeded"))
    with world.start(pod="operator-b"):
        world.wait_serving("1")
        assert len(world.jobs()) == 1


def test_an_operator_that_is_cut_off_anywhere_loses_and_repeats_nothing(world: World) -> None:
    world.create()
    for _ in range(12):
        with world.start() as operator:
            time.sleep(0.15)
            operator.kill()
    with world.start():
        world.wait_serving("1")
        settle(world)
    assert len(world.jobs()) == 1
    assert len(world.registry.versions[f"{world.namespace}.heart"]) == 1
    created = [write for write in world.writes() if write.startswith("create") and "events" not in write]
    assert len(created) == len(set(created)), "something was created twice"


def test_of_two_operators_one_acts_and_the_other_takes_over(world: World) -> None:
    with world.start("operator-a") as first:
        poll("the first leads", lambda: first.metric("heartops_is_leader") == 1)
        with world.start("operator-b") as second:
            world.create()
            world.wait_serving("1")
            assert second.metric("heartops_is_leader") == 0
            assert second.metric("heartops_reconcile_duration_seconds_count") == 0
            assert second.fetch("/readyz") == "ok\n"
            first.stop()
            poll("the second leads", lambda: second.metric("heartops_is_leader") == 1, 5)
            world.edit({"training": {"seed": 7}})
            world.wait_serving("2", seconds=40)
    assert len(world.registry.versions[f"{world.namespace}.heart"]) == 2


def test_deleting_the_model_deletes_everything(world: World) -> None:
    with world.start() as operator:
        world.create()
        world.wait_serving("1")
        assert not world.model()["metadata"].get("finalizers")
        world.api.delete(HEART_MODEL, world.namespace, "heart")
        poll("all children are gone", lambda: not world.children(), 30)
        poll("its metrics are gone", lambda: f'namespace="{world.namespace}"' not in operator.fetch("/metrics"))


def test_a_model_made_anew_under_its_old_name_starts_anew(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        old = world.model()["metadata"]["uid"]
        world.api.delete(HEART_MODEL, world.namespace, "heart")
        world.create()
        world.wait_serving("2", seconds=40)
        new = world.model()["metadata"]["uid"]
        assert new != old
        poll("the old children are gone", lambda: owners(world) == {new}, 30)
        assert world.selected() == "2"


def test_one_bad_model_does_not_stop_the_others(world: World) -> None:
    theirs = {"spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}}
    meta = {"metadata": {"namespace": world.namespace, "name": "poison"}}
    foreign = world.api.create(SERVICE, {"apiVersion": "v1", "kind": "Service", **meta, **theirs})
    with world.start() as operator:
        world.create("poison")
        names = [f"healthy-{number}" for number in range(5)]
        for name in names:
            world.create(name)
        for name in names:
            world.wait_serving("1", name, seconds=40)
        refused = world.wait_condition("Ready", "False", "ActionRefused", name="poison")
        assert "Service poison" in refused["message"]
        assert world.child(SERVICE, "poison")["metadata"]["uid"] == foreign["metadata"]["uid"]
        assert world.selected("poison") is None
        assert operator.metric("heartops_reconcile_errors_total") > 0
        world.api.delete(SERVICE, world.namespace, "poison")
        world.wait_serving("1", "poison", seconds=60)


def test_with_mlflow_down_what_serves_goes_on(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        settle(world)
        before = world.deployments()["1"]["spec"]
        world.registry.down = True
        world.edit({"training": {"seed": 7}})
        world.wait_condition("Progressing", "Unknown", "RegistryUnavailable", seconds=30)
        assert world.condition("Available")["status"] == "True"
        assert world.selected() == "1"
        assert world.deployments()["1"]["spec"] == before
        world.registry.down = False
        world.wait_serving("2", seconds=60)


def test_a_registry_that_was_emptied_starts_no_training(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.registry.versions.clear()
        world.registry.models.clear()
        world.wait_condition("Ready", "False", "RegistryLost", seconds=30)
        assert world.selected() == "1"
        assert len(world.jobs()) == 1


def test_a_new_runtime_profile_counts_without_a_restart(world: World) -> None:
    with world.start():
        world.create(runtime="gpu")
        refused = world.wait_condition("Ready", "False", "InvalidSpec")
        assert "spec.runtime" in refused["message"]
        assert not world.jobs()
        world.profiles.write_text(json.dumps(PROFILES | {"gpu": PROFILES["default"]}))
        world.wait_serving("1", seconds=30)


def kind_named(name: str):
    return next(kind for kind in BY_NAME.values() if kind.kind == name)


def same(living: Resource, before: Resource) -> bool:
    """Equal but for what every write changes."""
    volatile = {"metadata", "status"}
    return {key: value for key, value in living.items() if key not in volatile} == {
        key: value for key, value in before.items() if key not in volatile
    }


def owners(world: World) -> set[str]:
    found = set()
    for kind, name in world.children():
        item = world.api.get(kind_named(kind), world.namespace, name)
        found |= {owner["uid"] for owner in (item or {"metadata": {}})["metadata"].get("ownerReferences", ())}
    return found


def settle(world: World, quiet: float = 2) -> None:
    """Until the operator has written nothing for some seconds."""
    last, since = len(world.writes()), time.monotonic()

    def calm() -> bool:
        nonlocal last, since
        if (now := len(world.writes())) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > quiet

    poll("the operator stops writing", calm, 30)
