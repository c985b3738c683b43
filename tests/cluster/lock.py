"""One file lock per slow thing, so that two invocations wait for each other instead of colliding."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from .paths import cache_dir
from .report import say


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the named lock of the cache; says so when somebody else has it."""
    folder = cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another invocation holds the lock {name!r}: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
