"""The Job that trains one version."""

from typing import Any

from heart_api.base import Frozen
from heart_api.contract import Dataset
from heart_api.evaluation import ServingReference
from heart_api.handover import Env, JobRequest, ModelRequest, TrainingRequest
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Annotation, Component, Label, training_job_name, workers_service_name
from heart_api.profile import RuntimeProfile
from heart_api.quantities import bounded
from heart_api.resources import Amounts, Resources
from heart_operator.manifests.common import (
    container_defaults,
    cores_of,
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
from heart_operator.manifests.data_volume import data_volume
from heart_operator.manifests.job import CONTAINER, build_job, failure_policy
from heart_operator.manifests.own_trainer import with_own_trainer
from heart_operator.manifests.train_job import as_train_job

TRACKER_PORT = 9091
INDEX = {
    "name": "JOB_COMPLETION_INDEX",
    "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{Label.POD_INDEX}']"}},
}
"""The Job controller would add it to the pods, which would then differ from their template."""
DEFAULT_RESOURCES = Resources(
    requests=Amounts(cpu="500m", memory="1Gi"),
    limits=Amounts(cpu="2", memory="4Gi"),
)
SCRATCH = {"name": "tmp", "emptyDir": {"sizeLimit": "10Gi"}}
MAX_SPEC_BYTES = 120_000
"""Linux starts no process with a variable over 128 KiB (MAX_ARG_STRLEN); the request is a spec and a little more."""


def build_training_job(
    model: HeartModel, profile: RuntimeProfile, trigger: str, serving: ServingReference | None, attempt: int = 0
) -> Manifest:
    """Created once (POST) under a name that model uid, trigger and attempt determine; never patched."""
    request = training_request(model, profile, trigger, serving, attempt)
    pod = pod_spec(model, profile, request, Env.TRAINING_REQUEST)
    if workers := model.spec.training.scale.workers:
        if runtime := profile.training.train_job:
            return as_train_job(in_lockstep(trainer_job(model, profile, pod, request), workers, attempt), runtime)
        pod["containers"][0]["env"] += [*env(worker_environment(model, workers)), INDEX]
        return in_lockstep(trainer_job(model, profile, pod, request), workers, attempt)
    if (searching := model.spec.training.tuning.parallelism or 1) > 1:
        pod["containers"][0]["env"].append(INDEX)
        return in_lockstep(trainer_job(model, profile, pod, request), searching, attempt)
    return trainer_job(model, profile, with_own_trainer(pod, model, profile, DEFAULT_RESOURCES), request)


def trainer_job(
    model: HeartModel, profile: RuntimeProfile, pod: dict[str, Any], request: ModelRequest, version: str | None = None
) -> Manifest:
    """A Job of the trainer image; `version` labels one that is about a version that exists already."""
    annotations = {Annotation.TRIGGER: request.trigger}
    if priority := profile.training.priority_class_name:
        pod = {**pod, "priorityClassName": priority}
    meta = metadata(model, request.job, Component.TRAINING, version=version, annotations=annotations)
    bounds = {"retries": model.spec.training.backoff_limit, "seconds": model.spec.training.timeout_seconds}
    return queued(profile, build_job(meta, labels(model, Component.TRAINING), pod, **bounds))


def queued(profile: RuntimeProfile, job: Manifest) -> Manifest:
    """Suspended until Kueue has room for all of its pods, where the profile names a queue."""
    if not (queue := profile.training.queue_name):
        return job
    meta = job["metadata"]
    labelled = {**meta, "labels": {**meta["labels"], Label.QUEUE: queue}}
    return {**job, "metadata": labelled, "spec": {"suspend": True, **job["spec"]}}


def in_lockstep(job: Manifest, workers: int, attempt: int) -> Manifest:
    """The same on several pods that need each other: one that is lost ends all, and the next attempt is another Job."""
    spec, template = job["spec"], job["spec"]["template"]
    annotations = {**template["metadata"]["annotations"], Annotation.ATTEMPT: str(attempt)}
    changed = {
        "completions": workers,
        "parallelism": workers,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": failure_policy()["rules"][:1]},
        "template": {**template, "metadata": {**template["metadata"], "annotations": annotations}},
    }
    return {**job, "spec": {**spec, **changed}}


def worker_environment(model: HeartModel, workers: int) -> dict[str, str]:
    """How workers find each other, in the variables of XGBoost's launchers; a pod's own number is set by Kubernetes."""
    return {
        "DMLC_TRACKER_URI": f"{workers_service_name(model.name)}.{model.namespace}.svc",
        "DMLC_TRACKER_PORT": str(TRACKER_PORT),
        "DMLC_NUM_WORKER": str(workers),
    }


def is_train_job(model: HeartModel, profile: RuntimeProfile | None) -> bool:
    """Whether the model is trained by a TrainJob of Kubeflow in place of a Job."""
    return bool(model.spec.training.scale.workers and profile and profile.training.train_job)


def job_name(model: HeartModel, profile: RuntimeProfile | None, trigger: str, attempt: int = 0) -> str:
    """Of the Job or TrainJob of this attempt at the training."""
    return training_job_name(model.name, model.uid, trigger, attempt, train_job=is_train_job(model, profile))


def training_request(
    model: HeartModel, profile: RuntimeProfile, trigger: str, serving: ServingReference | None, attempt: int = 0
) -> TrainingRequest:
    """The training that the trainer carries out."""
    assert model.spec.dataset, "a model with spec.federation trains at its sites"
    own = profile.trainers.get(model.spec.training.trainer or "")
    return TrainingRequest(
        namespace=model.namespace,
        name=model.name,
        registry_name=model.registry_name,
        trigger=trigger,
        job=job_name(model, profile, trigger, attempt),
        dataset=model.spec.dataset,
        target=model.spec.target,
        features=model.spec.features,
        training=model.spec.training,
        serving=serving,
        access=profile.data,
        trainer_image=own.image if own else None,
    )


def pod_spec(model: HeartModel, profile: RuntimeProfile, request: JobRequest, variable: str) -> dict[str, Any]:
    """One container, its scratch space and, for pvc:// and configmap://, the data; the request is in `variable`."""
    resources = bounded(model.spec.training.resources, DEFAULT_RESOURCES, profile.training_caps)
    volumes, mounts = data_volume(request.dataset.uri)
    container = {
        "name": CONTAINER,
        "env": env({variable: request_json(request), **environment(model, profile, resources)}),
        "envFrom": runtime_secrets(profile),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *registry_mounts(profile), *mounts],  # noqa: S108  a mount of its own
        **container_defaults(trainer_image(request.dataset, profile), profile, resources),
    }
    return {
        **pod_defaults(model, profile),
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [SCRATCH, *registry_volumes(profile), *volumes],
    }


def trainer_image(dataset: Dataset, profile: RuntimeProfile) -> str:
    """The one with DVC's library where DVC tracks the dataset."""
    return (profile.images.dvc if dataset.is_in_dvc else None) or profile.images.trainer


def request_json(request: Frozen) -> str:
    return request.model_dump_json(by_alias=True, exclude_none=True)


def environment(model: HeartModel, profile: RuntimeProfile, resources: Resources) -> dict[str, str]:
    """Where MLflow is, and how many threads the container may use."""
    cores = cores_of(resources)
    return {
        Env.TERMINATION_LOG: "/dev/termination-log",
        **registry_environment(model, profile),
        "HOME": "/tmp",  # noqa: S108  the only writable place
        "LOKY_MAX_CPU_COUNT": str(cores),
        **thread_limits(cores),
    }
