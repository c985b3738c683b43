"""The ConfigMap that tells a model's serving pods which share of their requests to copy to a candidate."""

import json

from heart_api.handover import MIRROR_FILE, MirrorTarget
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, candidate_service_name, mirror_config_name
from heart_operator.manifests.common import metadata


def build_mirror_config(model: HeartModel, version: str, percent: int) -> Manifest:
    """`version` is the candidate that gets `percent` of the requests; 0 percent is off, whatever the version.

    Pods mount it and follow it while they run; a kubelet brings them a change within its sync period, a minute or so.
    """
    target = MirrorTarget()
    if percent:
        url = f"http://{candidate_service_name(model.name)}.{model.namespace}.svc:80"
        target = MirrorTarget(percent=percent, url=url, version=version)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(model, mirror_config_name(model.name), Component.SERVING),
        "data": {MIRROR_FILE: json.dumps(target.dump())},
    }
