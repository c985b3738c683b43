"""The HorizontalPodAutoscaler of the version that serves."""

from typing import Any

from heart_api.durations import seconds
from heart_api.heartmodel import Autoscaling, HeartModel
from heart_api.kube.values import Manifest
from heart_api.metrics import PREDICTION_RATE
from heart_api.names import Component
from heart_operator.manifests.common import metadata

DEFAULT_TARGETS = {"cpu": 70, "memory": 80}


def build_hpa(model: HeartModel, deployment: str) -> Manifest:
    """Quick to grow, slow to shrink; `deployment` is the one that it scales."""
    autoscaling = model.spec.serving.autoscaling or Autoscaling()
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(model, model.name, Component.SERVING),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": autoscaling.min_replicas,
            "maxReplicas": autoscaling.max_replicas,
            "metrics": metrics(autoscaling),
            "behavior": behavior(autoscaling),
        },
    }


def metrics(autoscaling: Autoscaling) -> list[dict[str, Any]]:
    """What was asked for: naming targets means those alone."""
    asked = {
        "cpu": autoscaling.target_cpu_utilization_percentage,
        "memory": autoscaling.target_memory_utilization_percentage,
    }
    rate = autoscaling.target_predictions_per_second
    named = {name: target for name, target in asked.items() if target is not None}
    found = [utilization(name, target) for name, target in (named or ({} if rate else DEFAULT_TARGETS)).items()]
    return [*found, prediction_rate(rate)] if rate else found


def utilization(name: str, target: int) -> dict[str, Any]:
    """Mean use as a share of the request."""
    return {
        "type": "Resource",
        "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": target}},
    }


def prediction_rate(target: int) -> dict[str, Any]:
    """Mean records per second of the pods."""
    return {
        "type": "Pods",
        "pods": {
            "metric": {"name": PREDICTION_RATE},
            "target": {"type": "AverageValue", "averageValue": str(target)},
        },
    }


def behavior(autoscaling: Autoscaling) -> dict[str, Any]:
    """Up: double, or four pods, whichever is more, per 15 s. Down: when it has been calm, a tenth a minute."""
    calm = max(1, round(seconds(autoscaling.scale_down_stabilization_window)))
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 15},
                {"type": "Pods", "value": 4, "periodSeconds": 15},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": calm,
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": 10, "periodSeconds": 60},
                {"type": "Pods", "value": 1, "periodSeconds": 60},
            ],
        },
    }
