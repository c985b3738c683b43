"""How much, and for how long, MLflow may answer: whoever may write to a workspace decides what is in it.

A call of the backend has one budget for all of its requests. MLflow's client reads whole answers, so that the bytes are
counted in its HTTP adapter, as they come and after they were unpacked.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from heart_operator.mlflow.errors import RegistryError

MOST_BYTES = 8 * 2**20
"""Of one answer, which takes several times as much memory until it is read."""
MOST_OF_CALL = 64 * 2**20
SECONDS = 10.0
"""Of one call: nobody waits for it any longer, and the threads are few and everybody's."""


@dataclass(slots=True)
class Budget:
    """What is left of a call; `reason`: why it was ended."""

    left: int
    ends: float
    reason: str = ""

    def end(self, reason: str) -> RegistryError:
        self.reason = reason
        return RegistryError(reason)


_budget: ContextVar[Budget | None] = ContextVar("budget", default=None)


@contextmanager
def bounded() -> Iterator[None]:
    """What this thread asks MLflow for is bounded. Raises RegistryError, whatever MLflow's client makes of it."""
    budget = Budget(MOST_OF_CALL, time.monotonic() + SECONDS)
    before = _budget.set(budget)
    try:
        yield
    except Exception:
        if budget.reason:
            raise RegistryError(budget.reason) from None
        raise
    finally:
        _budget.reset(before)


def install() -> None:
    """Make MLflow's client count. Before its first request, as it keeps its sessions."""
    from mlflow.utils import request_utils  # noqa: PLC0415  slow to import

    original = request_utils.TCPKeepAliveHTTPAdapter

    class Counting(original):  # type: ignore[misc, valid-type]
        def send(self, *arguments: Any, **options: Any) -> Any:
            response = super().send(*arguments, **options)
            if (budget := _budget.get()) is not None:
                response.iter_content = partial(counted, response.iter_content, budget)
            return response

    if original.__name__ != Counting.__name__:
        request_utils.TCPKeepAliveHTTPAdapter = Counting


def counted(read: Callable[..., Iterator[bytes]], budget: Budget, *arguments: Any, **options: Any) -> Iterator[bytes]:
    """The chunks of one answer. Raises RegistryError."""
    left = min(MOST_BYTES, budget.left)
    for chunk in read(*arguments, **options):
        left -= len(chunk)
        budget.left -= len(chunk)
        if left < 0:
            raise budget.end("MLflow answers with too much: delete versions, runs and tags that nobody needs")
        if time.monotonic() > budget.ends:
            raise budget.end("MLflow takes too long to answer")
        yield chunk
