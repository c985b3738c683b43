"""The Job that trains one version at the sites of a federation: its pod coordinates, and holds no data.

Flower's SuperLink listens on the loopback of the pod alone, for it believes whoever reaches it. The container `gate`
publishes what sites need of it, over TLS.
"""

from typing import Any

from heart_api.evaluation import ServingReference
from heart_api.federating import place_of
from heart_api.federation import FLEET_PORT, GATE, IDENTITY, PROGRESS_PORT, SUPERLINK, FederatedTrainingRequest, SiteRef
from heart_api.handover import Env
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import RUNTIME_SECRET, fleet_service_name, training_job_name
from heart_api.profile import RuntimeProfile
from heart_api.quantities import bounded
from heart_api.resources import Amounts, Resources
from heart_api.status import TrainingSite
from heart_operator.manifests.common import (
    container_defaults,
    env,
    pod_defaults,
    registry_mounts,
    registry_volumes,
    runtime_secrets,
)
from heart_operator.manifests.job import CONTAINER
from heart_operator.manifests.training_job import (
    DEFAULT_RESOURCES,
    SCRATCH,
    environment,
    request_json,
    trainer_job,
)

SHARED_DIR = "/federation"
SHARED = {"name": "federation", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
"""Keys of the pod; they go with it."""
COMMAND = ["python3", "-m", "heart_trainer.federation"]
"""Without the trainer's libraries, which take more memory to import than these containers have."""
HOSTS = "HEARTOPS_FEDERATION_HOSTS"
HELPERS = {
    IDENTITY: Resources(requests=Amounts(cpu="50m", memory="128Mi"), limits=Amounts(cpu="1", memory="256Mi")),
    SUPERLINK: Resources(requests=Amounts(cpu="100m", memory="256Mi"), limits=Amounts(cpu="1", memory="512Mi")),
    GATE: Resources(requests=Amounts(cpu="50m", memory="96Mi"), limits=Amounts(cpu="1", memory="256Mi")),
}


def build_coordinator_job(
    model: HeartModel,
    profile: RuntimeProfile,
    trigger: str,
    serving: ServingReference | None,
    sites: tuple[TrainingSite, ...],
) -> Manifest:
    """As a training's Job: created once (POST) under a name that model uid and trigger determine; never patched."""
    request = federated_request(model, trigger, serving, sites)
    return trainer_job(model, profile, pod_spec(model, profile, request), request)


def federated_request(
    model: HeartModel, trigger: str, serving: ServingReference | None, sites: tuple[TrainingSite, ...]
) -> FederatedTrainingRequest:
    """The training that the coordinator carries out, with the sites that it starts with."""
    federation = model.spec.federation
    assert federation, "only a model with spec.federation has sites"
    return FederatedTrainingRequest(
        namespace=model.namespace,
        name=model.name,
        registry_name=model.registry_name,
        trigger=trigger,
        job=training_job_name(model.name, model.uid, trigger),
        target=model.spec.target,
        features=model.spec.features,
        training=model.spec.training,
        serving=serving,
        sites=tuple(map(site_ref, sites)),
        min_sites=federation.min_sites,
        on_missing_site=federation.on_missing_site,
        round_deadline_seconds=federation.round_deadline_seconds,
        aggregation=federation.aggregation,
    )


def site_ref(site: TrainingSite) -> SiteRef:
    namespace, name = place_of(site.site)
    return SiteRef(
        namespace=namespace,
        name=name,
        public_key=site.public_key,
        minimum_rows=site.minimum_rows,
        minimum_cell=site.minimum_cell,
    )


def pod_spec(model: HeartModel, profile: RuntimeProfile, request: FederatedTrainingRequest) -> dict[str, Any]:
    """The trainer, and before it the identity, the SuperLink and the gate (sidecars, which end with the trainer)."""
    return {
        **pod_defaults(model, profile),
        "restartPolicy": "Never",
        "initContainers": [
            identity(model, profile, request),
            {**helper(profile, SUPERLINK), "restartPolicy": "Always"},
            gate(profile),
        ],
        "containers": [coordinator(model, profile, request)],
        "volumes": [SCRATCH, SHARED, *registry_volumes(profile)],
    }


def image_of(profile: RuntimeProfile) -> str:
    assert profile.images.federation, "a federated training starts only where the profile has an image for it"
    return profile.images.federation


def helper(profile: RuntimeProfile, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "command": COMMAND,
        "args": [name],
        "env": env({Env.FEDERATION_DIR: SHARED_DIR, "HOME": "/tmp"}),  # noqa: S108  a mount of its own
        "volumeMounts": mounts(),
        **container_defaults(image_of(profile), profile, HELPERS[name]),
    }


def identity(model: HeartModel, profile: RuntimeProfile, request: FederatedTrainingRequest) -> dict[str, Any]:
    """Derives the keys of the pod from the namespace's own; what sites have to trust is its termination message."""
    found = helper(profile, IDENTITY)
    host = f"{fleet_service_name(model.name)}.{model.namespace}.svc"
    variables = {
        Env.FEDERATED_REQUEST: request_json(request),
        Env.TERMINATION_LOG: "/dev/termination-log",
        HOSTS: f"{host},{host}.cluster.local",
    }
    return {**found, "env": [*env(variables), row_key(), *found["env"]]}


def row_key() -> dict[str, Any]:
    """The one key of the Secret that the container needs."""
    return {"name": Env.ROW_KEY, "valueFrom": {"secretKeyRef": {"name": RUNTIME_SECRET, "key": Env.ROW_KEY}}}


def gate(profile: RuntimeProfile) -> dict[str, Any]:
    return {
        **helper(profile, GATE),
        "restartPolicy": "Always",
        "ports": [{"name": "fleet", "containerPort": FLEET_PORT, "protocol": "TCP"}],
    }


def coordinator(model: HeartModel, profile: RuntimeProfile, request: FederatedTrainingRequest) -> dict[str, Any]:
    """The trainer's own container: it measures, seals and registers as for any other model."""
    resources = bounded(model.spec.training.resources, DEFAULT_RESOURCES, profile.training_caps)
    variables = {
        Env.FEDERATED_REQUEST: request_json(request),
        Env.FEDERATION_DIR: SHARED_DIR,
        **environment(model, profile, resources),
    }
    return {
        "name": CONTAINER,
        "env": env(variables),
        "envFrom": runtime_secrets(profile),
        "ports": [{"name": "progress", "containerPort": PROGRESS_PORT, "protocol": "TCP"}],
        "volumeMounts": [*mounts(), *registry_mounts(profile)],
        **container_defaults(image_of(profile), profile, resources),
    }


def mounts() -> list[dict[str, Any]]:
    return [{"name": "tmp", "mountPath": "/tmp"}, {"name": "federation", "mountPath": SHARED_DIR}]  # noqa: S108
