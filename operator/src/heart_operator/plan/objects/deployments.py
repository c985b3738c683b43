"""Which Deployments are made, how many pods each has, and which are removed: only versions with a role have one."""

from collections.abc import Iterable

from heart_api.kube.values import Manifest, ObjectKey
from heart_operator.manifests.deployment import with_replicas
from heart_operator.plan.actions import Scale
from heart_operator.plan.decision import Decision
from heart_operator.plan.objects.drift_correction import is_outdated, version_deployment
from heart_operator.plan.observed import Observed
from heart_operator.plan.rollout.scale import plan_scale, wanted_count
from heart_operator.plan.versions import Version


def new_deployments(decision: Decision) -> Iterable[Manifest]:
    """Deployments to create: the candidate's at the start of its rollout, the serving version's if it was deleted."""
    observed, rollout = decision.observed, decision.rollout
    count = wanted_count(observed.model.spec.serving, decision.stable_deployment)
    if rollout.action == "Start" and rollout.candidate:
        yield from deployment_manifest(observed, rollout.candidate, rollout.candidate_pods)
    if rollout.stable and decision.stable_deployment is None:
        yield from deployment_manifest(observed, rollout.stable, count)


def deployment_manifest(observed: Observed, version: Version, count: int) -> Iterable[Manifest]:
    """Nothing if no profile says how to run it, or if its digest is no longer known."""
    occupied = any(deployment.version == version.version for deployment in observed.deployments)
    if version.digest and not occupied and (built := version_deployment(observed, version)):
        yield with_replicas(built, count)


def scales(decision: Decision) -> list[Scale]:
    surplus = {key.name for key in surplus_deployments(decision)}
    stable = decision.stable_deployment
    candidate, count = decision.candidate_deployment, wanted_count(decision.observed.model.spec.serving, stable)
    others = {
        entry: decision.rollout.candidate_pods if entry == candidate else count
        for entry in decision.observed.deployments
        if entry.name not in surplus and entry != stable
    }
    return plan_scale(decision.observed, stable, others)


def surplus_deployments(decision: Decision) -> list[ObjectKey]:
    """Deployments to delete: superseded, rejected, no longer warm. While an obstacle stands, only the last."""
    observed, rollout = decision.observed, decision.rollout
    kept = {entry.name for entry in observed.deployments if entry.version in rollout.running}
    if (candidate := rollout.candidate) and must_be_remade(decision):
        kept -= {entry.name for entry in observed.deployments if entry.version == candidate.version}
    surplus = [entry for entry in observed.deployments if entry.name not in kept]
    if decision.obstacle:
        before = observed.model.status.previous
        known = {entry.version for entry in rollout.rejected} | ({before.version} if before else set())
        surplus = [entry for entry in surplus if entry.version in known]
    return [ObjectKey("apps/v1", "Deployment", entry.name) for entry in surplus]


def must_be_remade(decision: Decision) -> bool:
    """The candidate's Deployment has other bytes, or would be built otherwise today and its pods do not start."""
    rollout, candidate = decision.rollout, decision.rollout.candidate
    if rollout.previous and candidate and rollout.previous.version == candidate.version:
        return False
    starts = rollout.action == "Overdue" or (rollout.progress is not None and rollout.progress.phase == "Starting")
    return decision.candidate_deployment is None or (starts and is_outdated(decision.observed, candidate))
