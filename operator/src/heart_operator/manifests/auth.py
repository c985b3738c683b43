"""The ConfigMap that tells a model's serving pods how callers authenticate, and by which paths they come."""

import json

from heart_api.authentication import AUTH_FILE, AuthConfig
from heart_api.handover import PATHS_FILE, PublicPaths
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Component, auth_config_name
from heart_api.paths import cut_prefix
from heart_operator.manifests.common import metadata


def build_auth_config(model: HeartModel) -> Manifest:
    """Pods mount it and follow it while they run; a kubelet brings them a change within its sync period."""
    config = AuthConfig(type=model.spec.serving.auth, jwt=model.spec.serving.jwt)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(model, auth_config_name(model.name), Component.SERVING),
        "data": {AUTH_FILE: json.dumps(config.dump()), PATHS_FILE: json.dumps(public_paths(model).dump())},
    }


def public_paths(model: HeartModel) -> PublicPaths:
    """Prefixes under which users reach the model; a Gateway cuts its own off."""
    ingress, route = model.spec.serving.ingress, model.spec.serving.route
    prefix = cut_prefix(ingress.path) if ingress else ""
    found = dict.fromkeys((prefix, cut_prefix(route.path_prefix) if route else ""))
    return PublicPaths(prefix=prefix, public=tuple(filter(None, found)))
