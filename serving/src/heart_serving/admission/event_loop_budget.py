"""How much processor time the event loop spends on all that has arrived at one time.

Requests are judged by what came before them in the same pass of the event loop, and a pass with rejections ends in a
rest: the processor is the worker thread's meanwhile, and what arrives is rejected in one go.
"""

import asyncio
import time

from heart_serving.admission.worker import BUDGET_SECONDS, rest_seconds


class EventLoopBudget:
    """Keeps rejections from taking the event loop's time from requests. Used on the event loop alone."""

    def __init__(self) -> None:
        self.handed_over = 0
        """Requests that are on their way to the worker, and not yet in its queue."""
        self._began: float | None = None
        self._worked = 0.0
        self._rejections = 0

    def is_exhausted(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether this thread has worked longer than a client should wait. The first call begins the pass.

        A thread that got no processor for a while (a busy node, a CPU limit) is not overloaded: what has
        arrived meanwhile is answered. The clock is read first because it costs a seventh.
        """
        now = time.monotonic()
        if self._began is None:
            self._began, self._worked = now, time.thread_time()
            loop.call_soon(self._end)  # the event loop reads everything that has arrived before it calls this
        return now - self._began > BUDGET_SECONDS and time.thread_time() - self._worked > BUDGET_SECONDS

    def count_rejection(self, loop: asyncio.AbstractEventLoop) -> None:
        """Count one more request that the worker has no time for; the loop may rest after this pass."""
        if not self._rejections:
            loop.call_soon(self._rest)
        self._rejections += 1

    def _end(self) -> None:
        self._began, self.handed_over = None, 0

    def _rest(self) -> None:
        rejections, self._rejections = self._rejections, 0
        time.sleep(rest_seconds(rejections))  # blocks on purpose
