"""Prometheus metrics of what waits for a quota; what no longer waits leaves no series behind."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.kube.values import ModelKey
from heart_operator.plan.quota import QuotaWait
from heart_operator.telemetry.owners import ByOwner

LABELS = ("namespace", "model", "quota")


class QuotaCollector(ByOwner[QuotaWait], Collector):
    """Of all models and schedules, as their latest reconciles found them."""

    def waiting_for(self, namespace: str, quotas: frozenset[str]) -> list[ModelKey]:
        """Models of the namespace that wait for one of these quotas, or whose schedules do."""
        return [
            key
            for key, owners in self._found.items()
            if key.namespace == namespace and any(wait.quota in quotas for waits in owners.values() for wait in waits)
        ]

    def collect(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily(
            "heartops_quota_waiting", "1 for a model that waits for a quota of its namespace.", labels=LABELS
        )
        until = GaugeMetricFamily(
            "heartops_quota_waiting_until_timestamp_seconds",
            "Time at which a training that waits for the hourly quota may start.",
            labels=LABELS,
        )
        for key, quota, moment in sorted({(key, wait.quota, wait.until) for key, wait in self}, key=str):
            waiting.add_metric([key.namespace, key.name, quota], 1)
            if moment:
                until.add_metric([key.namespace, key.name, quota], moment.timestamp())
        yield from (waiting, until)
