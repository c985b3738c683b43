"""The processes that search, started before they are needed: they import while the trainer itself does."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TypeVar

import joblib
from joblib.externals.loky import get_reusable_executor

from heart_api.training import LINEAR, Training

T = TypeVar("T")

SEARCH = "heart_trainer.fit.recipe"
"""What they run, and need more than a second to import."""


def start_workers(training: Training) -> None:
    """Begin to start them, and return at once."""
    if number := workers_of(training):
        threading.Thread(target=_import_in_each, args=(number,), daemon=True).start()


def workers_of(training: Training) -> int:
    """How many there are.

    None where the trainer searches alone: on one core, with a holdout, with linear families only, on data that it
    reads in chunks.
    """
    if training.holdout or training.scale.mode in ("External", "Distributed"):
        return 0
    number = min(joblib.cpu_count(), training.cross_validation.folds + 1)
    return number if number > 1 and not LINEAR.issuperset(training.algorithms or ("random-forest",)) else 0


def stop_workers() -> None:
    """End them at once. At its own end the interpreter would wait until each has cleaned up, most of a second."""
    get_reusable_executor(reuse=True).shutdown(kill_workers=True)  # needs psutil


def begin_beside(workers: int, work: Callable[[], T]) -> Callable[[], T]:
    """Have one of the processes do what can be pickled; the result is waited for when it is asked for.

    Without processes the work is done then. What `work` raises is raised then.
    """
    if not workers:
        return work
    waiting = ThreadPoolExecutor(1)
    results = waiting.submit(joblib.Parallel(n_jobs=workers), [joblib.delayed(work)()])
    waiting.shutdown(wait=False)
    return lambda: results.result()[0]


def _import_in_each(number: int) -> None:
    """The pool is joblib's own, which later calls with as many processes use again."""
    joblib.Parallel(n_jobs=number)(joblib.delayed(import_module)(SEARCH) for _ in range(number))
