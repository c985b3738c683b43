"""Lists of objects that anybody may have made: how much of them is ever in memory."""

import json
import tracemalloc
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from heart_api.kube.kinds import BY_NAME
from heart_api.kube.objects import owner_uids
from heart_api.kube.values import Manifest
from heart_operator.kube.client import Cluster
from tests.support.soak import SOAK

CONFIG_MAP = BY_NAME["v1", "ConfigMap"]
MEGABYTE = 1024 * 1024


class Server:
    """ConfigMaps of a megabyte; every fortieth has an owner."""

    count = 500 if SOAK else 120

    async def answer(self, request: web.Request) -> web.StreamResponse:
        first, limit = int(request.query["continue"] or 0), int(request.query["limit"])
        last = min(first + limit, self.count)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(
            b'{"metadata": {"continue": "%s"}, "items": [' % (b"%d" % last if last < self.count else b"")
        )
        for number in range(first, last):
            owners = [{"uid": "u1"}] if number % 40 == 0 else []
            meta = {"name": f"c{number}", "namespace": "clinic", "uid": str(number), "ownerReferences": owners}
            item = json.dumps({"metadata": meta, "data": {"padding": "x" * MEGABYTE}}).encode()
            await response.write((b"," if number > first else b"") + item)
        await response.write(b"]}")
        return response


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", Server().answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cluster = Cluster(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"), timeout=60)
    yield cluster
    await cluster.close()
    await runner.cleanup()


def of_u1(item: Manifest) -> bool:
    return owner_uids(item) == {"u1"}


async def test_a_hundred_megabytes_with_our_label_are_never_in_memory_at_once(cluster: Cluster) -> None:
    tracemalloc.start()
    try:
        found = await cluster.find(CONFIG_MAP, "clinic", "heartops.dev/model=heart", keep=of_u1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [item["metadata"]["name"] for item in found] == [f"c{number}" for number in range(0, Server.count, 40)]
    print(f"{Server.count} MB listed: at most {peak / MEGABYTE:.0f} MB in memory")
    assert peak < 64 * MEGABYTE


async def test_an_object_of_ours_that_somebody_made_huge_can_still_be_mended(cluster: Cluster) -> None:
    (first, *_) = await cluster.find(CONFIG_MAP, "clinic", "heartops.dev/model=heart", keep=of_u1)
    assert (first["apiVersion"], first["kind"], first["metadata"]["uid"]) == ("v1", "ConfigMap", "0")
    assert "data" not in first
