"""Prometheus metric of Jobs and Deployments whose pods do not run; what runs leaves no series behind."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_operator.plan.observed import BlockedWorkload
from heart_operator.telemetry.owners import ByOwner

LABELS = ("namespace", "model", "name", "kind", "cause")


class BlockedCollector(ByOwner[BlockedWorkload], Collector):
    """Of all models, as their latest reconciles found them."""

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "heartops_blocked_workloads", "1 for a Job or Deployment whose pods do not run, by cause.", labels=LABELS
        )
        for key, entry in self:
            family.add_metric([key.namespace, key.name, entry.name, entry.kind, entry.cause], 1)
        yield family
