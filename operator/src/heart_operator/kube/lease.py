"""Leader election with a Lease: one replica acts, the others wait.

The rules are client-go's: another holder's Lease is taken when its record has not changed for its duration, measured by
the local monotonic clock (clocks of two nodes may differ). The holder stops acting before others may take its Lease.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from heart_api.kube.kinds import LEASE
from heart_api.kube.values import Manifest
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError, Conflict, NotFound

log = logging.getLogger(__name__)

DURATION = 15
"""Seconds after its last renewal at which another replica may take the Lease."""
RENEW_EVERY = 3.0
GIVE_UP_AFTER = 10.0
"""Seconds without a renewal after which this process stops acting."""
RETRY_EVERY = 2.0
REQUEST_TIMEOUT = 3.0
"""Seconds for one request about the Lease: several must fit into the time until it is given up."""


class LeaseLost(Exception):
    """The Lease was taken by another replica, or could not be renewed in time."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """When (own clock) the Lease's record was first seen as it is."""

    record: tuple[Any, ...]
    since: float


def record_of(lease: Manifest) -> tuple[Any, ...]:
    """What changes with every renewal."""
    spec = lease.get("spec") or {}
    return tuple(spec.get(name) for name in ("holderIdentity", "renewTime", "leaseTransitions"))


def sight(previous: Sighting | None, lease: Manifest, now: float) -> Sighting:
    """The sighting of a Lease read now."""
    record = record_of(lease)
    return previous if previous and previous.record == record else Sighting(record, now)


def may_take(lease: Manifest, identity: str, sighting: Sighting, now: float) -> bool:
    """True if the Lease was released, is held by this replica, or was not renewed for its duration."""
    spec = lease.get("spec") or {}
    holder = spec.get("holderIdentity")
    if not holder or holder == identity:
        return True
    return now - sighting.since >= (spec.get("leaseDurationSeconds") or DURATION)


def taken(lease: Manifest, identity: str, now: datetime) -> Manifest:
    """The Lease as written when this replica takes or renews it."""
    spec = lease.get("spec") or {}
    mine = spec.get("holderIdentity") == identity
    stamp = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    changes = {"acquireTime": spec.get("acquireTime") or stamp} if mine else {"acquireTime": stamp}
    transitions = (spec.get("leaseTransitions") or 0) + (0 if mine else 1)
    renewal = {"holderIdentity": identity, "leaseDurationSeconds": DURATION, "renewTime": stamp}
    return {**lease, "spec": {**spec, **changes, **renewal, "leaseTransitions": transitions}}


class LeaderLease:
    """This replica's hold on the Lease. `cluster` has REQUEST_TIMEOUT and writes without holding the Lease."""

    def __init__(self, cluster: Cluster, namespace: str, name: str, identity: str, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._lease: Manifest = {}
        self._sighting: Sighting | None = None
        self._renewed: float | None = None

    @property
    def held(self) -> bool:
        """True while this replica may act; False as well after the process slept for longer than the Lease."""
        return self._renewed is not None and self._clock() - self._renewed < GIVE_UP_AFTER

    @property
    def write_time(self) -> float:
        """Seconds that a write sent now may last, so that it has ended before another replica may act; 0: send none."""
        if self._renewed is None or not self.held:
            return 0.0
        return DURATION - (self._clock() - self._renewed)

    async def acquire(self) -> None:
        """Wait until this replica holds the Lease."""
        while not await self._try_to_take():  # noqa: ASYNC110  the event happens in another process
            await asyncio.sleep(RETRY_EVERY)
        log.info("This replica (%s) leads", self._identity)

    async def keep(self) -> None:
        """Renew for as long as that works; always ends in LeaseLost."""
        while self.held:
            renewed = await self._renew()
            await asyncio.sleep(RENEW_EVERY if renewed else RETRY_EVERY / 2)
        self._renewed = None
        raise LeaseLost(f"the Lease {self._namespace}/{self._name} could not be renewed for {GIVE_UP_AFTER:.0f} s")

    async def release(self) -> None:
        """Release the Lease so that another replica can take over at once. Does nothing when it is not held."""
        if not self.held:
            return
        self._renewed = None
        spec = {**self._lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._cluster.replace(LEASE, {**self._lease, "spec": spec})
        except ApiError as error:
            log.warning("The Lease was not released, it runs out by itself: %s", error)

    async def read(self) -> Manifest:
        """The Lease, by a direct GET."""
        return await self._cluster.get(LEASE, self._namespace, self._name)

    async def _try_to_take(self) -> bool:
        started = self._clock()
        try:
            lease = await self.read()
            self._sighting = sight(self._sighting, lease, started)
            if not may_take(lease, self._identity, self._sighting, started):
                return False
            await self._write(lease, started)
        except NotFound:
            return await self._create(started)
        except Conflict:
            return False
        except ApiError as error:
            log.warning("The Lease cannot be read or taken: %s", error)
            return False
        return True

    async def _create(self, started: float) -> bool:
        meta = {"namespace": self._namespace, "name": self._name}
        lease = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": meta}
        mine = taken(lease, self._identity, datetime.now(UTC))
        try:
            self._lease = await self._cluster.create(LEASE, mine)
        except ApiError as error:
            log.warning("The Lease cannot be created: %s", error)
            return False
        self._renewed = started
        return True

    async def _renew(self) -> bool:
        """Update the Lease. After a conflict, only if the Lease still names this replica."""
        started = self._clock()
        try:
            await self._write(self._lease, started)
        except Conflict:
            await self._read_again()
            return False
        except NotFound:  # somebody deleted it
            return await self._create(started)
        except ApiError as error:
            log.warning("The Lease was not renewed: %s", error)
            return False
        return True

    async def _read_again(self) -> None:
        try:
            lease = await self.read()
        except ApiError as error:
            log.warning("The Lease cannot be read: %s", error)
            return
        holder = (lease.get("spec") or {}).get("holderIdentity")
        if holder != self._identity:
            self._renewed = None
            raise LeaseLost(f"the Lease {self._namespace}/{self._name} is now held by {holder or 'nobody'}")
        self._lease = lease

    async def _write(self, lease: Manifest, started: float) -> None:
        mine = taken(lease, self._identity, datetime.now(UTC))
        self._lease = await self._cluster.replace(LEASE, mine)
        self._renewed = started
