"""Restarts, a second replica, namesakes, outages: nothing is lost, nothing is done twice."""

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from heart_api.kube.kinds import HEART_MODEL, SERVICE
from tests.support.apiserver.client import poll
from tests.support.apiserver.world import PROFILES, World
from tests.support.registry.fake import FakeRegistry
from tests.support.soak import SOAK

pytestmark = pytest.mark.api
HEALTHY = 50 if SOAK else 5
COLLECTED = 75
"""Seconds. A new cluster's garbage collector learns of our resources every half minute."""


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
        world.settle()
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
        poll("all children are gone", lambda: not world.children(), COLLECTED)
        poll("its metrics are gone", lambda: f'namespace="{world.namespace}"' not in operator.metrics())


def test_a_model_made_anew_under_its_old_name_starts_anew(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.api.delete(HEART_MODEL, world.namespace, "heart")
        poll("all children are gone", lambda: not world.children(), COLLECTED)
        world.create()
        world.wait_serving("2", seconds=40)
        assert world.owners() == {world.model()["metadata"]["uid"]}
        assert world.selected() == "2"


def test_a_model_made_anew_before_its_children_are_collected_serves(world: World) -> None:
    """What the garbage collector has not removed yet is adopted, and what it has removed is made anew."""
    with world.start():
        world.create()
        world.wait_serving("1")
        old = world.model()["metadata"]["uid"]
        world.api.delete(HEART_MODEL, world.namespace, "heart")
        new = world.create()["metadata"]["uid"]
        assert new != old
        world.wait_condition("Ready", "True", seconds=40)
        poll("nothing belongs to the old model", lambda: world.owners() == {new}, COLLECTED)
        world.settle()
        world.wait_condition("Ready", "True")
        assert world.selected() == world.serving()
        assert set(world.deployments()) == {world.serving()}


def test_one_bad_model_does_not_stop_the_others(world: World) -> None:
    theirs = {"spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}}
    meta = {"metadata": {"namespace": world.namespace, "name": "poison"}}
    foreign = world.api.create(SERVICE, {"apiVersion": "v1", "kind": "Service", **meta, **theirs})
    with world.start() as operator:
        world.create("poison")
        names = [f"healthy-{number}" for number in range(HEALTHY)]
        for name in names:
            world.create(name)
        for name in names:
            world.wait_serving("1", name, seconds=40 + 2 * HEALTHY)
        rejected = world.wait_condition("Ready", "False", "ApplyFailed", name="poison")
        assert "Service poison" in rejected["message"]
        assert world.child(SERVICE, "poison")["metadata"]["uid"] == foreign["metadata"]["uid"]
        assert world.selected("poison") is None
        assert operator.metric("heartops_reconcile_errors_total") > 0
        world.api.delete(SERVICE, world.namespace, "poison")
        world.wait_serving("1", "poison", seconds=60)


def test_with_mlflow_down_what_serves_goes_on(world: World) -> None:
    with world.start():
        world.create()
        world.wait_serving("1")
        world.settle()
        before = world.deployments()["1"]["spec"]
        world.registry.down = True
        world.edit({"training": {"seed": 7}})
        world.wait_condition("Progressing", "Unknown", "RegistryUnavailable", seconds=30)
        assert world.condition("Available")["status"] == "True"
        assert world.selected() == "1"
        assert world.deployments()["1"]["spec"] == before
        world.registry.down = False
        world.wait_serving("2", seconds=60)


def empty(registry: FakeRegistry) -> None:
    registry.versions.clear()
    registry.models.clear()


def fill_with_others(registry: FakeRegistry) -> None:
    """As after a restore of another cluster's backup: the same names and numbers, other bytes, and more of them."""
    for name, known in registry.versions.items():
        one = replace(known["1"], artifact_sha256="sha256:" + "0" * 64, run_id="another")
        registry.versions[name] = {"1": one, "2": replace(one, version="2")}


@pytest.mark.parametrize("lose", [empty, fill_with_others])
def test_a_registry_that_lost_what_serves_changes_nothing(world: World, lose: Callable[[FakeRegistry], None]) -> None:
    """Nothing is trained, no traffic moves; once it is restored all is well."""
    with world.start():
        world.create()
        world.wait_serving("1")
        before = dict(world.registry.models), {name: dict(known) for name, known in world.registry.versions.items()}
        lose(world.registry)
        world.wait_condition("Ready", "False", "RegistryLost", seconds=30)
        assert world.selected() == "1"
        assert len(world.jobs()) == 1
        world.registry.models, world.registry.versions = before
        world.wait_condition("Ready", "True", seconds=30)
        assert world.selected() == "1"
        assert len(world.jobs()) == 1


def test_a_new_runtime_profile_counts_without_a_restart(world: World) -> None:
    with world.start():
        world.create(runtime="gpu")
        rejected = world.wait_condition("Ready", "False", "InvalidSpec")
        assert "spec.runtime" in rejected["message"]
        assert not world.jobs()
        world.profiles.write_text(json.dumps(PROFILES | {"gpu": PROFILES["default"]}))
        world.wait_serving("1", seconds=30)
