"""Prometheus metric of Jobs and Deployments whose pods do not run; what runs leaves no series behind."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.kube.values import ModelKey
from heart_operator.plan.observed import BlockedWorkload

LABELS = ("namespace", "model", "name", "kind", "cause")


class BlockedCollector(Collector):
    """Of all models, as their latest reconciles found them."""

    def __init__(self) -> None:
        self._found: dict[ModelKey, dict[str, tuple[BlockedWorkload, ...]]] = {}

    def show(self, key: ModelKey, owner: str, workloads: tuple[BlockedWorkload, ...]) -> None:
        """`owner`: uid of the HeartModel or RetrainSchedule that owns them."""
        self._found.setdefault(key, {})[owner] = workloads

    def keep_only(self, key: ModelKey, owners: Iterable[str]) -> None:
        """Of a model and its schedules, those that are still there."""
        known, kept = self._found.pop(key, {}), set(owners)
        if left := {owner: workloads for owner, workloads in known.items() if owner in kept}:
            self._found[key] = left

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "heartops_blocked_workloads", "1 for a Job or Deployment whose pods do not run, by cause.", labels=LABELS
        )
        for key, owners in sorted(self._found.items(), key=lambda item: str(item[0])):
            for entry in sorted({entry for workloads in owners.values() for entry in workloads}, key=str):
                family.add_metric([key.namespace, key.name, entry.name, entry.kind, entry.cause], 1)
        yield family
