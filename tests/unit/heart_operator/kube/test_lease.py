"""Leader election against a Lease in memory that has the API server's rules: versions, conflicts, outages."""

import asyncio
import copy
from typing import Any

import pytest

from heart_operator.kube import lease as rules
from heart_operator.kube.errors import ApiUnavailable, Conflict, NotFound
from heart_operator.kube.lease import DURATION, LeaderLease, LeaseLost


class FakeLeases:
    """One Lease; implements what LeaderLease needs of a Cluster."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.down = False
        self._version = 0

    async def get(self, kind: object, namespace: str, name: str) -> dict[str, Any]:
        self._check()
        if self.stored is None:
            raise NotFound("no lease")
        return copy.deepcopy(self.stored)

    async def create(self, kind: object, manifest: dict[str, Any]) -> dict[str, Any]:
        self._check()
        if self.stored is not None:
            raise Conflict("it exists")
        return self._store(manifest)

    async def replace(self, kind: object, manifest: dict[str, Any]) -> dict[str, Any]:
        self._check()
        if self.stored is None:
            raise NotFound("no lease")
        if manifest["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise Conflict("it was changed meanwhile")
        return self._store(manifest)

    @property
    def holder(self) -> str:
        assert self.stored
        return self.stored["spec"]["holderIdentity"]

    def _store(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self._version += 1
        meta = {**manifest["metadata"], "resourceVersion": str(self._version)}
        self.stored = copy.deepcopy({**manifest, "metadata": meta})
        return copy.deepcopy(self.stored)

    def _check(self) -> None:
        if self.down:
            raise ApiUnavailable("connection refused")


class Clock:
    """Seconds that pass only when the test says so; sleeping passes them."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rules.asyncio, "sleep", clock.sleep)
    return clock


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


def replica(leases: FakeLeases, clock: Clock, name: str) -> LeaderLease:
    return LeaderLease(leases, "heartops", "heartops-operator", name, clock)  # type: ignore[arg-type]


async def test_the_first_replica_leads(leases: FakeLeases, clock: Clock) -> None:
    one = replica(leases, clock, "one")
    assert not one.held
    await one.acquire()
    assert one.held
    assert leases.holder == "one"


async def test_a_second_replica_waits_until_the_lease_runs_out(leases: FakeLeases, clock: Clock) -> None:
    await replica(leases, clock, "one").acquire()
    two = replica(leases, clock, "two")
    started = clock.now
    await two.acquire()
    assert clock.now - started >= rules.DURATION
    assert leases.holder == "two"


async def test_a_released_lease_is_taken_at_once(leases: FakeLeases, clock: Clock) -> None:
    one, two = replica(leases, clock, "one"), replica(leases, clock, "two")
    await one.acquire()
    await one.release()
    assert not one.held
    started = clock.now
    await two.acquire()
    assert clock.now - started <= rules.RETRY_EVERY


async def test_a_holder_that_renews_is_never_replaced(leases: FakeLeases, clock: Clock) -> None:
    one, two = replica(leases, clock, "one"), replica(leases, clock, "two")
    await one.acquire()
    keeping, waiting = asyncio.ensure_future(one.keep()), asyncio.ensure_future(two.acquire())
    while clock.now < 200:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    assert one.held
    assert not two.held
    for task in (keeping, waiting):
        task.cancel()
    await asyncio.gather(keeping, waiting, return_exceptions=True)


async def test_a_holder_that_cannot_renew_stops_before_another_may_start(leases: FakeLeases, clock: Clock) -> None:
    one = replica(leases, clock, "one")
    await one.acquire()
    renewed = clock.now
    leases.down = True
    with pytest.raises(LeaseLost, match="could not be renewed"):
        await one.keep()
    assert not one.held
    assert clock.now - renewed < rules.DURATION


async def test_a_paused_holder_knows_it_as_soon_as_it_runs_again(leases: FakeLeases, clock: Clock) -> None:
    one, two = replica(leases, clock, "one"), replica(leases, clock, "two")
    await one.acquire()
    clock.now += 3600
    assert not one.held, "nothing may be written before the Lease was looked at"
    await two.acquire()
    with pytest.raises(LeaseLost):
        await one.keep()
    await one.release()
    assert leases.holder == "two"


async def test_a_lease_that_somebody_took_is_given_up(leases: FakeLeases, clock: Clock) -> None:
    one = replica(leases, clock, "one")
    await one.acquire()
    assert leases.stored
    leases.stored["spec"]["holderIdentity"] = "two"
    leases.stored["metadata"]["resourceVersion"] = "99"
    with pytest.raises(LeaseLost, match="held by two"):
        await one.keep()


async def test_a_lease_that_somebody_touched_is_kept(leases: FakeLeases, clock: Clock) -> None:
    one = replica(leases, clock, "one")
    await one.acquire()
    assert leases.stored
    leases.stored["metadata"] |= {"resourceVersion": "99", "labels": {"a": "b"}}
    keeping = asyncio.ensure_future(one.keep())
    while clock.now < 60:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    assert one.held
    assert leases.stored["metadata"]["labels"] == {"a": "b"}
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_deleted_lease_is_made_again(leases: FakeLeases, clock: Clock) -> None:
    one = replica(leases, clock, "one")
    await one.acquire()
    leases.stored = None
    keeping = asyncio.ensure_future(one.keep())
    while leases.stored is None:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    assert leases.holder == "one"
    assert one.held
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_a_restarted_container_of_the_same_pod_leads_again_at_once(leases: FakeLeases, clock: Clock) -> None:
    await replica(leases, clock, "one").acquire()
    started = clock.now
    await replica(leases, clock, "one").acquire()
    assert clock.now == started


async def test_an_outage_while_waiting_ends_nothing(leases: FakeLeases, clock: Clock) -> None:
    leases.down = True
    one = replica(leases, clock, "one")
    waiting = asyncio.ensure_future(one.acquire())
    while clock.now < 60:
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
    leases.down = False
    await asyncio.wait_for(waiting, 10)
    assert one.held


async def test_a_write_gets_no_longer_than_until_another_replica_may_act(leases: FakeLeases, clock: Clock) -> None:
    one = replica(leases, clock, "one")
    assert one.write_time == 0
    await one.acquire()
    assert one.write_time == DURATION
    clock.now += 9.9
    assert one.write_time == pytest.approx(DURATION - 9.9)
    clock.now += 0.2
    assert one.write_time == 0, "it is given up well before"
