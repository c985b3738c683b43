"""The work queue: handlers add keys, workers reconcile them; retries belong here and nowhere else."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Generic

from heart_operator.controllers.backoff import K, Schedule

log = logging.getLogger(__name__)


class WorkQueue(Generic[K]):
    """Keys wait here for one of the workers; see `Schedule` for the rules. For one event loop."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
        on_depth: Callable[[int], None] = lambda depth: None,
    ) -> None:
        self._clock = clock
        self._schedule = Schedule[K](jitter)
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

    async def run(self, work: Callable[[K], Awaitable[None]], workers: int) -> None:
        """Call `work` for every key, at most `workers` at a time, until `stop`; then wait for what still runs."""
        self._idle = workers
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._wake.clear()
                while self._idle and (key := self._schedule.take(self._clock())) is not None:
                    self._idle -= 1
                    group.create_task(self._work(key, work), name=f"work on {key}")
                self._on_depth(len(self._schedule))
                await self._woken()

    def stop(self) -> None:
        """Take no further key; `run` returns when the running ones are done."""
        self._stopping = True
        self._wake.set()

    async def _work(self, key: K, work: Callable[[K], Awaitable[None]]) -> None:
        try:
            await work(key)
        except Exception:
            delay = self._schedule.failed(key, self._clock())
            log.debug("%s is tried again in %.1f s", key, delay)
        else:
            self._schedule.done(key)
        finally:
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
