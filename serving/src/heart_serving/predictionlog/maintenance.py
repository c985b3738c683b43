"""The thread that maintains the log: live quality every half minute, deletion of old rows every hour.

Each pod computes the figures of its own version from the database: there is nothing to agree on, and every pod
says the same.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from heart_api.handover import ExperimentTarget
from heart_log.quality import Figures, estimate, measure
from heart_serving.experiment.experiment import MARK
from heart_serving.predictionlog.metrics import NO_ARMS, Arms
from heart_serving.predictionlog.sinks import RowsRejected, Unavailable

if TYPE_CHECKING:
    from heart_serving.predictionlog.store import Store

REFRESH_SECONDS = 30.0
CLEAN_SECONDS = 3600.0
"""Jittered, so that the pods of a model do not delete at one time."""
MOST_ROUNDS = 50
"""Rounds of deleting between two refreshes, so that a long backlog holds up no figures: 50,000 rows in half a minute,
which is more than a pod can write."""
NOTHING: Mapping[str, Figures] = MappingProxyType({})

logger = logging.getLogger("heart_serving")


class LogMaintenance:
    """`figures`: live quality by source (feedback, estimated); empty while the database does not answer."""

    def __init__(self, store: "Callable[[], Store]", labels: Sequence[str], retention: timedelta) -> None:
        self._store, self._labels, self._retention = store, labels, retention
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log-maintenance", daemon=True)
        self.figures = NOTHING
        self.arms = NO_ARMS
        self.experiment: Callable[[], ExperimentTarget | None] = lambda: None
        """Which experiment is on now."""

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing.set()

    def _run(self) -> None:
        clean_at = time.monotonic() + CLEAN_SECONDS * random.random()
        while not self._closing.is_set():
            try:
                self.refresh(datetime.now(UTC))
                if time.monotonic() >= clean_at and self.clean(datetime.now(UTC)):
                    clean_at = time.monotonic() + CLEAN_SECONDS * random.uniform(0.8, 1.2)
            except (Unavailable, RowsRejected):
                self.figures, self.arms = NOTHING, NO_ARMS  # the writer says why
            except Exception:
                self.figures, self.arms = NOTHING, NO_ARMS
                logger.exception("prediction log: live quality could not be computed")
            self._closing.wait(REFRESH_SECONDS)

    def refresh(self, now: datetime) -> None:
        """Compute `figures` from the rows that the log has at `now`. Raises Unavailable."""
        outcomes, outputs = self._store().known(now)
        self.figures = {"feedback": measure(outcomes, self._labels), "estimated": estimate(outputs, self._labels)}
        self.arms = self._known_arms()

    def _known_arms(self) -> Arms:
        """Of the experiment that is on, if its metric rests on outcomes."""
        target = self.experiment()
        if target is None or target.metric == "ErrorRate":
            return NO_ARMS
        return Arms(target.version, self._store().arms(target, MARK, self._labels))

    def clean(self, now: datetime) -> bool:
        """Deletes the model's rows that are older than their retention; whether none is left."""
        for _ in range(MOST_ROUNDS):
            if self._closing.is_set() or not self._store().forget(now - self._retention):
                return True
        return False
