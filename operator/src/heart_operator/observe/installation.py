"""Jobs and Deployments of HeartOps itself in the operator's namespace, and what keeps their pods from running."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from heart_api.kube.blocked import find_blocked
from heart_api.kube.deployments import is_ready
from heart_api.kube.kinds import DEPLOYMENT, JOB, POD, Kind
from heart_api.kube.objects import condition, condition_text
from heart_api.kube.values import Blocked, Manifest
from heart_api.names import PART_OF, Label
from heart_operator.kube.client import Cluster
from heart_operator.observe.children import pods_of, read_events
from heart_operator.observe.jobs import is_waiting
from heart_operator.plan.blocked import is_being_replaced

SELECTOR = f"{Label.PART_OF}={PART_OF},!{Label.MODEL},!{Label.SITE}"
"""Objects of the chart, and none of a model or site."""
ADVICE = {
    "Quota": "Raise the namespace's ResourceQuota, or lower the component's resources in the chart's values",
    "LimitRange": "Change the namespace's LimitRange, or set the component's resources in the chart's values within it",
    "Scheduling": "Lower the component's resources in the chart's values, or add a node that has room",
    "VolumeMissing": "Create it, or see whether the Job that makes it has run",
    "ConfigMissing": "Create it, or see whether the Job that makes it has run",
    "OutOfMemory": "Raise the component's memory limit in the chart's values",
    "Crash": "See `kubectl logs`",
    "InitContainer": "See `kubectl logs -c` with the init container's name",
    "ImagePull": "Check images and imagePullSecrets in the chart's values",
}
"""Where the advice to a model's owner does not fit."""


@dataclass(frozen=True, slots=True)
class BlockedComponent:
    kind: Kind
    item: Manifest
    blocked: Blocked


async def find_blocked_components(cluster: Cluster, namespace: str, now: datetime) -> tuple[BlockedComponent, ...]:
    """What cannot run, or has failed for good. Two lists, and two more for each that has too few running pods.

    Raises ApiError.
    """
    jobs, deployments = await asyncio.gather(
        cluster.find(JOB, namespace, SELECTOR), cluster.find(DEPLOYMENT, namespace, SELECTOR)
    )
    found = [BlockedComponent(JOB, job, failed) for job in jobs if (failed := failure(job))]
    for job in filter(is_waiting, jobs):
        found += await _blocked(cluster, JOB, job, await pods_of(cluster, job))
    for deployment in deployments:
        if not is_ready(deployment):
            pods = await cluster.find(POD, namespace, selector_of(deployment))
            found += await _blocked(cluster, DEPLOYMENT, deployment, pods)
    return tuple(entry for entry in found if not is_being_replaced(entry.blocked, now))


def failure(job: Manifest) -> Blocked | None:
    """A Job that has ended without success; Kubernetes does not try it again."""
    ended = condition(job, "Failed")
    advice = f"See `kubectl logs job/{job['metadata']['name']}`; delete the Job and run `helm upgrade` to try again"
    return Blocked("JobFailed", condition_text(ended), advice) if ended else None


def selector_of(deployment: Manifest) -> str:
    labels: dict[str, str] = deployment["spec"]["selector"].get("matchLabels") or {}
    return ",".join(f"{name}={value}" for name, value in labels.items())


async def _blocked(cluster: Cluster, kind: Kind, item: Manifest, pods: Iterable[Manifest]) -> list[BlockedComponent]:
    pods = list(pods)
    found = find_blocked(item, pods, await read_events(cluster, item, pods))
    if found is None:
        return []
    return [BlockedComponent(kind, item, replace(found, advice=ADVICE.get(found.cause, found.advice)))]
