"""The version that served before: how long it stays warm, and when it is the way back."""

from datetime import datetime, timedelta

from heart_api.durations import seconds
from heart_api.heartmodel import PreviousStatus, RejectedStatus
from heart_api.kube.values import VersionDeployment
from heart_api.times import read, written
from heart_operator.plan.gates.verdict import gates_hash
from heart_operator.plan.observed import Observed
from heart_operator.plan.selection.rejections import find_rejection
from heart_operator.plan.selection.selection import known_version
from heart_operator.plan.versions import Version, deployment_of


def keep_previous(
    observed: Observed, stable: Version | None, wanted: Version | None, now: datetime
) -> PreviousStatus | None:
    """The warm version, until its time is over or its Deployment is gone."""
    previous = observed.model.status.previous
    if stable is None:
        return None
    if previous is None:
        return recover_previous(observed, {stable, wanted}, now)
    if observed.model.spec.suspend:
        return previous
    runs = any(deployment.version == previous.version for deployment in observed.deployments)
    over = now >= read(previous.warm_until)
    return previous if runs and not over and previous.version != stable.version else None


def recover_previous(observed: Observed, others: set[Version | None], now: datetime) -> PreviousStatus | None:
    """Without a status it is unknown which version was kept warm: the newest one besides `others` with ready pods."""
    if observed.model.status.serving is not None:
        return None
    taken = {version.version for version in others if version}
    warm = [
        deployment for deployment in observed.deployments if deployment.ready > 0 and deployment.version not in taken
    ]
    newest = max(warm, key=lambda deployment: (deployment.created, deployment.name), default=None)
    return warm_from(observed, Version(newest.version, newest.digest), now) if newest else None


def warm_from(observed: Observed, version: Version, now: datetime) -> PreviousStatus:
    """It has just stopped serving."""
    window = timedelta(seconds=seconds(observed.model.spec.rollout.rollback_window))
    return PreviousStatus(version=version.version, digest=version.digest, warm_until=written(now + window))


def warm_deployment(observed: Observed, previous: PreviousStatus | None) -> VersionDeployment | None:
    """Of the previous version, when it could answer at once."""
    if previous is None:
        return None
    deployment = deployment_of(observed, known_version(observed, previous.version))
    return deployment if deployment and deployment.ready > 0 else None


def way_back(
    observed: Observed,
    stable: Version | None,
    previous: PreviousStatus | None,
    rejected: tuple[RejectedStatus, ...],
) -> Version | None:
    """The last version that served and was not rejected: the warm one, else the newest of the history."""
    names = [previous.version] if previous else []
    names += [entry.version for entry in reversed(observed.model.status.history)]
    hash_ = gates_hash(observed.model.spec.gates)
    for name in names:
        version = known_version(observed, name)
        if version and (stable is None or name != stable.version) and not find_rejection(rejected, version, hash_):
            return version
    return None
