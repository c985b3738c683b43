"""How much is taken on: what is answered on the event loop, and how much may wait for the worker thread.

Small requests never wait in the process: they are answered as they are read, as many in a row as take 40 ms, which are
some hundreds. Everything longer goes to the thread, where as much may wait as is done in half a second; while more than
that comes, the event loop leaves the processor to the thread most of the time, and rejects what has come in between.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from heart_serving.admission.request_body import OVERLOADED
from heart_serving.errors import Problem

INLINE_SECONDS = 0.001
"""What may be done on the event loop in one go."""
PARSE_SECONDS = 2.5e-6
"""Parsing, checking and writing of one record (bench: 100 records)."""
BUDGET_SECONDS = 0.04
"""Processor time of the event loop for what has arrived at one time; the rest of it is rejected."""
WAIT_SECONDS = 0.5
"""How long the last in the queue waits, about: an answer that comes later is often no longer waited for."""
LEAST = 4
"""Requests that may wait however slow the model is."""
FIRST_GUESS = 0.01
"""Seconds per request before one was measured."""
MEMORY = 16
"""Requests over which the mean forgets."""

REJECTION_SECONDS = 50e-6
"""Reading and rejecting one request (bench: ten times the capacity)."""
REST_SHARE = 0.9
"""Of the event loop's time while the worker's queue is full."""
LEAST_REST, LONGEST_REST = 0.01, 0.03
"""A short rest has the processor switch for every request; after a long one rejections come later than in 50 ms."""

P = ParamSpec("P")
T = TypeVar("T")


class Busy(Problem):
    """Raised for what is not taken on. Made anew each time: one that is raised again keeps the frames of every time."""

    def __init__(self) -> None:
        super().__init__(503, "the server is busy: try again", OVERLOADED)


def inline_bytes(first: float, further: float, record_bytes: int) -> int:
    """The longest body that is answered on the event loop; 0: none.

    first, further: seconds that the model needs for one row alone, and for each one more.
    """
    rows = (INLINE_SECONDS - first) / (further + PARSE_SECONDS)
    return int(rows * record_bytes) if rows >= 1 else 0


def rest_seconds(rejections: int) -> float:
    """Return how long the event loop rests after `rejections` rejected requests in one pass."""
    wanted = rejections * REJECTION_SECONDS * REST_SHARE / (1 - REST_SHARE)
    return min(max(wanted, LEAST_REST), LONGEST_REST)


class Worker:
    """One thread, and a bounded queue before it. Used on the event loop alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._thread = ThreadPoolExecutor(1, "predict")
        self._mean = FIRST_GUESS
        self.pending = 0

    @property
    def places(self) -> int:
        """Return how many requests may be pending at the pace of the last ones."""
        return max(LEAST, min(self._most, int(WAIT_SECONDS / self._mean)))

    def is_full(self, ahead: int = 0) -> bool:
        """Return whether the queue has no place. `ahead`: requests that will be in it in a moment."""
        return self.pending + ahead >= self.places

    def check(self) -> None:
        """Raise Busy when the queue is full."""
        if self.is_full():
            raise Busy

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, once its turn has come. Raises what `work` raises, and Busy."""
        self.check()
        self.pending += 1
        try:
            result, seconds = await asyncio.get_running_loop().run_in_executor(
                self._thread, lambda: timed(work, *args, **kwargs)
            )
        finally:
            self.pending -= 1
        self._mean += (seconds - self._mean) / MEMORY
        return result


def timed(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, float]:
    """Return (what `work` returns, seconds that it took)."""
    started = time.perf_counter()
    return work(*args, **kwargs), time.perf_counter() - started
