"""The ServiceAccount of a model's pods: an identity without rights and without a token."""

from heart_operator.api.heartmodel import HeartModel
from heart_operator.api.names import service_account_name
from heart_operator.manifests.common import metadata
from heart_operator.plan.values import Manifest


def build_service_account(model: HeartModel) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(model, service_account_name(model.name)),
        "automountServiceAccountToken": False,
    }
