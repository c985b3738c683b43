"""Locks between the workers of a test run: one has a turn, or many share it."""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(name: str, *, shared: bool = False) -> Iterator[None]:
    """Waits until it is granted; ends with the process at the latest."""
    with (Path(tempfile.gettempdir()) / f"heartops-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
