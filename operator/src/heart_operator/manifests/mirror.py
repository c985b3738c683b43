"""The ConfigMap that tells a model's serving pods which of their requests a candidate gets: copies of a share, or those
of an experiment's users."""

import json

from heart_api.handover import EXPERIMENT_FILE, MIRROR_FILE, ExperimentTarget, MirrorTarget
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, candidate_service_name, mirror_config_name, short_hash
from heart_api.times import read
from heart_operator.manifests.common import HTTP_PORT, HTTPS_PORT, metadata
from heart_operator.manifests.traffic import Traffic


def build_mirror_config(model: HeartModel, traffic: Traffic, *, secure: bool) -> Manifest:
    """What the candidate gets; 0 percent is off, whatever the version. `secure`: its pods speak TLS.

    Pods mount it and follow it while they run; a kubelet brings them a change within its sync period, a minute or so.
    """
    host = f"{candidate_service_name(model.name)}.{model.namespace}.svc"
    url = f"https://{host}:{HTTPS_PORT}" if secure else f"http://{host}:{HTTP_PORT}"
    target = MirrorTarget()
    if traffic.mirror_percent:
        target = MirrorTarget(percent=traffic.mirror_percent, url=url, version=traffic.candidate)
    data = {MIRROR_FILE: json.dumps(target.dump())}
    if experiment := experiment_target(model, traffic, url):
        data[EXPERIMENT_FILE] = json.dumps(experiment.dump())
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(model, mirror_config_name(model.name), Component.SERVING),
        "data": data,
    }


def experiment_target(model: HeartModel, traffic: Traffic, url: str) -> ExperimentTarget | None:
    """The same for as long as the experiment lasts, so that every user stays in one group."""
    spec = model.spec.rollout.experiment
    if spec is None or not traffic.experiment_since:
        return None
    return ExperimentTarget(
        version=traffic.candidate,
        url=url,
        split=spec.split,
        by=spec.by,
        salt=short_hash(f"{model.uid}/{traffic.candidate}/{traffic.experiment_since}", length=32),
        metric=spec.metric,
        since=read(traffic.experiment_since),
    )
