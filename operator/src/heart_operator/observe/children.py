"""Reads of what belongs to a model in the cluster: its children, and what their pods say."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

from heart_api.heartmodel import HeartModel
from heart_api.kube.deployments import is_ready, parse_deployment
from heart_api.kube.kinds import OPTIONAL_API_VERSIONS, OPTIONAL_CHILDREN, POD, children_kinds
from heart_api.kube.objects import owned
from heart_api.kube.values import Manifest, ObjectKey, VersionDeployment
from heart_api.names import Component, Label
from heart_operator.kube.client import Cluster
from heart_operator.observe.jobs import is_finished, lost_outcome, parse_job
from heart_operator.plan.observed import TrainingJob


async def optional_kinds(cluster: Cluster) -> frozenset[str]:
    """Which of the optional kinds the cluster has."""
    found = await asyncio.gather(*map(cluster.kinds_of, OPTIONAL_API_VERSIONS))
    return frozenset(kind.kind for kind in OPTIONAL_CHILDREN if any(kind.kind in kinds for kinds in found))


async def read_children(cluster: Cluster, model: HeartModel, kinds: frozenset[str]) -> dict[ObjectKey, Manifest]:
    """Living objects that carry the model's label and are owned by this very model."""
    selector = f"{Label.MODEL}={model.name}"
    wanted = children_kinds(kinds)
    lists = await asyncio.gather(*(cluster.find(kind, model.namespace, selector) for kind in wanted))
    found = [item for items in lists for item in items if owned(item, model.uid)]
    return {ObjectKey(item["apiVersion"], item["kind"], item["metadata"]["name"]): item for item in found}


async def read_jobs(cluster: Cluster, model: HeartModel, jobs: Iterable[Manifest]) -> tuple[TrainingJob, ...]:
    """Oldest first."""
    found = [await read_job(cluster, model, job) for job in jobs]
    return tuple(sorted(found, key=lambda job: (job.created, job.name)))


async def read_job(cluster: Cluster, model: HeartModel, job: Manifest) -> TrainingJob:
    """Pods are asked for their last words only until the status has them."""
    name = job["metadata"]["name"]
    records = (model.status.training, model.status.evaluation)
    known = next((record for record in records if record and record.job == name), None)
    told = known is not None and known.phase != "Running"
    if told or not is_finished(job):
        return parse_job(job, known=known)
    found = parse_job(job, await pods_of(cluster, job), known)
    if found.phase == "Succeeded" and found.result is None and found.failure is None:
        return replace(found, failure=lost_outcome())
    return found


async def pods_of(cluster: Cluster, job: Manifest) -> list[Manifest]:
    meta = job["metadata"]
    return await cluster.find(POD, meta["namespace"], f"batch.kubernetes.io/job-name={meta['name']}")


async def read_deployments(
    cluster: Cluster, model: HeartModel, items: Iterable[Manifest]
) -> tuple[VersionDeployment, ...]:
    """Oldest first."""
    serving = [item for item in items if Label.MODEL_VERSION in item["metadata"]["labels"]]
    found = [await read_deployment(cluster, model, item) for item in serving]
    return tuple(sorted(found, key=lambda deployment: (deployment.created, deployment.name)))


async def read_deployment(cluster: Cluster, model: HeartModel, item: Manifest) -> VersionDeployment:
    """Pods are asked what is wrong only where some are not ready."""
    if is_ready(item):
        return parse_deployment(item)
    version = item["metadata"]["labels"][Label.MODEL_VERSION]
    labels = {Label.MODEL: model.name, Label.COMPONENT: Component.SERVING, Label.MODEL_VERSION: version}
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    return parse_deployment(item, await cluster.find(POD, model.namespace, selector))


def of_kind(children: Mapping[ObjectKey, Manifest], kind: str) -> list[Manifest]:
    return [item for key, item in children.items() if key.kind == kind]
