"""The Jobs that check the prediction log: for a RetrainSchedule, or because somebody requested it."""

from datetime import datetime
from typing import Any

from heart_api.checks import CheckOrder, duration
from heart_api.drift import CHECK_REQUEST, CheckRequest
from heart_api.evaluation import ServingReference
from heart_api.handover import Env
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Annotation, Component, Label, check_job_name
from heart_api.profile import RuntimeProfile
from heart_api.quantities import bounded
from heart_api.resources import Amounts, Resources
from heart_api.retrainschedule import DriftCheck, RetrainSchedule
from heart_api.times import read, written
from heart_operator.manifests.common import (
    container_defaults,
    controlled_by,
    env,
    labels,
    metadata,
    pod_defaults,
    registry_environment,
    registry_mounts,
    registry_volumes,
    runtime_secrets,
    thread_limits,
)
from heart_operator.manifests.job import CONTAINER, build_job

RESOURCES = Resources(requests=Amounts(cpu="250m", memory="512Mi"), limits=Amounts(cpu="1", memory="2Gi"))
SECONDS = 900
RETRIES = 2


def build_check_job(
    schedule: RetrainSchedule, model: HeartModel, profile: RuntimeProfile, scheduled: datetime
) -> Manifest:
    """The Job is created once (POST), owned by the schedule and named after its uid and the scheduled time."""
    request = check_request(schedule, model, scheduled)
    annotations = {Annotation.SCHEDULED_TIME: written(scheduled)}
    found = labels(model, Component.CHECK) | {Label.SCHEDULE: schedule.name}
    meta = {
        "name": request.job,
        "namespace": model.namespace,
        "labels": found,
        "annotations": annotations,
        "ownerReferences": [controlled_by("RetrainSchedule", schedule)],
    }
    return check_job(model, profile, request, meta)


def build_ordered_check(model: HeartModel, profile: RuntimeProfile, order: CheckOrder) -> Manifest:
    """Created once, owned by the model and named after its uid and the order's id."""
    annotations = {Annotation.CHECK: order.text(), Annotation.SCHEDULED_TIME: order.until}
    request = ordered_request(model, order)
    return check_job(model, profile, request, metadata(model, request.job, Component.CHECK, annotations=annotations))


def check_job(model: HeartModel, profile: RuntimeProfile, request: CheckRequest, meta: dict[str, Any]) -> Manifest:
    """`meta`: the metadata of the Job and its pod."""
    return build_job(meta, meta["labels"], pod_spec(model, profile, request), retries=RETRIES, seconds=SECONDS)


def check_request(schedule: RetrainSchedule, model: HeartModel, scheduled: datetime) -> CheckRequest:
    """The check that the Job carries out."""
    serving = model.status.serving
    assert serving, "only a version that serves has predictions"
    return CheckRequest(
        namespace=model.namespace,
        name=model.name,
        schedule=schedule.name,
        registry_name=model.registry_name,
        serving=ServingReference(version=serving.version, digest=serving.digest),
        features=model.spec.features,
        until=written(scheduled),
        job=check_job_name(schedule.name, schedule.uid, written(scheduled)),
        drift=schedule.spec.drift,
        performance=schedule.spec.performance,
    )


def ordered_request(model: HeartModel, order: CheckOrder) -> CheckRequest:
    """The check that somebody requested, of the version that serves."""
    serving = model.status.serving
    assert serving, "only a version that serves has predictions"
    return CheckRequest(
        namespace=model.namespace,
        name=model.name,
        registry_name=model.registry_name,
        serving=ServingReference(version=serving.version, digest=serving.digest),
        features=model.spec.features,
        until=order.until,
        where=order.where or None,
        job=check_job_name(model.name, model.uid, order.id),
        drift=DriftCheck(
            window=duration(read(order.until) - read(order.since)),
            min_samples=order.min_samples,
            threshold=order.threshold,
            any_feature=order.any_feature,
        ),
    )


def pod_spec(model: HeartModel, profile: RuntimeProfile, request: CheckRequest) -> dict[str, Any]:
    """The trainer's image with another command; no data is mounted."""
    resources = bounded(RESOURCES, RESOURCES, profile.training_caps)
    container = {
        "name": CONTAINER,
        "args": ["drift"],
        "env": env(environment(model, profile, request)),
        "envFrom": runtime_secrets(profile),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *registry_mounts(profile)],  # noqa: S108  a mount of its own
        **container_defaults(profile.images.trainer, profile, resources),
    }
    return {
        **pod_defaults(model, profile),
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}, *registry_volumes(profile)],
    }


def environment(model: HeartModel, profile: RuntimeProfile, request: CheckRequest) -> dict[str, str]:
    """The request, and where MLflow is; the log's address comes from the runtime Secret."""
    return {
        CHECK_REQUEST: request.model_dump_json(by_alias=True, exclude_none=True),
        Env.TERMINATION_LOG: "/dev/termination-log",
        **registry_environment(model, profile),
        "HOME": "/tmp",  # noqa: S108  the only writable place
        **thread_limits(1),
    }
