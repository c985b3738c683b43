"""Delivery: at least once, each model in its order, and no receiver or model in the way of another."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from heart_api.kube.values import ModelKey
from heart_api.outbox import Destination, OutboxEntry, OutboxStatus
from heart_operator.lineage import deliverer as module
from heart_operator.lineage.deliverer import Deliverer, Offer

HEART, LUNG = ModelKey("clinic", "heart"), ModelKey("lab", "lung")


def outbox(*ids: str, pending: tuple[Destination, ...] = ("history", "cloudevents"), dropped: int = 0) -> OutboxStatus:
    entries = [OutboxEntry(id=id_, type="gated", time="2026-01-01T00:00:00Z", pending=pending) for id_ in ids]
    return OutboxStatus(entries=tuple(entries), dropped=dropped)


class Receiver:
    def __init__(self) -> None:
        self.got: list[str] = []
        self.refuses: Callable[[str], bool] = lambda id_: False
        self.at_once = 99

    async def deliver(self, offer: Offer, entries: tuple[OutboxEntry, ...]) -> int:
        await asyncio.sleep(0)
        if self.refuses(entries[0].id):
            raise OSError("down")
        taken = entries[: self.at_once]
        self.got += [entry.id for entry in taken]
        return len(taken)


class Around:
    def __init__(self) -> None:
        self.history, self.sink = Receiver(), Receiver()
        self.enqueued: list[ModelKey] = []
        self.metrics = CollectorRegistry()
        destinations: dict[Destination, Any] = {"history": self.history.deliver, "cloudevents": self.sink.deliver}
        self.deliverer = Deliverer(destinations, self.enqueued.append, self.metrics)

    def offer(self, key: ModelKey, status: OutboxStatus | None) -> None:
        self.deliverer.offer(key, "https://mlflow", key.name, status)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110  a condition of any kind
                await asyncio.sleep(0.001)


@pytest.fixture
async def around(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.002)
    found = Around()
    task = asyncio.create_task(found.deliverer.keep())
    yield found
    task.cancel()


async def test_what_is_offered_is_delivered_in_order_and_the_model_reconciled(around: Around) -> None:
    around.offer(HEART, outbox("a", "b", "c"))
    await around.until(lambda: len(around.deliverer.delivered(HEART)) == 6)
    assert around.history.got == around.sink.got == ["a", "b", "c"]
    assert HEART in around.enqueued


async def test_what_is_acknowledged_is_not_sent_again_before_the_status_knows(around: Around) -> None:
    for _ in range(3):
        around.offer(HEART, outbox("a"))
        await around.until(lambda: len(around.deliverer.delivered(HEART)) == 2)
    assert around.sink.got == ["a"]
    around.offer(HEART, None)
    assert around.deliverer.delivered(HEART) == frozenset(), "nothing is remembered of what is gone"


async def test_a_receiver_that_is_down_stops_no_other_and_gets_all_of_it_later(around: Around) -> None:
    around.sink.refuses = lambda id_: True
    around.offer(HEART, outbox("a", "b"))
    await around.until(lambda: around.history.got == ["a", "b"])
    assert around.sink.got == []
    around.sink.refuses = lambda id_: False
    await around.until(lambda: around.sink.got == ["a", "b"])


async def test_an_event_that_is_never_taken_stops_no_other_model(around: Around) -> None:
    around.sink.refuses = lambda id_: id_ == "poison"
    around.offer(HEART, outbox("poison", "behind"))
    around.offer(LUNG, outbox("fine"))
    await around.until(lambda: "fine" in around.sink.got)
    assert "behind" not in around.sink.got, "a model's events keep their order"


async def test_half_of_a_batch_is_acknowledged_as_half(around: Around) -> None:
    around.sink.at_once = 1
    around.offer(HEART, outbox("a", "b", "c"))
    await around.until(lambda: len(around.deliverer.delivered(HEART)) == 6)
    assert around.sink.got == ["a", "b", "c"]


async def test_a_restart_sends_what_was_not_acknowledged(around: Around) -> None:
    around.sink.refuses = lambda id_: True
    around.offer(HEART, outbox("a"))
    await around.until(lambda: around.history.got == ["a"])
    again = Around()
    task = asyncio.create_task(again.deliverer.keep())
    again.offer(HEART, outbox("a", pending=("cloudevents",)))
    await again.until(lambda: again.sink.got == ["a"])
    assert again.history.got == []
    task.cancel()


async def test_each_receiver_gets_only_what_is_for_it(around: Around) -> None:
    around.offer(HEART, outbox("a", pending=("history",)))
    await around.until(lambda: around.history.got == ["a"])
    assert around.sink.got == []


async def test_a_deleted_model_is_forgotten(around: Around) -> None:
    around.sink.refuses = lambda id_: True
    around.offer(HEART, outbox("a", dropped=3))
    await around.until(lambda: around.history.got == ["a"])
    assert around.metrics.get_sample_value("heartops_events_dropped") == 3
    around.deliverer.forget(HEART)
    assert around.metrics.get_sample_value("heartops_events_waiting") == 0
    assert around.metrics.get_sample_value("heartops_events_dropped") == 0
    assert around.deliverer.delivered(HEART) == frozenset()
