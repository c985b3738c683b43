"""The ConfigMap that tells a model's serving pods which share of their requests to copy to a candidate."""

import json

from heart_api.handover import MIRROR_FILE, MirrorTarget
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, candidate_service_name, mirror_config_name
from heart_operator.manifests.common import HTTP_PORT, HTTPS_PORT, metadata


def build_mirror_config(model: HeartModel, version: str, percent: int, *, secure: bool) -> Manifest:
    """`version` is the candidate that gets `percent` of the requests; 0 percent is off, whatever the version.
    `secure`: its pods speak TLS.

    Pods mount it and follow it while they run; a kubelet brings them a change within its sync period, a minute or so.
    """
    target = MirrorTarget()
    if percent:
        host = f"{candidate_service_name(model.name)}.{model.namespace}.svc"
        url = f"https://{host}:{HTTPS_PORT}" if secure else f"http://{host}:{HTTP_PORT}"
        target = MirrorTarget(percent=percent, url=url, version=version)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(model, mirror_config_name(model.name), Component.SERVING),
        "data": {MIRROR_FILE: json.dumps(target.dump())},
    }
