"""The ServiceAccount of a model's pods: an identity without rights and without a token."""

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import service_account_name
from heart_operator.manifests.common import metadata


def build_service_account(model: HeartModel) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(model, service_account_name(model.name)),
        "automountServiceAccountToken": False,
    }
