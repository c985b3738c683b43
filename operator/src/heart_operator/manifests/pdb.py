"""The PodDisruptionBudget of the version that serves."""

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component
from heart_operator.manifests.common import metadata, serving_pods


def build_pdb(model: HeartModel, version: str) -> Manifest:
    """One pod at a time: a drain never takes the service away, and never waits forever (not with one pod either)."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(model, model.name, Component.SERVING),
        "spec": {
            "maxUnavailable": 1,
            # A pod that is broken already must not keep a node from being drained.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": serving_pods(model, version)},
        },
    }
