"""Children that lost their HeartModel: which are taken over, and what is kept of them."""

import copy
from typing import Any

import pytest

from heart_api.kube.values import ObjectKey
from heart_api.names import training_job_name
from heart_operator.plan.objects.adoption import is_orphan
from tests.support.plan.world import World, bring_up, heart_model, serving_world

MODEL = heart_model()
OLD, MADE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
LABELS = {"heartops.dev/model": "heart", "app.kubernetes.io/managed-by": "heartops"}
DEAD = {"apiVersion": "heartops.dev/v1alpha1", "kind": "HeartModel", "name": "heart", "uid": "gone", "controller": True}


def found(kind: str = "ServiceAccount", name: str = "heart-model", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "labels": LABELS, "creationTimestamp": OLD} | metadata,
    }


@pytest.mark.parametrize(
    "item",
    [
        found(),
        found(ownerReferences=[DEAD]),
        found("Service", "heart"),
        found("ConfigMap", "heart-mirror"),
        found("NetworkPolicy", "heart-serving"),
        found("Deployment", "heart-v3", labels=LABELS | {"heartops.dev/model-version": "3"}),
        found("Job", training_job_name("heart", "old", "t"), annotations={"heartops.dev/trigger": "t"}),
    ],
)
def test_what_is_ours_and_has_no_living_owner_is_an_orphan(item: dict[str, Any]) -> None:
    assert is_orphan(item, MODEL, MADE)


@pytest.mark.parametrize(
    "item",
    [
        found(labels={}),
        found(labels={"heartops.dev/model": "heart"}),
        found(labels=LABELS | {"heartops.dev/model": "other"}),
        found(deletionTimestamp="2026-01-01T00:00:00Z"),
        found(ownerReferences=[DEAD | {"uid": MODEL.uid}]),
        found(ownerReferences=[DEAD | {"name": "other"}]),
        found(ownerReferences=[DEAD | {"kind": "RetrainSchedule"}]),
        found(ownerReferences=[{"apiVersion": "apps/v1", "kind": "Deployment", "name": "heart", "uid": "d"}]),
        found(ownerReferences=[DEAD, {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c"}]),
        found(name="default"),
        found("ConfigMap", "settings"),
        found("Deployment", "heart", labels=LABELS | {"heartops.dev/model-version": "3"}),
        found("Deployment", "heart-v3"),
        found("Job", training_job_name("heart", "old", "t")),
        found("Job", "cleanup", annotations={"heartops.dev/trigger": "t"}),
        found(
            "Job",
            training_job_name("heart", "old", "t"),
            annotations={"heartops.dev/trigger": "t"},
            creationTimestamp=MADE,
        ),
    ],
)
def test_everything_else_is_left_alone(item: dict[str, Any]) -> None:
    assert not is_orphan(item, MODEL, MADE)


def test_a_long_models_jobs_are_known_by_what_is_left_of_its_name() -> None:
    model = heart_model(name="h" * 60)
    job = found("Job", training_job_name(model.name, "old", "t"), annotations={"heartops.dev/trigger": "t"})
    job["metadata"]["labels"] = LABELS | {"heartops.dev/model": model.name}
    assert is_orphan(job, model, MADE)


def orphaned() -> World:
    world = serving_world()
    world.orphan()
    return world


def test_a_model_that_comes_back_takes_its_children_over() -> None:
    world = orphaned()
    service = copy.deepcopy(world.child("Service"))
    served: list[set[str]] = []
    world.watchers.append(lambda world: served.append(world.answering))
    world.settle()
    bring_up(world)
    assert not world.orphans
    assert sum(world.jobs_created.values()) == 1, "nothing is trained anew"
    assert world.condition("Ready") == ("True", "Serving")
    assert world.model.status.serving
    assert world.model.status.serving.version == "1"
    assert all(answering == {"1"} for answering in served), "it serves all the time"
    assert service
    assert world.child("Service")["spec"] == service["spec"]  # type: ignore[index]
    owners = [item["metadata"]["ownerReferences"] for item in (*world.children.values(), *world.templates.values())]
    assert {reference["uid"] for references in owners for reference in references} == {"u-2"}


def test_a_training_that_runs_is_taken_over_and_not_begun_again() -> None:
    world = World()
    world.settle()
    world.orphan()
    world.settle()
    world.finish_job()
    bring_up(world)
    assert sum(world.jobs_created.values()) == 1
    assert world.condition("Ready") == ("True", "Serving")


def test_nothing_is_kept_of_what_somebody_put_into_an_orphan() -> None:
    world = orphaned()
    name = world.deployment("1").name
    evil = world.templates[name]
    evil["metadata"]["annotations"].pop("heartops.dev/applied")
    evil["spec"]["template"]["spec"]["hostNetwork"] = True
    evil["spec"]["template"]["spec"]["containers"].append({"name": "evil", "image": "evil:1"})
    account = world.child("ServiceAccount", "heart-model")
    assert account
    account["imagePullSecrets"] = [{"name": "evil"}]
    account["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": "evil"}
    config = world.child("ConfigMap", "heart-mirror")
    assert config
    config["data"]["evil"] = "1"
    world.settle()
    assert "evil" not in str(world.children.values())
    pod = world.templates[name]["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == ["server"]
    assert "hostNetwork" not in pod


def test_a_deployment_is_not_adopted_while_nobody_can_say_how_it_is_built() -> None:
    world = orphaned()
    world.profile = None
    world.reconcile()
    assert ObjectKey("apps/v1", "Deployment", "heart-v1") in world.orphans
    assert world.answering == {"1"}


def test_the_counts_and_addresses_that_others_decided_stay() -> None:
    world = orphaned()
    service, deployment = world.child("Service"), world.templates["heart-v1"]
    assert service
    service["spec"] |= {"clusterIP": "10.0.0.7", "externalIPs": ["198.51.100.1"]}
    deployment["spec"]["replicas"] = 4
    patches = {adopt.key.kind: adopt.patch for adopt in world.plan().adopt if adopt.key.name in ("heart", "heart-v1")}
    specs = {kind: next((op["value"] for op in patch if op["path"] == "/spec"), {}) for kind, patch in patches.items()}
    assert specs["Service"]["clusterIP"] == "10.0.0.7"
    assert "externalIPs" not in specs["Service"]
    assert specs["Deployment"]["replicas"] == 4
