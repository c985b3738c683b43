"""How much load is sent, and when each request is due."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

MOST_REQUESTS = 100_000
"""More would not fit in memory as single measurements, and belongs to a load generator inside the cluster."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Bounds of one run; it ends at the first that is reached."""

    seconds: float
    requests: int = MOST_REQUESTS
    rate: float = 0.0
    """Requests per second over all connections; 0: each connection sends as soon as it has its response."""
    connections: int = 4


class Schedule:
    """Hands out the times at which requests are due; safe to use from several threads."""

    def __init__(self, plan: Plan, clock: Callable[[], float]) -> None:
        self._plan, self._clock = plan, clock
        self._lock = threading.Lock()
        self._started = clock()
        self._given = 0

    def next(self) -> tuple[int, float] | None:
        """Number of the next request (from 0) and the time at which it is due; None after the last one."""
        with self._lock:
            number, now = self._given, self._clock()
            due = self._started + number / self._plan.rate if self._plan.rate else now
            ends = self._started + self._plan.seconds
            if number >= self._plan.requests or max(now, due) >= ends:
                return None
            self._given += 1
            return number, due
