"""Which key is worked on when: the queue's rules, without a clock, a thread or a loop.

A key is worked on by one worker at a time, waits at most once, and is worked on again when it was added meanwhile.
"""

import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

FIRST_BACKOFF = 1.0
"""Seconds before the first retry; doubled by every further failure."""
LONGEST_BACKOFF = 120.0


K = TypeVar("K", bound=Hashable)


class Schedule(Generic[K]):
    """Times are seconds of any monotonic clock, given by the caller."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        """`jitter` returns numbers of [0, 1): retries of many keys must not fall together."""
        self._jitter = jitter
        self._ready: dict[K, None] = {}
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
            self._ready[key] = None

    def add_at(self, key: K, when: float) -> None:
        """Work on the key at this time; the earliest of several times counts."""
        if when < self._due.get(key, float("inf")):
            self._due[key] = when
            self._order += 1
            heapq.heappush(self._heap, (when, self._order, key))

    def take(self, now: float) -> K | None:
        """The next key to work on, which is then running until `done`; None when there is none.

        What the key waited for later is forgotten: who works on it says again when to look.
        """
        self._ripen(now)
        key = next(iter(self._ready), None)
        if key is not None:
            del self._ready[key]
            self._due.pop(key, None)
            self._running.add(key)
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

    def _release(self, key: K) -> None:
        self._running.discard(key)
        if key in self._again:
            self._again.discard(key)
            self._ready[key] = None

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
