"""Going back, to a version that served before: it needs no gate, no registry and no steps."""

from dataclasses import replace
from datetime import datetime

from heart_operator.plan.gates.verdict import gates_hash
from heart_operator.plan.observed import Observed
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.rollout.scale import wanted_count
from heart_operator.plan.rollout.warm import warm_deployment, warm_from, way_back
from heart_operator.plan.selection.rejections import find_rejection
from heart_operator.plan.versions import Version, deployment_of


def go_back(observed: Observed, rollout: RolloutPlan, wanted: Version | None, now: datetime) -> RolloutPlan | None:
    """To the version that served before: at once while it is warm, since it has nothing left to prove."""
    stable, rejected = rollout.stable, is_rejected(observed, rollout, rollout.stable)
    if stable is None:
        return None
    target = way_back(observed, stable, rollout.previous, rollout.rejected) if rejected else None
    warm = rollout.previous if warm_deployment(observed, rollout.previous) else None
    if target is None and wanted and warm and warm.version == wanted.version:
        target = wanted if not is_rejected(observed, rollout, wanted) else None
    if target is None:
        return None
    if warm and warm.version == target.version:
        left = None if rejected else warm_from(observed, stable, now)
        return replace(rollout, stable=target, previous=left, action="Return", post_promotion=None)
    return restart(observed, rollout, target, now)


def restart(observed: Observed, rollout: RolloutPlan, target: Version, now: datetime) -> RolloutPlan:
    """The previous version has no pods: the rejected one continues to serve until they are ready."""
    count = wanted_count(observed.model.spec.serving, deployment_of(observed, rollout.stable))
    deployment = deployment_of(observed, target)
    rollout = replace(rollout, candidate=target, candidate_pods=count, why="its pods to start again")
    if deployment is None:
        return replace(rollout, action="Start")
    if deployment.up_to_date and deployment.ready >= max(1, count):
        return replace(rollout, stable=target, candidate=None, previous=None, action="Return", post_promotion=None)
    return replace(rollout, action="Go")


def is_rejected(observed: Observed, rollout: RolloutPlan, version: Version | None) -> bool:
    if version is None:
        return False
    return find_rejection(rollout.rejected, version, gates_hash(observed.model.spec.gates)) is not None
