"""Where a prediction is computed, and whether it is taken on: on the event loop when small, else by the worker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from heart_serving.admission.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Capacity:
    """One for all ways into the server, so that they share its bounds. Used on the event loop alone."""

    worker: Worker
    inline_bytes: int
    """The longest body that is answered on the event loop."""
    max_in_flight: int
    """Requests begun and not answered."""

    def is_small(self, size: int) -> bool:
        """Return whether a body of `size` bytes is answered on the event loop, without waiting for the worker."""
        return size <= self.inline_bytes

    def check(self, size: int) -> None:
        """Raise Busy for a body of `size` bytes if the worker has no time for it."""
        if not self.is_small(size):
            self.worker.check()

    async def run(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, for a body of `size` bytes. Raises Busy, and whatever `work` raises."""
        if self.is_small(size):
            return work(*args, **kwargs)
        return await self.worker.run(work, *args, **kwargs)
