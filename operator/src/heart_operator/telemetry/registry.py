"""Prometheus metric of the registry: whether the latest read of each MLflow server succeeded."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class RegistryCollector(Collector):
    """`read` returns server → whether it answered; an address has no user name and password."""

    def __init__(self, read: Callable[[], Mapping[str, bool]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "heartops_registry_available", "1 if the latest read of the MLflow server succeeded.", labels=["server"]
        )
        for server, available in sorted(self._read().items()):
            family.add_metric([server], float(available))
        yield family
