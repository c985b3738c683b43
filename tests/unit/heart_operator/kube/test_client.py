"""Requests to an API server that is too busy: when they are sent again, and when not."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientTimeout, web
from kubernetes.aio.client import Configuration

from heart_api.kube.kinds import LEASE
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiUnavailable, NotLeading

BUSY = {"kind": "Status", "message": "storage is (re)initializing", "code": 429}


class Server:
    """An API server that turns the first requests away."""

    def __init__(self) -> None:
        self.rejections = 0
        self.retry_after = "0"
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        if len(self.asked) <= self.rejections:
            return web.json_response(BUSY, status=429, headers={"Retry-After": self.retry_after})
        return web.json_response({"metadata": {"name": "one"}})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def cluster(server: Server) -> AsyncIterator[Cluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cluster = Cluster(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"), timeout=2)
    yield cluster
    await cluster.close()
    await runner.cleanup()


async def test_what_was_turned_away_is_asked_again(server: Server, cluster: Cluster) -> None:
    server.rejections = 2
    assert (await cluster.get(LEASE, "clinic", "one"))["metadata"]["name"] == "one"
    server.asked.clear()
    await cluster.patch(LEASE, "clinic", "one", None, {})
    assert server.asked == ["PATCH"] * 3


@pytest.mark.parametrize("retry_after", ["3600", "", "soon"])
async def test_who_is_to_come_much_later_is_told_so_at_once(server: Server, cluster: Cluster, retry_after: str) -> None:
    server.rejections, server.retry_after = 1, retry_after
    with pytest.raises(ApiUnavailable, match="initializing"):
        await cluster.get(LEASE, "clinic", "one")
    assert server.asked == ["GET"]


async def test_a_request_never_takes_longer_than_its_time(server: Server, cluster: Cluster) -> None:
    server.rejections, server.retry_after = 99, "1"
    with pytest.raises(ApiUnavailable, match="initializing"):
        await cluster.get(LEASE, "clinic", "one")
    assert len(server.asked) == 2


async def test_the_lease_may_be_lost_between_two_tries(server: Server, cluster: Cluster) -> None:
    server.rejections = 1
    cluster.write_time = lambda: 0.0 if server.asked else 5.0
    with pytest.raises(NotLeading):
        await cluster.patch(LEASE, "clinic", "one", None, {})
    assert server.asked == ["PATCH"]


async def test_a_server_that_says_at_once_is_not_asked_in_a_busy_loop(server: Server, cluster: Cluster) -> None:
    server.rejections = 10**9
    with pytest.raises(ApiUnavailable, match="initializing"):
        await cluster.get(LEASE, "clinic", "one")
    assert len(server.asked) <= 6


async def test_a_write_ends_before_another_replica_may_act(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lease leaves 1.5 of the 2 seconds that a request has; a read needs no Lease."""
    allowed: list[float] = []
    real = cluster._client.call_api

    async def call_api(*call: Any, _request_timeout: ClientTimeout) -> Any:
        allowed.append(_request_timeout.total or 0)
        return await real(*call, _request_timeout=_request_timeout)

    monkeypatch.setattr(cluster._client, "call_api", call_api)
    cluster.write_time = lambda: 1.5
    await cluster.patch(LEASE, "clinic", "one", None, {})
    await cluster.get(LEASE, "clinic", "one")
    assert allowed[0] <= 1.5 < allowed[1]
