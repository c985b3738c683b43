"""Prometheus metrics of federated trainings: each site's part in a model's latest one."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from heart_api.heartmodel import HeartModelStatus
from heart_api.status import TrainingSite

LABELS = ("namespace", "model", "site")
LOST = ("Offline", "Late", "Rejected", "Withdrawn")


class FederationCollector(Collector):
    """Of all models, as reported last; a model that is gone leaves no series behind."""

    def __init__(self) -> None:
        self.models: dict[tuple[str, str], HeartModelStatus] = {}

    def collect(self) -> Iterable[Metric]:
        exchanges = family("exchanges", "Exchanges that the site has answered in the model's latest training.")
        size = family("received_bytes", "Size of the site's answers in the model's latest training.")
        seconds = family("seconds", "Time that the site took to answer in the model's latest training.")
        lost = family("lost", "1 if the model's latest training went on or ended without the site.")
        for (namespace, model), status in sorted(self.models.items()):
            for site in parts(status):
                labels = [namespace, model, site.site]
                exchanges.add_metric(labels, site.exchanges)
                size.add_metric(labels, site.received_bytes)
                seconds.add_metric(labels, site.seconds)
                lost.add_metric(labels, site.state in LOST)
        yield from (exchanges, size, seconds, lost)


def family(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"heartops_federation_site_{name}", text, labels=LABELS)


def parts(status: HeartModelStatus) -> tuple[TrainingSite, ...]:
    return (status.training.sites if status.training else None) or ()
