"""The queue with workers of its own, on a real loop."""

import asyncio
import time
from collections.abc import Callable

from heart_operator.controllers.workqueue import WorkQueue


class Gate:
    """Work that waits until it is let through, and counts."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.started: list[str] = []
        self.running: set[str] = set()
        self.most = 0

    async def __call__(self, key: str) -> None:
        assert key not in self.running
        self.started.append(key)
        self.running.add(key)
        self.most = max(self.most, len(self.running))
        await self.open.wait()
        self.running.discard(key)


async def until(true: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  a poll with a deadline
            await asyncio.sleep(0.005)


def make(**options: object) -> WorkQueue[str]:
    return WorkQueue[str](clock=time.monotonic, jitter=lambda: 0.0, **options)


async def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_once_more() -> None:
    queue, work = make(), Gate()
    running = asyncio.create_task(queue.run(work, 4))
    queue.add("a")
    await until(lambda: work.started == ["a"])
    for _ in range(10):
        queue.add("a")
    work.open.set()
    await until(lambda: len(work.started) == 2)
    queue.stop()
    await asyncio.wait_for(running, 5)
    assert work.started == ["a", "a"]


async def test_no_more_keys_at_a_time_than_workers() -> None:
    depths: list[int] = []
    queue, work = make(on_depth=depths.append), Gate()
    running = asyncio.create_task(queue.run(work, 2))
    for key in "abcde":
        queue.add(key)
    await until(lambda: len(work.running) == 2)
    assert max(depths) == 3, "the depth is what waits for a worker"
    work.open.set()
    await until(lambda: len(work.started) == 5)
    queue.stop()
    await asyncio.wait_for(running, 5)
    assert work.most == 2


async def test_one_group_does_not_take_every_worker() -> None:
    queue, work = make(group=lambda key: key[0]), Gate()
    running = asyncio.create_task(queue.run(work, 3))
    for key in ("a1", "a2", "a3", "a4"):
        queue.add(key)
    await until(lambda: len(work.running) == 2)
    queue.add("b1")
    await until(lambda: work.started == ["a1", "a2", "b1"])
    work.open.set()
    await until(lambda: len(work.started) == 5)
    queue.stop()
    await asyncio.wait_for(running, 5)


async def test_a_failing_key_is_tried_again_and_stops_no_other() -> None:
    queue = make()
    seen: list[str] = []

    async def work(key: str) -> None:
        seen.append(key)
        if key == "poison":
            raise ValueError(key)

    running = asyncio.create_task(queue.run(work, 1))
    queue.add("poison")
    queue.add("healthy")
    await until(lambda: seen.count("poison") == 2)
    assert "healthy" in seen
    queue.stop()
    await asyncio.wait_for(running, 5)


async def test_the_earliest_of_two_times_counts() -> None:
    queue, work = make(), Gate()
    work.open.set()
    running = asyncio.create_task(queue.run(work, 1))
    queue.add_after("a", 60)
    queue.add_after("a", 0.05)
    await until(lambda: work.started == ["a"], 2)
    queue.stop()
    await asyncio.wait_for(running, 5)


async def test_stopping_waits_for_what_runs_and_begins_nothing() -> None:
    queue, work = make(), Gate()
    running = asyncio.create_task(queue.run(work, 1))
    queue.add("a")
    queue.add("b")
    await until(lambda: work.started == ["a"])
    queue.stop()
    await asyncio.sleep(0)
    assert not running.done()
    work.open.set()
    await asyncio.wait_for(running, 5)
    assert work.started == ["a"]


async def test_a_key_whose_work_was_cancelled_is_worked_on_again() -> None:
    """Something that it waited for was cancelled by somebody else, and the worker's task was not."""
    queue = make()
    seen: list[str] = []

    async def work(key: str) -> None:
        seen.append(key)
        if len(seen) == 1:
            raise asyncio.CancelledError

    running = asyncio.create_task(queue.run(work, 1))
    queue.add("a")
    await until(lambda: seen == ["a", "a"])
    queue.stop()
    await asyncio.wait_for(running, 5)
