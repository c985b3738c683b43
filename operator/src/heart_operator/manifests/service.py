"""A model's Services: for users, for what only a candidate gets, and the one behind which all pods are found."""

from collections.abc import Set
from typing import Any

from heart_api.federation import FLEET_PORT
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import (
    PLAIN_PORT,
    SECURE_PORT,
    Annotation,
    Component,
    Label,
    candidate_service_name,
    fleet_service_name,
    pods_service_name,
    workers_service_name,
)
from heart_operator.manifests.common import (
    GRPC_PORT,
    HTTP_PORT,
    HTTPS_PORT,
    MANAGEMENT_PORT,
    metadata,
    serving_pods,
    training_pods,
)
from heart_operator.manifests.training_job import TRACKER_PORT

HTTP = {"name": PLAIN_PORT, "port": HTTP_PORT, "targetPort": PLAIN_PORT, "protocol": "TCP"}
HTTPS = {
    "name": SECURE_PORT,
    "port": HTTPS_PORT,
    "targetPort": SECURE_PORT,
    "protocol": "TCP",
    "appProtocol": "https",
}
GRPC = {"name": "grpc", "port": GRPC_PORT, "targetPort": "grpc", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}


def build_service(model: HeartModel, version: str, secure: Set[bool], *, spread: bool = False) -> Manifest:
    """The version in the selector is the stable version: promotion and rollback change only this.

    `secure`: whether its pods speak TLS; both while two versions differ, each behind the port that it has. With
    `spread` the Service selects the pods of every version, so that their numbers split the traffic; the annotation
    still names the stable one.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, model.name, Component.SERVING, annotations={Annotation.STABLE_VERSION: version}),
        "spec": {
            "type": "ClusterIP",
            "selector": serving_pods(model) if spread else serving_pods(model, version),
            "ports": ports(secure),
        },
    }


def build_candidate_service(model: HeartModel, version: str, secure: bool) -> Manifest:
    """The version that is rolling out, alone: an HTTPRoute's second backend, and where requests are mirrored to."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, candidate_service_name(model.name), Component.SERVING),
        "spec": {"type": "ClusterIP", "selector": serving_pods(model, version), "ports": ports({secure})},
    }


def build_fleet_service(model: HeartModel) -> Manifest:
    """Where sites reach the coordinator of the model's training: one port, over TLS. Also before it is ready, for it is
    not until sites have joined."""
    pods = {Label.MODEL: model.name, Label.COMPONENT: Component.TRAINING}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, fleet_service_name(model.name), Component.TRAINING),
        "spec": {
            "type": "ClusterIP",
            "selector": pods,
            "publishNotReadyAddresses": True,
            "ports": [{"name": "fleet", "port": FLEET_PORT, "targetPort": "fleet", "protocol": "TCP"}],
        },
    }


def ports(secure: Set[bool]) -> list[dict[str, Any]]:
    plain = [HTTP] if False in secure else []
    return [*plain, *([HTTPS] if True in secure else []), GRPC]


def build_headless_service(model: HeartModel) -> Manifest:
    """Management ports of every version's ready pods: Prometheus scrapes them, new pods fetch the model file there."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, pods_service_name(model.name), Component.PODS),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": serving_pods(model),
            "ports": [{"name": "management", "port": MANAGEMENT_PORT, "targetPort": "management", "protocol": "TCP"}],
        },
    }


def build_workers_service(model: HeartModel) -> Manifest:
    """The pod that the other workers of a training look for; its name must be known before it is ready."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(model, workers_service_name(model.name), Component.TRAINING),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {**training_pods(model), Label.POD_INDEX: "0"},
            "ports": [{"name": "tracker", "port": TRACKER_PORT, "targetPort": TRACKER_PORT, "protocol": "TCP"}],
        },
    }
