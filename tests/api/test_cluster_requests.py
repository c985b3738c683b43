"""What the API server does with our requests when the world is not as it was observed."""

from collections.abc import AsyncIterator

import pytest
from kubernetes.aio.client import Configuration

from heart_api.kube.kinds import HEART_MODEL, LEASE, MONITORING, SERVICE
from heart_api.kube.kinds import SERVICE_ACCOUNT as ACCOUNT
from heart_operator.kube import client as requests
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiUnavailable, Conflict, NotFound, NotLeading, RequestRejected
from tests.support.apiserver.client import KubeApi, Resource
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api


@pytest.fixture
async def cluster(operator_account: Configuration) -> AsyncIterator[Cluster]:
    cluster = Cluster(operator_account)
    yield cluster
    await cluster.close()


def account(world: World, name: str = "one", **metadata: object) -> Resource:
    meta = {"namespace": world.namespace, "name": name, **metadata}
    return {"apiVersion": ACCOUNT.api_version, "kind": ACCOUNT.kind, "metadata": meta}


async def test_a_namesake_is_neither_changed_nor_deleted(world: World, cluster: Cluster) -> None:
    old = await cluster.create(ACCOUNT, account(world))
    uid = old["metadata"]["uid"]
    world.api.delete(ACCOUNT, world.namespace, "one")
    new = world.api.create(ACCOUNT, account(world))
    with pytest.raises(Conflict):
        await cluster.apply(ACCOUNT, account(world, uid=uid, labels={"a": "b"}))
    with pytest.raises(Conflict):
        await cluster.delete(ACCOUNT, world.namespace, "one", uid)
    found = world.child(ACCOUNT, "one")
    assert found["metadata"]["uid"] == new["metadata"]["uid"]
    assert "labels" not in found["metadata"]


async def test_an_object_that_vanished_is_not_made_anew_by_a_late_apply(world: World, cluster: Cluster) -> None:
    old = await cluster.create(ACCOUNT, account(world))
    world.api.delete(ACCOUNT, world.namespace, "one")
    with pytest.raises(Conflict):
        await cluster.apply(ACCOUNT, account(world, uid=old["metadata"]["uid"]))
    assert world.api.get(ACCOUNT, world.namespace, "one") is None


async def test_a_status_is_not_written_over_a_newer_object(world: World, cluster: Cluster) -> None:
    old = world.create()
    world.edit({"gates": {"checks": []}})
    with pytest.raises(Conflict):
        await cluster.replace(HEART_MODEL, {**old, "status": {"gate": "late"}}, "status")
    stored = await cluster.replace(HEART_MODEL, {**world.model(), "status": {"gate": "in time"}}, "status")
    assert stored["status"]["gate"] == "in time"
    assert world.model()["spec"]["gates"]["checks"] == []


async def test_creating_twice_is_a_conflict(world: World, cluster: Cluster) -> None:
    await cluster.create(ACCOUNT, account(world))
    with pytest.raises(Conflict):
        await cluster.create(ACCOUNT, account(world))


async def test_a_rejection_shows_the_servers_message(world: World, cluster: Cluster) -> None:
    bad = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": world.namespace, "name": "s"}}
    with pytest.raises(RequestRejected, match=r"spec\.ports"):
        await cluster.apply(SERVICE, bad | {"spec": {"selector": {"a": "b"}}})


async def test_without_the_lease_nothing_is_sent(world: World, cluster: Cluster) -> None:
    cluster.write_time = lambda: 0.0
    with pytest.raises(NotLeading):
        await cluster.create(ACCOUNT, account(world))
    assert world.api.get(ACCOUNT, world.namespace, "one") is None
    assert await cluster.find(ACCOUNT, world.namespace, "") is not None


async def test_long_lists_come_in_pages_and_whole(
    world: World, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "PAGE", 2)
    for number in range(5):
        world.api.create(ACCOUNT, account(world, f"sa-{number}", labels={"heartops.dev/model": "heart"}))
    found = await cluster.find(ACCOUNT, world.namespace, "heartops.dev/model=heart")
    assert {item["metadata"]["name"] for item in found} == {f"sa-{number}" for number in range(5)}
    assert all((item["apiVersion"], item["kind"]) == ("v1", "ServiceAccount") for item in found)


async def test_kinds_that_a_cluster_has_and_has_not(cluster: Cluster) -> None:
    assert {"ServiceMonitor", "PrometheusRule"} <= await cluster.kinds_of(MONITORING)
    assert await cluster.kinds_of("nobody.example/v1") == frozenset()


async def test_a_missing_object_and_a_missing_server_differ(world: World, cluster: Cluster, kube_api: KubeApi) -> None:
    with pytest.raises(NotFound):
        await cluster.get(HEART_MODEL, world.namespace, "absent")
    nowhere = Cluster(Configuration(host="http://127.0.0.1:1"), timeout=2)
    with pytest.raises(ApiUnavailable):
        await nowhere.get(LEASE, "a", "b")
    await nowhere.close()
