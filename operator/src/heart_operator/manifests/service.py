"""A model's Services: for users, for what only a candidate gets, and the one behind which all pods are found."""

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Annotation, Component, candidate_service_name, pods_service_name
from heart_operator.manifests.common import GRPC_PORT, SERVING_PORT, metadata, serving_pods

HTTP = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}
GRPC = {"name": "grpc", "port": GRPC_PORT, "targetPort": "grpc", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}


def build_service(model: HeartModel, version: str, *, spread: bool = False) -> Manifest:
    """The version in the selector is the stable version: promotion and rollback change only this.

    With `spread` the Service selects the pods of every version, so that their numbers split the traffic; the annotation
    still names the stable one.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, model.name, Component.SERVING, annotations={Annotation.STABLE_VERSION: version}),
        "spec": {
            "type": "ClusterIP",
            "selector": serving_pods(model) if spread else serving_pods(model, version),
            "ports": [HTTP, GRPC],
        },
    }


def build_candidate_service(model: HeartModel, version: str) -> Manifest:
    """The version that is rolling out, alone: an HTTPRoute's second backend, and where requests are mirrored to."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, candidate_service_name(model.name), Component.SERVING),
        "spec": {"type": "ClusterIP", "selector": serving_pods(model, version), "ports": [HTTP, GRPC]},
    }


def build_headless_service(model: HeartModel) -> Manifest:
    """Ready pods of every version: Prometheus scrapes them, and new pods download the model file from them."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, pods_service_name(model.name), Component.PODS),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": serving_pods(model),
            "ports": [{"name": "http", "port": SERVING_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    }
