"""Reads the Jobs and Deployments of HeartOps itself in the operator's namespace."""

import asyncio
from datetime import datetime

from heart_api.kube.deployments import is_ready
from heart_api.kube.installation import SELECTOR, BlockedComponent, explain_component, failed_jobs, selector_of
from heart_api.kube.jobs import is_waiting
from heart_api.kube.kinds import DEPLOYMENT, JOB, POD, Kind
from heart_api.kube.values import Manifest
from heart_operator.kube.client import Cluster
from heart_operator.observe.children import pods_of, read_events


async def find_blocked_components(cluster: Cluster, namespace: str, now: datetime) -> tuple[BlockedComponent, ...]:
    """What cannot run, or has failed for good. Two lists, and two more for each that has too few running pods.

    Raises ApiError.
    """
    jobs, deployments = await asyncio.gather(
        cluster.find(JOB, namespace, SELECTOR), cluster.find(DEPLOYMENT, namespace, SELECTOR)
    )
    found = failed_jobs(JOB, jobs)
    for job in filter(is_waiting, jobs):
        found += await _explain(cluster, JOB, job, await pods_of(cluster, job), now)
    for deployment in deployments:
        if not is_ready(deployment):
            pods = await cluster.find(POD, namespace, selector_of(deployment))
            found += await _explain(cluster, DEPLOYMENT, deployment, pods, now)
    return tuple(found)


async def _explain(
    cluster: Cluster, kind: Kind, item: Manifest, pods: list[Manifest], now: datetime
) -> list[BlockedComponent]:
    return explain_component(kind, item, pods, await read_events(cluster, item, pods), now)
