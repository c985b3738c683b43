"""Delivers what the outboxes of all models hold: at least once, a model's entries in their order, never in a
reconcile's way.

Nothing here is durable: what is undelivered stays in the status of its HeartModel, and is offered again with every
reconcile and after every restart. An acknowledgement counts once a reconcile has removed the entry from there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from heart_api.kube.values import ModelKey
from heart_api.outbox import Destination, OutboxEntry, OutboxStatus

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds until a destination that failed is tried again, doubled each time."""
BATCH = 16
"""Entries of one model in a row: then it is the next model's turn."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A model's outbox, and where its registered model is."""

    registry: str
    registry_name: str
    entries: tuple[OutboxEntry, ...]


Deliver = Callable[[Offer, tuple[OutboxEntry, ...]], Awaitable[int]]
"""How many of the entries, from the first on, are acknowledged: one at least. Raises whatever went wrong."""


class Deliverer:
    """One worker for each destination, so that none waits for another."""

    def __init__(
        self,
        destinations: Mapping[Destination, Deliver],
        enqueue: Callable[[ModelKey], None],
        metrics: CollectorRegistry,
    ) -> None:
        """`enqueue`: has a model reconciled, which takes note of what was acknowledged."""
        self._deliver = destinations
        self._enqueue = enqueue
        self._offers: dict[ModelKey, Offer] = {}
        self._acknowledged: dict[ModelKey, frozenset[tuple[str, Destination]]] = {}
        self._news = {name: asyncio.Event() for name in destinations}
        labels = ("destination", "result")
        self._counted = Counter("heartops_events", "Events by destination and result.", labels, registry=metrics)
        self._waiting = Gauge("heartops_events_waiting", "Events not yet acknowledged.", registry=metrics)
        self._dropped = Gauge(
            "heartops_events_dropped", "Events dropped from full outboxes of the models.", registry=metrics
        )
        self._lost: dict[ModelKey, int] = {}

    @property
    def destinations(self) -> tuple[Destination, ...]:
        return tuple(self._deliver)

    def delivered(self, key: ModelKey) -> frozenset[tuple[str, Destination]]:
        """What has been acknowledged of a model's outbox."""
        return self._acknowledged.get(key, frozenset())

    def offer(self, key: ModelKey, registry: str, registry_name: str, outbox: OutboxStatus | None) -> None:
        """A model's outbox as it is stored now; None: it is empty, or the model is gone. Never waits."""
        entries = outbox.entries if outbox else ()
        ids = {entry.id for entry in entries}
        kept = frozenset(one for one in self.delivered(key) if one[0] in ids)
        self.forget(key)
        if outbox:
            self._lost[key] = outbox.dropped
        if entries:
            self._offers[key] = Offer(registry, registry_name, entries)
            self._acknowledged[key] = kept
        self._show()
        for news in self._news.values():
            news.set()

    def forget(self, key: ModelKey) -> None:
        """The model is gone, and its outbox with it."""
        for known in (self._offers, self._acknowledged, self._lost):
            known.pop(key, None)
        self._show()

    async def keep(self) -> None:
        """Deliver, for ever."""
        await asyncio.gather(*(self._work(name) for name in self._deliver))

    def waiting(self, key: ModelKey, destination: Destination) -> tuple[OutboxEntry, ...]:
        """A model's entries for the destination that are not acknowledged, oldest first."""
        offer, done = self._offers.get(key), self.delivered(key)
        entries = offer.entries if offer else ()
        return tuple(one for one in entries if destination in one.pending and (one.id, destination) not in done)

    async def _work(self, destination: Destination) -> None:
        pause = FIRST_PAUSE
        while True:
            await self._news[destination].wait()
            self._news[destination].clear()
            while keys := [key for key in self._offers if self.waiting(key, destination)]:
                if await self._all(destination, keys):
                    pause = FIRST_PAUSE
                    continue
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _all(self, destination: Destination, keys: list[ModelKey]) -> bool:
        """Whether each model had its turn. One whose event is not taken goes to the end, so that it stops no other."""
        for key in keys:
            if not await self._round(destination, key):
                if (offer := self._offers.pop(key, None)) is not None:
                    self._offers[key] = offer
                return False
        return True

    async def _round(self, destination: Destination, key: ModelKey) -> bool:
        """Whether the model's next entries were acknowledged."""
        offer = self._offers.get(key)
        batch = self.waiting(key, destination)[:BATCH]
        if offer is None or not batch:
            return True
        try:
            count = await self._deliver[destination](offer, batch)
        except Exception as error:  # whatever it is, the entries stay where they are
            self._counted.labels(destination, "failed").inc()
            log.warning("Events of %s could not be delivered to %s: %s", key, destination, error)
            return False
        self._counted.labels(destination, "delivered").inc(count)
        done = {(entry.id, destination) for entry in batch[:count]}
        if key not in self._offers:
            return True  # the model was deleted meanwhile
        self._acknowledged[key] = self.delivered(key) | done
        self._show()
        self._enqueue(key)
        return True

    def _show(self) -> None:
        self._dropped.set(sum(self._lost.values()))
        self._waiting.set(sum(len(self.waiting(key, name)) for key in self._offers for name in self._deliver))
