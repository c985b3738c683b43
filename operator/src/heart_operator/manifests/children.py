"""Everything that is applied for a model, besides its Jobs and Deployments."""

from collections.abc import Set

from heart_operator.api.heartmodel import HeartModel
from heart_operator.api.profile import RuntimeProfile
from heart_operator.plan.values import Manifest, ObjectKey, VersionDeployment

APPLIED_KINDS: tuple[tuple[str, str], ...] = ()


def build_children(
    model: HeartModel, profile: RuntimeProfile, kinds: Set[str], stable: VersionDeployment | None
) -> tuple[Manifest, ...]:
    """The children to apply; an owned object of APPLIED_KINDS that is not among them is to be deleted.

    Before anything serves (`stable` is None): ServiceAccount, headless Service and NetworkPolicies. Then
    also the Service with the version as selector, PodDisruptionBudget, HPA (unless `serving.replicas`), Ingress,
    and, where `kinds` has them, ServiceMonitor and PrometheusRule.
    """
    raise NotImplementedError


def key_of(manifest: Manifest) -> ObjectKey:
    """The identity of an object in the model's namespace."""
    return ObjectKey(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
