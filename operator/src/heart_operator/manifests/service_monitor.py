"""The ServiceMonitor: how a Prometheus Operator finds the model's metrics."""

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, Label
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.alerting import monitoring_metadata


def build_service_monitor(model: HeartModel, profile: RuntimeProfile) -> Manifest:
    """Scrape every ready pod of every version through the headless Service (the other one selects the stable version
    only)."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": monitoring_metadata(model, profile),
        "spec": {
            "jobLabel": Label.MODEL,
            "selector": {"matchLabels": {Label.MODEL: model.name, Label.COMPONENT: Component.PODS}},
            "endpoints": [{"port": "management", "path": "/metrics", "interval": "15s", "scrapeTimeout": "10s"}],
            # A model that went wild must not fill the cluster's Prometheus.
            "sampleLimit": 10000,
        },
    }
