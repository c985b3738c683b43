"""The Job that trains one version."""

from heart_operator.api.handover import ServingReference
from heart_operator.api.heartmodel import HeartModel
from heart_operator.api.profile import RuntimeProfile
from heart_operator.plan.values import Manifest


def build_training_job(
    model: HeartModel, profile: RuntimeProfile, trigger: str, serving: ServingReference | None
) -> Manifest:
    """Created once (POST) under a name that model uid and trigger determine; never patched."""
    raise NotImplementedError
