"""What a tenant may do to the operator, and through it: bounded by the runtime profile, whatever they try."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heart_api.kube.kinds import BY_NAME, HEART_MODEL, JOB, RETRAIN_SCHEDULE
from heart_api.names import Annotation
from tests.support.apiserver.client import KubeApi, Resource, poll
from tests.support.apiserver.running_operator import RunningOperator
from tests.support.apiserver.tenant import give_edit
from tests.support.apiserver.world import PROFILES, World, model

pytestmark = pytest.mark.api
INGRESS = BY_NAME["networking.k8s.io/v1", "Ingress"]
RECONCILES = "heartops_reconcile_duration_seconds_count"
HOST = {"className": "public", "host": "login.example.org"}


@pytest.fixture
def mallory(world: World, kube_api: KubeApi, api_server: Path) -> Iterator[KubeApi]:
    """May edit the test's namespace."""
    mallory = KubeApi(api_server, as_user="mallory")
    give_edit(kube_api, mallory, world.namespace)
    yield mallory
    mallory.close()


def limit(world: World, **profile: Any) -> None:
    """An administrator's limits."""
    world.profiles.write_text(json.dumps({"default": PROFILES["default"] | profile}))


def create(world: World, mallory: KubeApi, name: str, **spec: Any) -> Resource:
    return mallory.create(HEART_MODEL, model(world.namespace, name, **spec))


def delete(world: World, mallory: KubeApi, name: str) -> None:
    mallory.delete(HEART_MODEL, world.namespace, name)
    poll(f"{name} and its Jobs are gone", lambda: not jobs_of(world, name) and not exists(world, name), 60)


def exists(world: World, name: str) -> bool:
    return world.api.get(HEART_MODEL, world.namespace, name) is not None


def jobs_of(world: World, name: str) -> list[str]:
    return [item["metadata"]["name"] for item in world.api.list(JOB, world.namespace, f"heartops.dev/model={name}")]


def waits(operator: RunningOperator, world: World, name: str, quota: str) -> bool:
    labels = f'model="{name}",namespace="{world.namespace}",quota="{quota}"'
    return operator.metric(f"heartops_quota_waiting{{{labels}}}") == 1


def test_a_tenant_trains_so_often_in_an_hour_whatever_they_delete(world: World, mallory: KubeApi) -> None:
    limit(world, quota={"trainingsPerHour": 2})
    with world.start("first") as operator:
        for name in ("one", "two"):
            create(world, mallory, name)
            world.wait_serving("1", name=name)
        create(world, mallory, "three")
        found = world.wait_condition("Trained", "Unknown", "QuotaExceeded", name="three")
        assert (
            "has started 2 trainings within an hour and its quota is 2; the training waits until 2" in found["message"]
        )
        assert waits(operator, world, "three", "trainingsPerHour")
        assert "QuotaExceeded" in world.event_reasons("three")
        for name in jobs_of(world, "one"):
            mallory.delete(JOB, world.namespace, name)
    with world.start("second") as operator:
        poll("it has reconciled", lambda: waits(operator, world, "three", "trainingsPerHour"), 30)
        delete(world, mallory, "two")
        create(world, mallory, "two")
        annotations = {"metadata": {"annotations": {Annotation.RETRAIN: "again"}}}
        mallory.patch(HEART_MODEL, world.namespace, "one", annotations)
        for name in ("one", "two", "three"):
            world.wait_condition("Trained", "Unknown", "QuotaExceeded", name=name)
        assert jobs_of(world, "two") == jobs_of(world, "three") == []
        assert world.serving("one") == "1", "what serves goes on"


def test_a_tenants_models_beyond_the_quota_wait_for_room(world: World, mallory: KubeApi) -> None:
    limit(world, quota={"models": 1})
    with world.start() as operator:
        create(world, mallory, "one")
        world.wait_serving("1", name="one")
        create(world, mallory, "two")
        found = world.wait_condition("Progressing", "False", "QuotaExceeded", name="two")
        assert "has 2 HeartModels, its quota is 1" in found["message"]
        assert waits(operator, world, "two", "models")
        assert jobs_of(world, "two") == []
        delete(world, mallory, "one")
        world.wait_serving("1", name="two")
        poll("the metric is gone", lambda: not waits(operator, world, "two", "models"))


def test_a_tenants_schedules_beyond_the_quota_or_too_frequent_do_nothing(world: World, mallory: KubeApi) -> None:
    limit(world, quota={"schedules": 1, "minScheduleInterval": "1h"})

    def ready(name: str) -> Resource:
        conditions = world.schedule_status(name).get("conditions", [])
        return next((entry for entry in conditions if entry["type"] == "Ready"), {})

    with world.start():
        create(world, mallory, "heart")
        world.wait_serving("1")
        world.create_schedule("first", schedule="* * * * *")
        poll("the interval is named", lambda: ready("first").get("reason") == "InvalidSpec")
        assert "spec.schedule: '* * * * *' comes again after 0:01:00" in ready("first")["message"]
        world.create_schedule("second", schedule="0 3 * * 0")
        poll("the quota is named", lambda: ready("second").get("reason") == "QuotaExceeded")
        mallory.delete(RETRAIN_SCHEDULE, world.namespace, "first")
        poll("the second has its place", lambda: ready("second").get("reason") == "Scheduled")


def test_a_tenant_claims_no_host_that_the_profile_does_not_list(world: World, mallory: KubeApi) -> None:
    """Neither with a new model nor with one that serves already; nor by another mistake beside the claim."""
    limit(world, routes={"ingressClasses": ["public"], "hosts": ["*.{namespace}.example.org"]})
    with world.start():
        create(world, mallory, "heart")
        world.wait_serving("1")
        for more in ({}, {"runtime": "unknown"}):
            mallory.patch(HEART_MODEL, world.namespace, "heart", {"spec": {"serving": {"ingress": HOST}} | more})
            world.wait_condition("Ready", "False", "InvalidSpec")
            world.settle()
            assert world.api.list(INGRESS, world.namespace) == []
        assert world.serving() == "1"
        host = f"heart.{world.namespace}.example.org"
        allowed = {"runtime": "default", "serving": {"ingress": HOST | {"host": host}}}
        mallory.patch(HEART_MODEL, world.namespace, "heart", {"spec": allowed})
        poll("what is allowed is made", lambda: world.api.list(INGRESS, world.namespace), 30)


def test_a_tenant_with_many_changed_models_does_not_delay_another(world: World, mallory: KubeApi) -> None:
    """One worker, sixty models that change all at once, and somebody else's."""
    other = f"{world.namespace[:50]}-b"
    world.api.create_namespace(other)
    names = [f"noisy-{number}" for number in range(60)]
    with world.start(workers=1) as operator:
        for name in names:
            create(world, mallory, name, suspend=True)
        world.api.create(HEART_MODEL, model(other, "quiet", suspend=True))
        poll("all were seen", lambda: all(world.status(name) for name in names) and observed(world, other), 120)
        world.wait_silence()
        for name in names:
            mallory.patch(HEART_MODEL, world.namespace, name, {"spec": {"training": {"seed": 7}}})
        before = operator.metric(RECONCILES)
        world.api.patch(HEART_MODEL, other, "quiet", {"spec": {"training": {"seed": 7}}})
        poll("the other tenant's model was reconciled", lambda: observed(world, other) == 2, 60)
        done = operator.metric(RECONCILES) - before
        print(f"{done:.0f} reconciles before another tenant's, of {len(names)} that were due")
        assert done <= len(names) / 2, "in the order of their changes it would be the last"
    world.api.delete(HEART_MODEL, other, "quiet")


def observed(world: World, namespace: str) -> int:
    found = world.api.get(HEART_MODEL, namespace, "quiet") or {}
    return int(found.get("status", {}).get("observedGeneration", 0))
