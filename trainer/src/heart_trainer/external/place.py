"""Where this process stands among the workers of a training, from the variables of XGBoost's launchers."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from heart_api.training import Training


@dataclass(frozen=True)
class Place:
    """Where a worker stands in a training."""

    tracker: str
    port: int
    workers: int
    rank: int


def place_of(training: Training, environ: Mapping[str, str]) -> Place | None:
    """None for a training by one process: another mode, or a laptop."""
    if training.scale.mode != "Distributed":
        return None
    tracker = environ.get("DMLC_TRACKER_URI")
    rank = environ.get("DMLC_TASK_ID") or environ.get("JOB_COMPLETION_INDEX")
    if not tracker or rank is None:
        return None
    return Place(tracker, int(environ["DMLC_TRACKER_PORT"]), int(environ["DMLC_NUM_WORKER"]), int(rank))


def is_worker(environ: Mapping[str, str]) -> bool:
    return "DMLC_TRACKER_URI" in environ


def leave(code: int) -> None:
    """End the process at once. After an error XGBoost would wait for workers that wait for this one."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
