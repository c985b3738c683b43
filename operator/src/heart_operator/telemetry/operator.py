"""Prometheus metrics of the operator."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.heartmodel import HeartModelStatus
from heart_api.kube.objects import parse_status
from heart_api.kube.values import Manifest, ModelKey
from heart_operator.telemetry.blocked import BlockedCollector
from heart_operator.telemetry.ended import EndedMetrics
from heart_operator.telemetry.federation import FederationCollector
from heart_operator.telemetry.quota import QuotaCollector
from heart_operator.telemetry.rollout import RolloutCollector
from heart_operator.telemetry.schedules import ScheduleMetrics

Tracks = Mapping[str, str]
"""Version → its role: stable, candidate or previous."""
DURATIONS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class TrackCollector(Collector):
    """Roles of versions, as reported last; a role that ended leaves no series behind."""

    def __init__(self) -> None:
        self.models: dict[tuple[str, str], Tracks] = {}

    def collect(self) -> Iterable[Metric]:
        labels = ["namespace", "model", "version", "track"]
        family = GaugeMetricFamily(
            "heartops_model_track", "Role of a model version: stable, candidate or previous.", labels=labels
        )
        for (namespace, model), tracks in sorted(self.models.items()):
            for version, track in tracks.items():
                family.add_metric([namespace, model, version, track], 1)
        yield family


class Metrics:
    """One operator's metrics in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.tracks = TrackCollector()
        self.registry.register(self.tracks)
        self.schedules = ScheduleMetrics()
        self.registry.register(self.schedules)
        self.blocked = BlockedCollector()
        self.registry.register(self.blocked)
        self.quota = QuotaCollector()
        self.registry.register(self.quota)
        self._sites = FederationCollector()
        self.registry.register(self._sites)
        self._candidates = RolloutCollector()
        self.registry.register(self._candidates)
        self.duration = Histogram(
            "heartops_reconcile_duration_seconds",
            "Duration of a HeartModel reconcile.",
            registry=self.registry,
            buckets=DURATIONS,
        )
        self.errors = Counter(
            "heartops_reconcile_errors", "Failed HeartModel reconciles; each is retried.", registry=self.registry
        )
        self.depth = Gauge(
            "heartops_workqueue_depth", "Number of HeartModels waiting in the work queue.", registry=self.registry
        )
        self.leader = Gauge("heartops_is_leader", "1 if this replica is the leader.", registry=self.registry)
        self.ended = EndedMetrics(self.registry)
        ProcessCollector(registry=self.registry)

    def stored(self, before: Manifest, status: object) -> None:
        """Count what ended between the stored object and the status that was written over it."""
        if isinstance(status, HeartModelStatus):
            meta = before["metadata"]
            self.ended.count(ModelKey(meta["namespace"], meta["name"]), parse_status(before), status)

    def show(self, namespace: str, name: str, status: HeartModelStatus) -> None:
        """What is reported of the model now: its versions' roles, and what a candidate does."""
        self.ended.begin(ModelKey(namespace, name))
        self.tracks.models[namespace, name] = tracks(status)
        self._candidates.models[namespace, name] = status
        self._sites.models[namespace, name] = status

    def forget(self, namespace: str, name: str) -> None:
        """The model is gone."""
        self.tracks.models.pop((namespace, name), None)
        self._candidates.models.pop((namespace, name), None)
        self._sites.models.pop((namespace, name), None)
        self.ended.forget(ModelKey(namespace, name))


def tracks(status: HeartModelStatus) -> Tracks:
    """Roles of a model's versions; the stable one wins where one version has two."""
    roles = (("previous", status.previous), ("candidate", status.candidate), ("stable", status.serving))
    return {role.version: track for track, role in roles if role}
