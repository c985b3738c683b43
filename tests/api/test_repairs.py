"""What is edited, deleted or wiped is as it was soon after, and what others own is left alone."""

import pytest

from heart_api.kube.kinds import DEPLOYMENT, HEART_MODEL, SERVICE
from heart_api.names import Label
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.world import CRASHING, World, kind_named

pytestmark = pytest.mark.api

RESTORED = 15
"""Seconds within which a deleted or edited child is as it was."""


def test_deleted_children_come_back(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        before = {child for child in world.children() if child[0] != "Job"}
        for kind, name in before:
            world.api.delete(kind_named(kind), world.namespace, name)
        poll(f"{before} are back", lambda: before <= world.children(), RESTORED)
        world.wait_serving("1")
        assert len(world.registry.versions[f"{world.namespace}.heart"]) == 1, "a lost child must not start a training"


EDITS: dict[str, Resource] = {
    "Deployment": {"spec": {"template": {"spec": CRASHING}}},
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


def same(living: Resource, before: Resource) -> bool:
    """Equal but for what every write changes."""
    volatile = {"metadata", "status"}
    return {key: value for key, value in living.items() if key not in volatile} == {
        key: value for key, value in before.items() if key not in volatile
    }
