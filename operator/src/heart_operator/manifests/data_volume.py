"""Data that lives in the model's own namespace: a volume claim or a ConfigMap, mounted read-only."""

from typing import Any
from urllib.parse import urlsplit

DATA_DIR = "/data"

Volumes = list[dict[str, Any]]


def data_volume(uri: str) -> tuple[Volumes, Volumes]:
    """Volumes and mounts that a dataset's URI needs: `/data/pvc/<claim>`, `/data/configmap/<name>`, or none."""
    parts = urlsplit(uri)
    match parts.scheme:
        case "pvc":
            source = {"persistentVolumeClaim": {"claimName": parts.netloc, "readOnly": True}}
        case "configmap":
            # Only the key that is named: the rest of the ConfigMap is none of the trainer's business.
            key = parts.path.lstrip("/")
            source = {"configMap": {"name": parts.netloc, "items": [{"key": key, "path": key}]}}
        case _:
            return [], []
    mount = {"name": "data", "mountPath": f"{DATA_DIR}/{parts.scheme}/{parts.netloc}", "readOnly": True}
    return [{"name": "data", **source}], [mount]
