"""What the children share: metadata, labels, and the security settings of every pod."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from heart_api.federationsite import FederationSite
from heart_api.handover import Env
from heart_api.heartmodel import HeartModel
from heart_api.names import (
    API_VERSION,
    APPLICATION,
    FIELD_MANAGER,
    GROUP,
    PART_OF,
    RUNTIME_SECRET,
    Component,
    Label,
    service_account_name,
)
from heart_api.profile import RuntimeProfile
from heart_api.quantities import amount
from heart_api.resources import Resources
from heart_api.retrainschedule import RetrainSchedule

USER = 65532
"""The unprivileged user of the HeartOps images."""
SERVING_PORT = 8080
SECURE_SERVING_PORT = 8443
GRPC_PORT = 9000
HTTP_PORT, HTTPS_PORT = 80, 443
"""Of Services."""
MANAGEMENT_PORT = 8081
"""Probes, metrics and model files; no Service for callers, Ingress or route publishes it."""
SERVER = "server"
"""Name of the container that answers."""
MODEL_DIR = "/model"
TOKEN_VOLUME = "registry-token"  # noqa: S105  a name
TOKEN_DIR = "/var/run/secrets/heartops/registry"  # noqa: S105  a path
TOKEN_SECONDS = 3600
"""The kubelet renews the token long before."""


def labels(model: HeartModel, component: str | None = None, version: str | None = None) -> dict[str, str]:
    """Selector labels set by the operator alone: a user's label on a pod could make it match another selector."""
    found = {
        Label.NAME: APPLICATION,
        Label.INSTANCE: model.name,
        Label.PART_OF: PART_OF,
        Label.MANAGED_BY: FIELD_MANAGER,
        Label.MODEL: model.name,
    }
    if component:
        found[Label.COMPONENT] = component
    if version:
        found |= {Label.VERSION: version, Label.MODEL_VERSION: version}
    return found


def serving_pods(model: HeartModel, version: str | None = None) -> dict[str, str]:
    """Selector of the model's serving pods; of one version when it is given."""
    found = {Label.MODEL: model.name, Label.COMPONENT: Component.SERVING}
    return found | {Label.MODEL_VERSION: version} if version else found


def training_pods(model: HeartModel) -> dict[str, str]:
    """Selector of the pods of the model's trainings."""
    return {Label.MODEL: model.name, Label.COMPONENT: Component.TRAINING}


def metadata(
    model: HeartModel,
    name: str,
    component: str | None = None,
    *,
    version: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Name, labels and the owner, which makes the garbage collector remove the child with its model."""
    found: dict[str, Any] = {
        "name": name,
        "namespace": model.namespace,
        "labels": labels(model, component, version),
        "ownerReferences": [owner(model)],
    }
    return found | {"annotations": dict(annotations)} if annotations else found


def owner(model: HeartModel) -> dict[str, Any]:
    return controlled_by("HeartModel", model)


def controlled_by(kind: str, owner: HeartModel | RetrainSchedule | FederationSite) -> dict[str, Any]:
    """The owner reference with which the garbage collector removes an object together with its owner.

    The owner's deletion never waits for it (blockOwnerDeletion needs a right on finalizers besides).
    """
    return {
        "apiVersion": f"{GROUP}/{API_VERSION}",
        "kind": kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def pod_defaults(model: HeartModel, profile: RuntimeProfile) -> dict[str, Any]:
    """Pod fields that training and serving share."""
    return account_defaults(service_account_name(model.name), profile)


def account_defaults(account: str, profile: RuntimeProfile) -> dict[str, Any]:
    """Pod fields of every pod of ours: no API token, Pod Security `restricted`, the profile's nodes."""
    found: dict[str, Any] = {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    if profile.image_pull_secrets:
        found["imagePullSecrets"] = [{"name": name} for name in profile.image_pull_secrets]
    if profile.node_selector:
        found["nodeSelector"] = dict(profile.node_selector)
    if profile.tolerations:
        found["tolerations"] = [dict(toleration) for toleration in profile.tolerations]
    return found


def container_defaults(image: str, profile: RuntimeProfile, resources: Resources) -> dict[str, Any]:
    """Fields that every HeartOps container has."""
    return {
        "image": image,
        "imagePullPolicy": profile.image_pull_policy,
        "resources": resources.dump(),
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def env(variables: Mapping[str, str]) -> list[dict[str, str]]:
    """A container's environment; `$` is doubled, because Kubernetes would replace `$(NAME)` inside a value."""
    return [{"name": name, "value": value.replace("$", "$$")} for name, value in variables.items()]


def runtime_secrets(profile: RuntimeProfile) -> list[dict[str, Any]]:
    """Credentials: the one Secret of a fixed name, which may be absent, and the profile's Secret for MLflow.

    No resource can choose either.
    """
    registry = [{"secretRef": {"name": profile.tracking_secret}}] if profile.tracking_secret else []
    return [{"secretRef": {"name": RUNTIME_SECRET, "optional": True}}, *registry]


def registry_environment(model: HeartModel, profile: RuntimeProfile) -> dict[str, str]:
    """MLflow's address and, where MLflow authorizes with Kubernetes, the workspace and the pod's token."""
    found = {Env.TRACKING_URI: profile.tracking_uri}
    if profile.tracking_auth == "Kubernetes":
        found |= {Env.WORKSPACE: model.namespace, Env.REGISTRY_TOKEN_FILE: f"{TOKEN_DIR}/token"}
    return found


def registry_mounts(profile: RuntimeProfile) -> list[dict[str, Any]]:
    """For the containers that talk to MLflow, never for the one that answers users."""
    if profile.tracking_auth != "Kubernetes":
        return []
    return [{"name": TOKEN_VOLUME, "mountPath": TOKEN_DIR, "readOnly": True}]


def registry_volumes(profile: RuntimeProfile) -> list[dict[str, Any]]:
    """A short-lived token of the model's own account, which has no right but in the namespace's workspace."""
    if profile.tracking_auth != "Kubernetes":
        return []
    token = {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}}
    return [{"name": TOKEN_VOLUME, "projected": {"sources": [token], "defaultMode": 0o444}}]


def cores_of(resources: Resources) -> int:
    """Whole cores that a container may use."""
    cpu = resources.limits.cpu if resources.limits else None
    return max(1, ceil(amount(cpu or "1")))


def thread_limits(count: int) -> dict[str, str]:
    """Thread settings of native libraries: they would start a thread per core of the node, not of the container."""
    return {name: str(count) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
