"""Prometheus metrics of what ended: trainings, rollouts, and the times of DORA's key metrics.

A model's series start at 0 when it is first seen, since `increase()` does not count a series' first value; they end
with the model.
"""

from itertools import product

from prometheus_client import CollectorRegistry, Counter, Histogram

from heart_api.heartmodel import HeartModelStatus
from heart_api.kube.values import ModelKey
from heart_operator.telemetry.delivery import PHASES, RESULTS, TRIGGERS, ended_rollouts, ended_trainings

MODEL = ("namespace", "model")
MINUTE, HOUR, DAY = 60, 3600, 86400
TRAININGS = (15, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR)
DELIVERIES = (MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY)
"""Upper edges of the buckets, in seconds."""


class EndedMetrics:
    """Counters and histograms of all models in an operator's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._trainings = Counter(
            "heartops_trainings",
            "Finished training and evaluation Jobs, by trigger and result.",
            (*MODEL, "trigger", "result"),
            registry=registry,
        )
        self._durations = Histogram(
            "heartops_training_duration_seconds",
            "Duration of finished training and evaluation Jobs.",
            MODEL,
            registry=registry,
            buckets=TRAININGS,
        )
        self._rollouts = Counter(
            "heartops_rollouts",
            "Versions promoted, rejected during their rollout, rolled back, or rejected by their gates.",
            (*MODEL, "result"),
            registry=registry,
        )
        self._lead_times = Histogram(
            "heartops_lead_time_seconds",
            "Time from the start of a version's training to its promotion.",
            MODEL,
            registry=registry,
            buckets=DELIVERIES,
        )
        self._restores = Histogram(
            "heartops_time_to_restore_seconds",
            "Time from the rollout or promotion of a version that failed until it was taken back.",
            MODEL,
            registry=registry,
            buckets=DELIVERIES,
        )
        self._known: set[ModelKey] = set()

    def begin(self, key: ModelKey) -> None:
        """Series of a model, at 0."""
        if key in self._known:
            return
        self._known.add(key)
        for trigger, result in product(TRIGGERS, PHASES):
            self._trainings.labels(key.namespace, key.name, trigger, result)
        for result in RESULTS:
            self._rollouts.labels(key.namespace, key.name, result)
        for histogram in (self._durations, self._lead_times, self._restores):
            histogram.labels(key.namespace, key.name)

    def count(self, key: ModelKey, before: HeartModelStatus, after: HeartModelStatus) -> None:
        """What ended between two recorded states of one model."""
        self.begin(key)
        labels = (key.namespace, key.name)
        for training in ended_trainings(before, after):
            self._trainings.labels(*labels, training.trigger, training.result).inc()
            if training.seconds is not None:
                self._durations.labels(*labels).observe(training.seconds)
        for rollout in ended_rollouts(before, after):
            self._rollouts.labels(*labels, rollout.result).inc()
            if rollout.lead_time is not None:
                self._lead_times.labels(*labels).observe(rollout.lead_time)
            if rollout.time_to_restore is not None:
                self._restores.labels(*labels).observe(rollout.time_to_restore)

    def forget(self, key: ModelKey) -> None:
        """The model is gone."""
        if key not in self._known:
            return
        self._known.remove(key)
        for trigger, result in product(TRIGGERS, PHASES):
            self._trainings.remove(key.namespace, key.name, trigger, result)
        for result in RESULTS:
            self._rollouts.remove(key.namespace, key.name, result)
        for histogram in (self._durations, self._lead_times, self._restores):
            histogram.remove(key.namespace, key.name)
