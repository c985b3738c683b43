"""The Ingress in front of the model's Service."""

from typing import Any

from heart_api.heartmodel import HeartModel, Ingress
from heart_api.kube.values import Manifest
from heart_api.names import PLAIN_PORT, SECURE_PORT, Component
from heart_operator.manifests.common import metadata


def build_ingress(model: HeartModel, ingress: Ingress, *, secure: bool) -> Manifest:
    """One host, one path, the port for predictions (`secure`: pods speak TLS). An Ingress passes paths on unchanged:
    the pods cut it off.

    The Ingress' own TLS Secret is read by the ingress controller alone.
    """
    backend = {"service": {"name": model.name, "port": {"name": SECURE_PORT if secure else PLAIN_PORT}}}
    path = {"path": ingress.path, "pathType": "Prefix", "backend": backend}
    spec: dict[str, Any] = {"rules": [{"host": ingress.host, "http": {"paths": [path]}}]}
    if ingress.class_name:
        spec["ingressClassName"] = ingress.class_name
    if ingress.tls_secret_name:
        spec["tls"] = [{"hosts": [ingress.host], "secretName": ingress.tls_secret_name}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(model, model.name, Component.SERVING),
        "spec": spec,
    }
