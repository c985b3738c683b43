"""Calls of MLflow's blocking client: in a small pool of threads, and never longer than a timeout."""

import asyncio
import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from heart_api.outbox import OutboxEntry
from heart_operator.mlflow.backend import MlflowBackend, Snapshot
from heart_operator.mlflow.errors import RegistryError
from heart_operator.plan.actions import RegistryAction

TIMEOUT = 10.0
"""Seconds that a reconcile waits for MLflow at most."""
THREADS = 4
T = TypeVar("T")


class Backend(Protocol):
    """Blocking calls of one registry."""

    def snapshot(self, named: Collection[str] = ()) -> Snapshot: ...

    def read_artifact(self, run_id: str, path: str, limit: int) -> bytes: ...

    def act(self, registry_name: str, action: RegistryAction) -> None: ...

    def record(self, registry_name: str, entries: Sequence[OutboxEntry]) -> None: ...


class RegistryUnavailable(Exception):
    """MLflow did not answer, or sent an unexpected response."""


class RegistryCalls:
    """One backend per tracking server, connected when it is needed first."""

    def __init__(self, connect: Callable[[str], Backend] = MlflowBackend, timeout: float = TIMEOUT) -> None:
        self._connect = connect
        self._timeout = timeout
        self._backends: dict[str, Backend] = {}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="registry")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def call(self, uri: str, what: Callable[[Backend], T]) -> T:
        """Raises RegistryUnavailable when it was not done for sure."""
        backend = self._backend(uri)
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._pool, what, backend)
        except TimeoutError:
            raise RegistryUnavailable(f"MLflow at {public(uri)} did not answer in {self._timeout:.0f} s") from None
        except RegistryError as error:
            raise RegistryUnavailable(str(error)) from None
        except Exception as error:
            raise RegistryUnavailable(f"MLflow at {public(uri)}: {brief(error)}") from error

    def _backend(self, uri: str) -> Backend:
        if uri not in self._backends:
            self._backends[uri] = self._connect(uri)
        return self._backends[uri]


def public(uri: str) -> str:
    """The address without a user name and password."""
    return re.sub(r"//[^/@]*@", "//", uri)


def brief(error: Exception) -> str:
    """The error's type and the start of its message; MLflow's client repeats whole requests in its messages."""
    lines = re.sub(r"//[^/@\s]*@", "//", str(error)).splitlines()
    return f"{type(error).__name__}: {lines[0][:160]}" if lines else type(error).__name__
