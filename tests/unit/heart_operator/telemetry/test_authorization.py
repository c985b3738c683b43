"""Who may read the operator's metrics, and what it costs the API server and the memory when somebody keeps asking."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from heart_operator.kube.errors import ApiUnavailable
from heart_operator.telemetry.authorization import (
    ALLOWED_SECONDS,
    DENIED_SECONDS,
    KEPT,
    LONGEST_TOKEN,
    WAITING,
    MetricsAuthorizer,
)
from heart_operator.telemetry.certificate import self_signed
from heart_operator.telemetry.endpoints import HttpServer, build_metrics
from heart_operator.telemetry.operator import Metrics


class Reviews:
    """The API server's two reviews: tokens by user, and the users who may read."""

    def __init__(self) -> None:
        self.users = {"prometheus-token": "prometheus", "tenant-token": "tenant"}
        self.readers = {"prometheus"}
        self.asked: list[str] = []
        self.down = False
        self.gate: asyncio.Event | None = None

    async def request(self, method: str, path: str, *, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(path.rpartition("/")[2])
        if self.gate:
            await self.gate.wait()
        if self.down:
            raise ApiUnavailable("connection refused")
        spec = body["spec"]
        if body["kind"] == "TokenReview":
            user = self.users.get(spec["token"])
            return {"status": {"authenticated": True, "user": {"username": user}} if user else {}}
        assert spec["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
        return {"status": {"allowed": spec["user"] in self.readers}}


class Around:
    def __init__(self) -> None:
        self.now = 0.0
        self.reviews = Reviews()
        cluster: Any = self.reviews
        self.authorizer = MetricsAuthorizer(cluster, lambda: self.now)

    async def decide(self, token: str) -> int:
        return await self.authorizer.decide(f"Bearer {token}")


@pytest.fixture
def around() -> Around:
    return Around()


async def test_only_who_may_get_the_path_reads_it(around: Around) -> None:
    assert await around.decide("prometheus-token") == 200
    assert await around.decide("tenant-token") == 403
    assert await around.decide("invented") == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "prometheus-token",
        "Bearer " + "x" * (LONGEST_TOKEN + 1),
        "Bearer \udc80",
    ],
)
async def test_what_is_no_token_is_not_shown_to_the_api_server(around: Around, header: str) -> None:
    assert await around.authorizer.decide(header) == 401
    assert around.reviews.asked == []


async def test_a_decision_holds_for_a_short_time(around: Around) -> None:
    await around.decide("prometheus-token")
    await around.decide("tenant-token")
    asked = len(around.reviews.asked)
    around.reviews.readers = {"tenant"}
    around.now = DENIED_SECONDS - 0.1
    assert [await around.decide("prometheus-token"), await around.decide("tenant-token")] == [200, 403]
    assert len(around.reviews.asked) == asked
    around.now = DENIED_SECONDS
    assert await around.decide("tenant-token") == 200
    around.now = ALLOWED_SECONDS
    assert await around.decide("prometheus-token") == 403, "a right that was taken away"


async def test_invented_tokens_displace_no_readers_and_fill_no_memory(around: Around) -> None:
    await around.decide("prometheus-token")
    for number in range(3 * KEPT):
        await around.decide(f"invented-{number}")
    asked = len(around.reviews.asked)
    assert await around.decide("prometheus-token") == 200
    assert len(around.reviews.asked) == asked
    assert len(around.authorizer._tokens._denied) == KEPT
    assert not any(b"token" in digest for digest in around.authorizer._tokens._allowed), "tokens are not kept"


async def test_an_api_server_that_is_away_lets_nobody_in_and_is_asked_again(around: Around) -> None:
    around.reviews.down = True
    assert await around.decide("prometheus-token") == 503
    around.reviews.down = False
    assert await around.decide("prometheus-token") == 200


async def test_a_flood_is_bounded_and_those_who_are_known_pass(around: Around) -> None:
    await around.decide("prometheus-token")
    around.reviews.gate = asyncio.Event()
    flood = [asyncio.create_task(around.decide(f"invented-{number}")) for number in range(200)]
    await asyncio.sleep(0)
    assert await around.decide("prometheus-token") == 200
    around.reviews.gate.set()
    statuses = await asyncio.gather(*flood)
    assert statuses.count(401) == WAITING
    assert statuses.count(503) == 200 - WAITING


@pytest.fixture
async def served(around: Around) -> AsyncIterator[str]:
    app = build_metrics(Metrics().registry, around.authorizer.decide)
    server = HttpServer(app, "127.0.0.1", 0, self_signed("heartops-operator"))
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop()


async def test_metrics_come_over_tls_and_rejections_name_no_model(served: str) -> None:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with aiohttp.ClientSession() as session:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer tenant-token"}, 403),
            ({"Authorization": "Bearer prometheus-token"}, 200),
        ):
            async with session.get(f"https://{served}/metrics", ssl=trusting, headers=headers) as reply:
                assert reply.status == status
                assert ("heartops_" in await reply.text()) == (status == 200)
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://{served}/metrics")
