"""File locks by name, so that two invocations wait for each other instead of colliding."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from hack.cluster.paths import cache_dir
from hack.cluster.report import say


@contextmanager
def locked(name: str, *, shared: bool = False) -> Iterator[None]:
    """Hold the named lock of the cache, alone or with others who share it; says so when it has to wait."""
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    folder = cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as handle:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another invocation holds the lock {name!r}: waiting for it")
            fcntl.flock(handle, kind)
        yield
