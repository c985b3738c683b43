"""Puts the log together for one model version."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from heart_api.handover import Env
from heart_log.values import Source
from heart_serving.predictionlog.maintenance import LogMaintenance
from heart_serving.predictionlog.metrics import LogMetrics
from heart_serving.predictionlog.recorder import DroppingRecorder, NoRecorder, Queue, Recorder
from heart_serving.predictionlog.settings import LogSettings
from heart_serving.predictionlog.sinks import Sink, Stdout, Unavailable
from heart_serving.predictionlog.writer import Writer
from heart_serving.protocols.answers import Answers

if TYPE_CHECKING:
    from heart_serving.predictionlog.store import Store

CLOSE_SECONDS = 5.0
"""For what still waits when the server has answered its last request; within the pod's grace period."""

logger = logging.getLogger("heart_serving")


class LazyStore:
    """Opens the database when somebody first needs it, in that thread: loading its libraries takes a while."""

    def __init__(self, url: str, source: Source) -> None:
        self._url, self._source = url, source
        self._lock = threading.Lock()
        self._store: Store | None = None

    def __call__(self) -> "Store":
        """The store, which the first call opens. Raises Unavailable if the database cannot be reached."""
        with self._lock:
            if self._store is None:
                self._store = self._open()
            return self._store

    def _open(self) -> "Store":
        from heart_log.database import BadUrl  # noqa: PLC0415
        from heart_serving.predictionlog.store import Store  # noqa: PLC0415

        try:
            return Store.open(self._url, self._source)
        except BadUrl as error:
            raise Unavailable(str(error)) from None


@dataclass(frozen=True, slots=True)
class PredictionLogging:
    """`recorder` is the hot path's, `metrics` /metrics', `store` /feedback's (None: there is no database)."""

    recorder: Recorder
    metrics: LogMetrics
    store: "Callable[[], Store] | None" = None
    writer: Writer | None = None
    maintenance: LogMaintenance | None = None

    def start(self) -> None:
        for part in (self.writer, self.maintenance):
            if part:
                part.start()

    def close(self) -> None:
        """When nothing is predicted any more: writes what still waits."""
        if self.maintenance:
            self.maintenance.close()
        if self.writer:
            self.writer.close(CLOSE_SECONDS)


def build_log(settings: LogSettings, source: Source, answers: Answers) -> PredictionLogging:
    """The prediction log that the settings ask for; its threads are started by the caller."""
    metrics = LogMetrics({"model_name": source.model, "model_version": source.version})
    if settings.spec.sink == "None":
        return PredictionLogging(NoRecorder(), metrics)
    if settings.spec.sink == "Stdout":
        stdout = Stdout(model=source.model, version=source.version, digest=source.digest)
        return _with_writer(settings, answers, metrics, lambda: stdout)
    if not settings.url:
        logger.warning(
            "prediction log: the Secret heartops-runtime of this namespace has no %s, so nothing is logged; add it"
            " (the chart's NOTES say how), or set spec.serving.predictionLog.sink to None",
            Env.DATABASE_URL,
        )
        return PredictionLogging(DroppingRecorder(metrics.dropped, "no_database"), metrics)
    return _with_database(settings, source, answers, metrics)


def _with_database(settings: LogSettings, source: Source, answers: Answers, metrics: LogMetrics) -> PredictionLogging:
    store = LazyStore(settings.url, source)
    maintenance = LogMaintenance(store, answers.labels, timedelta(days=settings.spec.retention_days))
    metrics.figures = lambda: maintenance.figures
    metrics.arms = lambda: maintenance.arms
    return replace(_with_writer(settings, answers, metrics, store), store=store, maintenance=maintenance)


def _with_writer(
    settings: LogSettings, answers: Answers, metrics: LogMetrics, sink: Callable[[], Sink]
) -> PredictionLogging:
    queue = Queue(settings.spec, metrics.dropped)
    writer = Writer(queue, answers, sink, metrics.dropped, settings.spec.labels)
    metrics.waiting = lambda: queue.rows
    metrics.written = lambda: writer.written
    metrics.errors = lambda: writer.errors
    return PredictionLogging(queue, metrics, writer=writer)
