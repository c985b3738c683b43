"""The processes that search, started before they are needed: they import while the trainer itself does."""

import threading
from importlib import import_module

import joblib

from heart_api.training import LINEAR, Training

SEARCH = "heart_trainer.fit.recipe"
"""What they run, and need more than a second to import."""


def start_workers(training: Training) -> None:
    """Begin to start them, and return at once.

    None are started where the trainer searches alone: on one core, with a holdout, with linear families only, on data
    that it reads in chunks.
    """
    if training.scale.mode in ("External", "Distributed"):
        return
    searches = training.cross_validation.folds + 1
    number = 1 if training.holdout else min(joblib.cpu_count(), searches)
    if number > 1 and not LINEAR.issuperset(training.algorithms or ("random-forest",)):
        threading.Thread(target=_import_in_each, args=(number,), daemon=True).start()


def _import_in_each(number: int) -> None:
    """The pool is joblib's own, which later calls with as many processes use again."""
    joblib.Parallel(n_jobs=number)(joblib.delayed(import_module)(SEARCH) for _ in range(number))
