"""Whether this process still sees what happens in the cluster.

A watch can go silent without an error. The holder of the Lease renews it every few seconds, so its own renewals must
come back through the watch. When they do not, either the API server is away (a restart would not help), or the watch
is dead though the API server answers (a restart helps).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from heart_operator.kube.errors import ApiError

STALE_AFTER = 90.0
"""Seconds; a dead watch is begun anew by itself after less than this."""


class Pulse:
    """When the watch last delivered a renewal of this replica's Lease."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: float | None = None

    def beat(self) -> None:
        """A renewal was seen, or leading began."""
        self._last = self._clock()

    @property
    def is_stale(self) -> bool:
        """Never while waiting for the Lease: a standby replica watches nothing."""
        return self._last is not None and self._clock() - self._last > STALE_AFTER


async def is_alive(pulse: Pulse, read_lease: Callable[[], Awaitable[Any]]) -> bool:
    """False only when the API server answers and the watch is stale all the same."""
    if not pulse.is_stale:
        return True
    try:
        await read_lease()
    except ApiError:
        return True
    return False
