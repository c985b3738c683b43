"""A HeartModel that is deleted without its children and applied again, as after a restore: it takes them over."""

from typing import Any

import pytest

from heart_api.kube.kinds import BY_NAME, DEPLOYMENT, HEART_MODEL, SERVICE, SERVICE_ACCOUNT
from heart_api.names import FIELD_MANAGER, Label
from tests.support.apiserver.client import Resource, poll
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api

CONFIG_MAP = BY_NAME["v1", "ConfigMap"]
SECONDS = 75


def uids(world: World) -> dict[tuple[str, str], str]:
    kinds = {kind.kind: kind for kind in BY_NAME.values()}
    return {(kind, name): world.child(kinds[kind], name)["metadata"]["uid"] for kind, name in world.children()}


def adopted(world: World) -> bool:
    return world.owners() == {world.model()["metadata"]["uid"]}


def test_a_model_that_comes_back_serves_all_the_time_and_trains_nothing(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1", seconds=SECONDS)
        world.settle()
        before, service = uids(world), world.child(SERVICE, "heart")
        world.orphan()
        world.create()
        poll("all children are adopted", lambda: adopted(world), SECONDS)
        world.wait_serving("1", seconds=SECONDS)
        world.settle()
        assert uids(world) == before, "nothing was made anew"
        assert world.child(SERVICE, "heart")["spec"] == service["spec"]
        assert len(world.jobs()) == 1
        assert world.deployments()["1"]["metadata"]["generation"] <= 3
        assert world.condition("Trained")["status"] == "True"
        world.settle(3)
        world.api.delete(HEART_MODEL, world.namespace, "heart")
        poll("the garbage collector removes the children", lambda: not world.children(), SECONDS)


def test_owner_references_to_the_dead_model_are_replaced(world: World) -> None:
    """A backup tool restores them as they were; that the model had another uid does not help anybody."""
    with world.start():
        world.create()
        world.wait_serving("1", seconds=SECONDS)
        world.settle()
    dead = {
        "apiVersion": HEART_MODEL.api_version,
        "kind": HEART_MODEL.kind,
        "name": "heart",
        "uid": "11111111-2222-3333-4444-555555555555",
        "controller": True,
    }
    world.orphan()
    world.create()
    with world.start("operator-b"):
        patch = {"metadata": {"ownerReferences": [dead]}}
        world.api.patch(SERVICE_ACCOUNT, world.namespace, "heart-model", patch)
        poll("all children are adopted", lambda: adopted(world), SECONDS)
        world.wait_serving("1", seconds=SECONDS)


def stranger(kind: Any, name: str, owners: list[Resource], labels: dict[str, str], **content: Any) -> Resource:
    metadata = {"name": name, "labels": labels, "ownerReferences": owners}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **content}


def refused(world: World, item: Resource) -> None:
    """The object stands in the way, the status says so, and the object is not touched."""
    kind = BY_NAME[item["apiVersion"], item["kind"]]
    item["metadata"]["namespace"] = world.namespace
    made = world.api.create(kind, item)
    world.create()
    found = world.wait_condition("Ready", "False", "ApplyFailed", seconds=SECONDS)
    assert item["metadata"]["name"] in found["message"]
    left = world.child(kind, item["metadata"]["name"])
    assert left["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_what_belongs_to_somebody_else_is_never_touched(world: World) -> None:
    labels = {Label.MODEL: "heart", Label.MANAGED_BY: FIELD_MANAGER}
    with world.start():
        other = world.create("other")
        about = {"apiVersion": HEART_MODEL.api_version, "kind": HEART_MODEL.kind, "name": "other"}
        owners = [about | {"uid": other["metadata"]["uid"], "controller": True}]
        refused(world, stranger(SERVICE_ACCOUNT, "heart-model", owners, labels))


def test_what_does_not_carry_our_labels_is_never_touched(world: World) -> None:
    with world.start():
        refused(world, stranger(SERVICE_ACCOUNT, "heart-model", [], {Label.MODEL: "heart"}))


def test_a_tenants_objects_under_our_labels_give_them_nothing(world: World) -> None:
    """They were made before the model: nothing of their content is kept, and nothing else is touched."""
    labels = {Label.MODEL: "heart", Label.MANAGED_BY: FIELD_MANAGER}
    serving = labels | {Label.MODEL_VERSION: "1", Label.COMPONENT: "serving"}
    match = {Label.MODEL: "heart", Label.COMPONENT: "serving", Label.MODEL_VERSION: "1"}
    pod = {"hostNetwork": True, "containers": [{"name": "evil", "image": "evil:1"}]}
    spec = {"replicas": 0, "selector": {"matchLabels": match}, "template": {"metadata": {"labels": match}, "spec": pod}}
    for item in (
        stranger(SERVICE_ACCOUNT, "heart-model", [], labels, imagePullSecrets=[{"name": "evil"}]),
        stranger(CONFIG_MAP, "heart-mirror", [], labels, data={"evil": "1"}),
        stranger(CONFIG_MAP, "settings", [], labels, data={"kept": "1"}),
        stranger(DEPLOYMENT, "heart-v1", [], serving, spec=spec),
    ):
        item["metadata"]["namespace"] = world.namespace
        world.api.create(BY_NAME[item["apiVersion"], item["kind"]], item)
    with world.start():
        world.create()
        world.wait_serving("1", seconds=SECONDS)
        world.settle()
        assert "evil" not in str(world.child(SERVICE_ACCOUNT, "heart-model").get("imagePullSecrets"))
        assert "evil" not in world.child(CONFIG_MAP, "heart-mirror")["data"]
        assert world.child(CONFIG_MAP, "settings")["data"] == {"kept": "1"}
        made = world.deployments()["1"]["spec"]["template"]["spec"]
        assert [container["name"] for container in made["containers"]] == ["server"]
        assert not made.get("hostNetwork")
