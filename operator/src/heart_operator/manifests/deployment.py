"""The Deployment of one model version."""

from heart_operator.api.heartmodel import HeartModel
from heart_operator.api.profile import RuntimeProfile
from heart_operator.plan.values import Manifest


def build_deployment(
    model: HeartModel,
    profile: RuntimeProfile,
    *,
    version: str,
    digest: str,
    run_id: str,
    trigger: str,
    evaluation_sha256: str,
) -> Manifest:
    """Without `replicas`: the first count is set on creation alone (`with_replicas`)."""
    raise NotImplementedError


def with_replicas(deployment: Manifest, replicas: int) -> Manifest:
    """A copy with its first replica count, to be created (POST), never applied."""
    raise NotImplementedError
