"""What is applied and what is no longer wanted, besides Jobs and Deployments."""

from collections.abc import Iterable

from heart_api.kube.values import Manifest, ObjectKey
from heart_operator.manifests.children import APPLIED_KINDS, build_children, key_of
from heart_operator.plan.claims import may_claim
from heart_operator.plan.objects.diff import needs_apply, stamp
from heart_operator.plan.observed import Observed
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.versions import as_deployment


def wanted_children(observed: Observed, rollout: RolloutPlan) -> tuple[Manifest, ...]:
    """Everything that should live beside the version that serves; without a profile less what it decides.

    What the profile does not let the model claim is neither applied nor kept, whatever else is wrong with the spec.
    """
    deployment = as_deployment(observed, rollout.stable) if rollout.stable else None
    traffic = rollout.traffic
    candidate = next((entry for entry in observed.deployments if entry.version == traffic.candidate), None)
    children = build_children(observed.model, observed.profile, observed.kinds, deployment, traffic, candidate)
    return tuple(stamp(child) for child in children if may_claim(observed, child))


def to_apply(observed: Observed, wanted: Iterable[Manifest]) -> tuple[Manifest, ...]:
    return tuple(child for child in wanted if needs_apply(child, observed.children.get(key_of(child))))


def to_remove(observed: Observed, wanted: Iterable[Manifest]) -> tuple[ObjectKey, ...]:
    """Existing children that are no longer desired: an Ingress, an HPA or monitoring that was switched off."""
    if observed.profile is None:
        return ()  # who talks to whom was decided by one that is gone
    keys = {key_of(child) for child in wanted}
    return tuple(key for key in observed.children if (key.api_version, key.kind) in APPLIED_KINDS and key not in keys)
