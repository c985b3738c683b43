"""How a process of ours starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Imports without the garbage collector, and leaves it nothing of them to look through later.

    Modules stay for good, and yet it goes through all of them anew while more are made: that was half of the time
    until a process is ready (the trainer needs 2.4 seconds in place of 4.8).
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
