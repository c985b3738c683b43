"""The operator dies at its writes, again and again, and another one starts each time.

To the API server and the registry a process is dead from the moment on at which nothing of it arrives any more. So a
fuse sits where writes leave: it lets some pass, cuts one (before it is sent, or after it was carried out and before
the operator hears of that), and lets nothing pass afterwards. The process that is left is thrown away, memory and all.
"""

import threading
from types import TracebackType
from typing import Any

import pytest

from heart_api.kube.values import Manifest
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiUnavailable
from heart_operator.plan.actions import RegistryAction
from tests.support.apiserver.world import World


class Cut(ApiUnavailable):
    """The process is dead; nobody hears this."""


class Fuse:
    """Blows at every n-th write of a life: in turns before the write is carried out, and after."""

    def __init__(self, every: int) -> None:
        self.blown = threading.Event()
        self.cuts: list[str] = []
        """`before` or `after` with the write that was cut."""
        self._every = self._left = every
        self._before = True

    def renew(self) -> None:
        """For the next life."""
        self._left, self._before = self._every, not self._before
        self.blown.clear()

    def enter(self, what: str) -> bool:
        """Before a write; whether it is the one after which all ends. Raises Cut when it must not be sent."""
        self.check()
        self._left -= 1
        if self._left:
            return False
        if self._before:
            self.blow(f"before {what}")
        return True

    def blow(self, what: str) -> None:
        self.cuts.append(what)
        self.blown.set()
        raise Cut(what)

    def check(self) -> None:
        if self.blown.is_set():
            raise Cut("dead")


class Lives:
    """`with Lives(world, every, patch):` an operator runs, and dies at every n-th write, until `end()`."""

    def __init__(self, world: World, every: int, patch: pytest.MonkeyPatch) -> None:
        self.fuse = Fuse(every)
        self._world = world
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._error: Exception | None = None
        patch.setattr(Cluster, "request", self._guard_cluster(Cluster.request))
        patch.setattr(world.registry, "act", self._guard_registry(world.registry.act))

    def __enter__(self) -> "Lives":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(60)
        self.fuse.blown.clear()
        if self._error:
            raise self._error

    def _live(self) -> None:
        try:
            while not self._ended.is_set():
                self._live_once()
        except Exception as error:
            self._error = error

    def _live_once(self) -> None:
        self.fuse.renew()
        with self._world.start() as operator:
            while not self._ended.is_set() and not self.fuse.blown.wait(0.05):
                pass
            operator.kill()

    def _guard_cluster(self, real: Any) -> Any:
        async def request(cluster: Cluster, method: str, path: str, *rest: Any, **more: Any) -> Manifest:
            if method == "GET":
                read: Manifest = await real(cluster, method, path, *rest, **more)
                return read
            if "/leases" in path:
                self.fuse.check()
                return await real(cluster, method, path, *rest, **more)
            last = self.fuse.enter(f"{method} {path}")
            answer: Manifest = await real(cluster, method, path, *rest, **more)
            if last:
                self.fuse.blow(f"after {method} {path}")
            return answer

        return request

    def _guard_registry(self, real: Any) -> Any:
        def act(name: str, action: RegistryAction) -> None:
            last = self.fuse.enter(f"registry {action}")
            real(name, action)
            if last:
                self.fuse.blow(f"after registry {action}")

        return act
