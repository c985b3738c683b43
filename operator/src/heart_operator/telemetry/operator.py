"""Prometheus metrics of the operator."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.heartmodel import HeartModelStatus
from heart_api.kube.objects import parse_status
from heart_api.kube.values import Manifest
from heart_api.names import evaluated_version
from heart_operator.plan.training.requests import CAUSES, requests_of
from heart_operator.telemetry.blocked import BlockedCollector
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
        self.trainings = Counter(
            "heartops_trainings",
            "Finished training and evaluation Jobs, by trigger and result.",
            ["trigger", "result"],
            registry=self.registry,
        )
        self.rollouts = Counter(
            "heartops_rollouts", "Finished rollouts, by result.", ["result"], registry=self.registry
        )

    def count_changes(self, before: HeartModelStatus, after: HeartModelStatus) -> None:
        """Count what ended between two recorded states of one model."""
        for trigger, result in ended_trainings(before, after):
            self.trainings.labels(trigger, result).inc()
        for result in ended_rollouts(before, after):
            self.rollouts.labels(result).inc()

    def stored(self, before: Manifest, status: object) -> None:
        """Count what ended between the stored object and the status that was written over it."""
        if isinstance(status, HeartModelStatus):
            self.count_changes(parse_status(before), status)

    def show(self, namespace: str, name: str, status: HeartModelStatus) -> None:
        """What is reported of the model now: its versions' roles, and what a candidate does."""
        self.tracks.models[namespace, name] = tracks(status)
        self._candidates.models[namespace, name] = status

    def forget(self, namespace: str, name: str) -> None:
        """The model is gone."""
        self.tracks.models.pop((namespace, name), None)
        self._candidates.models.pop((namespace, name), None)


def tracks(status: HeartModelStatus) -> Tracks:
    """Roles of a model's versions; the stable one wins where one version has two."""
    roles = (("previous", status.previous), ("candidate", status.candidate), ("stable", status.serving))
    return {role.version: track for track, role in roles if role}


def ended_trainings(before: HeartModelStatus, after: HeartModelStatus) -> list[tuple[str, str]]:
    """(trigger, result) of each training or evaluation that ended between the two.

    Only one that was recorded as running: an older Job that answers today's question again has been counted.
    """
    records = (before.training, after.training), (before.evaluation, after.evaluation)
    return [
        (kind_of(new.trigger), new.phase.lower())
        for old, new in records
        if old and new and old.job == new.job and old.phase == "Running" and new.phase != "Running"
    ]


def kind_of(trigger: str) -> str:
    """Why it was trained or measured: identities would make endless series."""
    if evaluated_version(trigger):
        return "evaluation"
    if requests := requests_of(trigger):
        return CAUSES[requests[0][0]].lower()
    return "retrain" if "-" in trigger else "spec"


def ended_rollouts(before: HeartModelStatus, after: HeartModelStatus) -> list[str]:
    """Results of the rollouts that ended between the two: `promoted`, `rejected`, `rolled_back` to the one before."""
    served = before.serving.version if before.serving else None
    serves = after.serving.version if after.serving else None
    changed = [] if serves in (None, served) else ["rolled_back" if is_return(before, serves) else "promoted"]
    known = {(entry.version, entry.reason, entry.time) for entry in before.rejected}
    rejected = [entry for entry in after.rejected if (entry.version, entry.reason, entry.time) not in known]
    return changed + ["rejected" for entry in rejected if entry.version != served]


def is_return(before: HeartModelStatus, version: str | None) -> bool:
    """Whether the version is the one that was kept warm for this."""
    return before.previous is not None and before.previous.version == version
