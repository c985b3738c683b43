"""How the parts of a process end: on a signal, with another part, within a time."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any


async def first_of(*parts: Coroutine[Any, Any, Any]) -> None:
    """Run all until one ends, then cancel the others; raises what that one raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def unending(task: asyncio.Task[None]) -> None:
    """Wait for a part that should never end; cancelling the wait leaves the part alone."""
    await asyncio.wait([task])
    task.result()
    raise RuntimeError(f"the {task.get_name()} ended by themselves")


async def ended(task: asyncio.Task[None], grace: float) -> None:
    """Give a part the time to end by itself, then cancel it. What it raised is not raised again."""
    await asyncio.wait([task], timeout=grace)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`. Only the main thread may install signal handlers."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
