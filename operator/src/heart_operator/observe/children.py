"""Reads of what belongs to a model and its schedules: children, Jobs with their termination messages, Deployments."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from heart_api.drift import CheckResult
from heart_api.heartmodel import HeartModel
from heart_api.kube.blocked import find_blocked, unexplained
from heart_api.kube.deployments import is_ready, parse_deployment
from heart_api.kube.jobs import is_finished, is_waiting
from heart_api.kube.kinds import (
    EVENT,
    OPTIONAL_API_VERSIONS,
    OPTIONAL_CHILDREN,
    POD,
    RETRAIN_SCHEDULE,
    TRAIN_JOB,
    WORKLOADS,
    Kind,
)
from heart_api.kube.objects import owned, owner_uids
from heart_api.kube.queues import JOB_UID, queue_of, queue_reason
from heart_api.kube.schedules import model_of
from heart_api.kube.values import Blocked, Manifest, ModelKey, ObjectKey, VersionDeployment
from heart_api.names import Annotation, Component, Label
from heart_api.retrainschedule import RetrainSchedule
from heart_api.times import read
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import NotFound, RequestRejected
from heart_operator.manifests.children import key_of
from heart_operator.observe.jobs import (
    lost_training,
    parse_check,
    parse_job,
    replaced_pod,
    scheduled_time,
    stated,
)
from heart_operator.observe.pod_templates import is_made_from
from heart_operator.observe.train_jobs import JOB_SET, as_pod_of_job, is_train_job
from heart_operator.plan.observed import CheckJob, TrainingJob
from heart_operator.plan.schedule.observed import scheduled_time_of


async def optional_kinds(cluster: Cluster, *, train_jobs: bool) -> frozenset[str]:
    """Which of the optional kinds the cluster has. `train_jobs`: whether the operator has the right to TrainJobs."""
    found = await asyncio.gather(*map(cluster.kinds_of, OPTIONAL_API_VERSIONS))
    allowed = [kind for kind in OPTIONAL_CHILDREN if train_jobs or kind != TRAIN_JOB]
    return frozenset(kind.kind for kind in allowed if any(kind.kind in kinds for kinds in found))


async def find_objects(
    cluster: Cluster,
    key: ModelKey,
    kinds: Iterable[Kind],
    owners: Collection[str],
    orphan: Callable[[Manifest], bool] = lambda item: False,
) -> list[Manifest]:
    """Objects of these kinds with the model's label that belong to one of these uids, or are an `orphan`."""
    selector, uids = f"{Label.MODEL}={key.name}", set(owners)

    def keep(item: Manifest) -> bool:
        return bool(owner_uids(item) & uids) or orphan(item)

    lists = await asyncio.gather(*(cluster.find(kind, key.namespace, selector, keep=keep) for kind in kinds))
    return [item for items in lists for item in items]


async def find_schedules(cluster: Cluster, key: ModelKey) -> list[Manifest]:
    """The living schedules that name the model; none where the cluster does not know the kind (older CRDs)."""
    try:
        found = await cluster.find(RETRAIN_SCHEDULE, key.namespace, "")
    except NotFound:
        return []
    return [raw for raw in found if model_of(raw) == key.name and "deletionTimestamp" not in raw["metadata"]]


def owned_by(items: Iterable[Manifest], uid: str) -> dict[ObjectKey, Manifest]:
    """The living objects that this very owner has."""
    return by_key(item for item in items if owned(item, uid))


def by_key(items: Iterable[Manifest]) -> dict[ObjectKey, Manifest]:
    return {key_of(item): item for item in items}


def of_kind(children: Mapping[ObjectKey, Manifest], kind: str) -> list[Manifest]:
    return [item for key, item in children.items() if key.kind == kind]


async def read_jobs(cluster: Cluster, model: HeartModel, jobs: Iterable[Manifest]) -> tuple[TrainingJob, ...]:
    """Oldest first."""
    found = [await read_job(cluster, model, job) for job in jobs]
    return tuple(sorted(found, key=lambda job: (job.created, job.name)))


async def read_job(cluster: Cluster, model: HeartModel, job: Manifest) -> TrainingJob:
    """The termination message is read from the Job's pods only until the status has it."""
    name = job["metadata"]["name"]
    records = (model.status.training, model.status.evaluation)
    known = next((record for record in records if record and record.job == name), None)
    recorded = known is not None and known.phase != "Running"
    if not recorded and is_waiting(job):
        return parse_job(job, known=known, blocked=await read_blocked(cluster, job, await pods_of(cluster, job)))
    if recorded or not is_finished(job):
        return parse_job(job, known=known)
    pods = await pods_of(cluster, job)
    found = parse_job(job, own_pods(pods, job), known)
    if found.phase == "Succeeded" and found.result is None and found.failure is None:
        return replace(found, failure=replaced_pod(job) if pods else lost_training())
    return found


async def read_checks(cluster: Cluster, schedule: RetrainSchedule, jobs: Iterable[Manifest]) -> tuple[CheckJob, ...]:
    """The check Jobs of a schedule; one whose annotation does not say what it checks is left out."""
    known = schedule.status.last_drift, schedule.status.last_performance
    recorded = max((read(found.time) for found in known if found), default=None)
    return tuple([await read_check(cluster, job, recorded) for job in jobs if scheduled_time(job)])


async def read_ordered_checks(cluster: Cluster, model: HeartModel, jobs: Iterable[Manifest]) -> tuple[CheckJob, ...]:
    """The Jobs of drift checks that somebody requested; of the one whose end the status has, no pod is read."""
    known = model.status.check
    ended = known.job if known and known.finished_at else None
    found = [(job, read(stated(job, Annotation.SCHEDULED_TIME))) for job in jobs if scheduled_time(job)]
    return tuple(
        [await read_check(cluster, job, time if job["metadata"]["name"] == ended else None) for job, time in found]
    )


async def read_check(cluster: Cluster, job: Manifest, recorded: datetime | None) -> CheckJob:
    """The termination message is read from the Job's pods only until the status has what it found.

    `recorded`: time of the newest finding in the status.
    """
    if is_waiting(job):
        return parse_check(job, blocked=await read_blocked(cluster, job, await pods_of(cluster, job)))
    found = parse_check(job)
    if not is_finished(job):
        return found
    if recorded and scheduled_time_of(found) <= recorded:
        return replace(found, result=CheckResult())
    return parse_check(job, own_pods(await pods_of(cluster, job), job))


def own_pods(pods: Iterable[Manifest], job: Manifest) -> list[Manifest]:
    """Those that the Job's controller made from its template: the label alone anybody can set."""
    if is_train_job(job):
        pods = filter(None, (as_pod_of_job(pod, job) for pod in pods))
    return [pod for pod in pods if is_made_from(pod, job)]


async def pods_of(cluster: Cluster, job: Manifest) -> list[Manifest]:
    meta = job["metadata"]
    label = JOB_SET if is_train_job(job) else "batch.kubernetes.io/job-name"
    return await cluster.find(POD, meta["namespace"], f"{label}={meta['name']}")


async def read_deployments(
    cluster: Cluster, model: HeartModel, items: Iterable[Manifest]
) -> tuple[VersionDeployment, ...]:
    """Oldest first."""
    serving = [item for item in items if Label.MODEL_VERSION in item["metadata"]["labels"]]
    found = [await read_deployment(cluster, model, item) for item in serving]
    return tuple(sorted(found, key=lambda deployment: (deployment.created, deployment.name)))


async def read_deployment(cluster: Cluster, model: HeartModel, item: Manifest) -> VersionDeployment:
    """List pods and their events only where some pods are not ready."""
    if is_ready(item):
        return parse_deployment(item)
    version = item["metadata"]["labels"][Label.MODEL_VERSION]
    labels = {Label.MODEL: model.name, Label.COMPONENT: Component.SERVING, Label.MODEL_VERSION: version}
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    pods = await cluster.find(POD, model.namespace, selector)
    return parse_deployment(item, pods, await read_events(cluster, item, pods) if pods else ())


async def read_blocked(cluster: Cluster, item: Manifest, pods: list[Manifest]) -> Blocked | None:
    """Why none of these pods of a Job runs."""
    says = "" if pods else await read_queue(cluster, item)
    return find_blocked(item, pods, await read_events(cluster, item, pods), says)


async def read_queue(cluster: Cluster, item: Manifest) -> str:
    """Why Kueue does not admit a suspended Job; empty where there is no Kueue, or no right to ask."""
    if not queue_of(item):
        return ""
    meta = item["metadata"]
    for kind in WORKLOADS:
        try:
            return queue_reason(await cluster.find(kind, meta["namespace"], f"{JOB_UID}={meta['uid']}"))
        except (NotFound, RequestRejected):
            continue
    return ""


async def read_events(cluster: Cluster, item: Manifest, pods: list[Manifest]) -> list[Manifest]:
    """Events that may say what conditions do not; of a Job without pods its own. One list at most.

    Nothing is read where the pods explain themselves. An operator without the right to read events (an older role)
    reports what pods and conditions say.
    """
    waiting = unexplained(pods)
    if find_blocked(item, pods) or (pods and not waiting):
        return []
    about = waiting[0] if waiting else item["metadata"]["uid"]
    try:
        return await cluster.find(EVENT, item["metadata"]["namespace"], "", fields=f"involvedObject.uid={about}")
    except RequestRejected:
        return []
