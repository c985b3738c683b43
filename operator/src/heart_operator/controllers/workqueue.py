"""The work queue: handlers add keys, workers reconcile them; retries belong here and nowhere else.

A key is worked on by one worker at a time, waits at most once, and is worked on again when it was added meanwhile.
Groups of keys, such as the models of one namespace, take turns.
"""

import asyncio
import heapq
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from heart_operator.controllers.fairness import FairKeys

log = logging.getLogger(__name__)

FIRST_BACKOFF = 1.0
"""Seconds before the first retry; doubled by every further failure."""
LONGEST_BACKOFF = 120.0

K = TypeVar("K", bound=Hashable)


class Schedule(Generic[K]):
    """Which key is worked on when, without a clock, a thread or a loop: times are seconds of any monotonic clock."""

    def __init__(self, jitter: Callable[[], float], group: Callable[[K], Hashable] = lambda key: None) -> None:
        """`jitter` returns numbers of [0, 1): retries of many keys must not fall together."""
        self._jitter = jitter
        self._group = group
        self._ready = FairKeys[K](group)
        self._urgent: set[K] = set()
        self._busy = Counter[Hashable]()
        self.share: int | None = None
        """Keys of one group that are worked on at one time; None: any number."""
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = 0
        self._running: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}

    def __len__(self) -> int:
        """Keys that wait for a worker now (not those that wait for their time)."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Work on the key as soon as a worker is free, or once more when it is being worked on."""
        if key in self._running:
            self._again.add(key)
        else:
            self._ready.add(key, urgent=key in self._urgent)

    def prioritize(self, key: K, *, urgent: bool) -> None:
        """From its next turn on, whether the key comes before the others of its group."""
        if urgent:
            self._urgent.add(key)
        else:
            self._urgent.discard(key)

    def add_at(self, key: K, when: float) -> None:
        """Work on the key at this time; the earliest of several times counts."""
        if when < self._due.get(key, float("inf")):
            self._due[key] = when
            self._order += 1
            heapq.heappush(self._heap, (when, self._order, key))

    def take(self, now: float) -> K | None:
        """The next key to work on, which is then running until `done`; None when there is none.

        A later time that the key waited for is forgotten: the work plans the next one.
        """
        self._ripen(now)
        key = self._ready.take(self._may_take)
        if key is not None:
            self._due.pop(key, None)
            self._running.add(key)
            self._busy[self._group(key)] += 1
        return key

    def done(self, key: K) -> None:
        """Work on the key ended well."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: K, now: float) -> float:
        """Work on the key failed: it is due again after the seconds returned."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures, 30)) * (0.5 + self._jitter() / 2)
        self.add_at(key, now + delay)
        self._release(key)
        return delay

    def next_due(self) -> float | None:
        """When the next waiting key ripens."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def _may_take(self, group: Hashable) -> bool:
        return self.share is None or self._busy[group] < self.share

    def _release(self, key: K) -> None:
        self._running.discard(key)
        self._busy[self._group(key)] -= 1
        self._busy += Counter()  # drops groups that nobody works for
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def _ripen(self, now: float) -> None:
        self._drop_stale()
        while self._heap and self._heap[0][0] <= now:
            _, _, key = heapq.heappop(self._heap)
            del self._due[key]
            self.add(key)
            self._drop_stale()

    def _drop_stale(self) -> None:
        """Entries of the heap that an earlier time has replaced."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)


class WorkQueue(Generic[K]):
    """Keys wait here for one of the workers; see `Schedule` for the rules. For one event loop."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
        group: Callable[[K], Hashable] | None = None,
        on_depth: Callable[[int], None] = lambda depth: None,
    ) -> None:
        """`group`: keys of one group take turns with those of every other, and leave a worker to these."""
        self._clock = clock
        self._grouped = group is not None
        self._schedule = Schedule[K](jitter, group or (lambda key: None))
        self._on_depth = on_depth
        self._wake = asyncio.Event()
        self._stopping = False
        self._idle = 0

    def add(self, key: K) -> None:
        """Work on the key now."""
        self._schedule.add(key)
        self._wake.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Work on the key after this time, or sooner when anything adds it."""
        self._schedule.add_at(key, self._clock() + seconds)
        self._wake.set()

    def prioritize(self, key: K, *, urgent: bool) -> None:
        """From now on, whether the key comes before the others of its group."""
        self._schedule.prioritize(key, urgent=urgent)

    async def run(self, work: Callable[[K], Awaitable[None]], workers: int) -> None:
        """Call `work` for every key, at most `workers` at a time, until `stop`; then wait for what still runs."""
        self._idle = workers
        self._schedule.share = max(1, workers - 1) if self._grouped else None
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._wake.clear()
                while self._idle and (key := self._schedule.take(self._clock())) is not None:
                    self._idle -= 1
                    group.create_task(self._work(key, work), name=f"work on {key}")
                self._on_depth(len(self._schedule))
                await self._woken()

    @property
    def stopping(self) -> bool:
        """No key is taken any more."""
        return self._stopping

    def stop(self) -> None:
        """Take no further key; `run` returns when the running ones are done."""
        self._stopping = True
        self._wake.set()

    async def _work(self, key: K, work: Callable[[K], Awaitable[None]]) -> None:
        done = False
        try:
            await work(key)
            done = True
        except Exception:
            log.debug("%s failed", key, exc_info=True)
        finally:  # also for a CancelledError of something that the work waited for: the key must not run for ever
            if done:
                self._schedule.done(key)
            else:
                self._schedule.failed(key, self._clock())
            self._idle += 1
            self._wake.set()

    async def _woken(self) -> None:
        """Until something is added or done, or a waiting key ripens (while a worker is free to take it)."""
        due = self._schedule.next_due() if self._idle else None
        timeout = None if due is None else max(0.0, due - self._clock())
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return
