"""The Jobs of a site, in the namespace of its data: one that checks these, and one for each training it takes part in.

Both run the federation image of the site's own runtime profile and nothing else. The FederationSite owns them: its
deletion ends them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from heart_api.federation import FLEET_PORT, SiteCheckRequest, SiteModel, SiteRequest
from heart_api.federationsite import FederationSite
from heart_api.handover import Env
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import (
    FIELD_MANAGER,
    PART_OF,
    RUNTIME_SECRET,
    Annotation,
    Component,
    Label,
    fleet_service_name,
    site_account_name,
    site_check_job_name,
    site_training_job_name,
)
from heart_api.profile import RuntimeProfile
from heart_api.quantities import bounded
from heart_api.resources import Amounts, Resources
from heart_operator.manifests.common import account_defaults, container_defaults, controlled_by, env, thread_limits
from heart_operator.manifests.coordinator_job import image_of
from heart_operator.manifests.data_volume import data_volume
from heart_operator.manifests.job import CONTAINER, build_job
from heart_operator.manifests.training_job import SCRATCH, request_json

APPLICATION = "federationsite"
RESOURCES = Resources(requests=Amounts(cpu="100m", memory="512Mi"), limits=Amounts(cpu="1", memory="2Gi"))
CHECK_SECONDS = 900
RETRIES = 3


def build_site_check_job(
    site: FederationSite, models: Iterable[HeartModel], profile: RuntimeProfile, trigger: str, attempt: int = 0
) -> Manifest:
    """Reads the data once, for the contracts of all of these models; created once (POST), never patched."""
    name = site_check_job_name(site.name, site.uid, trigger, attempt)
    request = request_json(check_request(site, models, profile))
    pod = pod_spec(site, profile, ["site", "check"], {Env.SITE_CHECK_REQUEST: request})
    return site_job(site, name, pod, {Annotation.TRIGGER: trigger}, CHECK_SECONDS)


def build_site_job(site: FederationSite, model: HeartModel, profile: RuntimeProfile) -> Manifest:
    """Answers the coordinator of the model's running training; created once (POST), never patched."""
    training = model.status.training
    assert training, "a site takes part in a training that runs"
    reference = f"{model.namespace}/{model.name}"
    name = site_training_job_name(site.name, site.uid, reference, training.trigger)
    pod = pod_spec(site, profile, ["site"], {Env.SITE_REQUEST: request_json(site_request(site, model, profile))})
    about = {Annotation.TRIGGER: training.trigger, Annotation.TRAINED_MODEL: reference}
    return site_job(site, name, pod, about, model.spec.training.timeout_seconds)


def check_request(site: FederationSite, models: Iterable[HeartModel], profile: RuntimeProfile) -> SiteCheckRequest:
    return SiteCheckRequest(
        namespace=site.namespace,
        name=site.name,
        dataset=site.spec.dataset,
        models=tuple(
            SiteModel(
                namespace=model.namespace,
                name=model.name,
                target=model.spec.target,
                features=model.spec.features,
                task=model.spec.training.task,
            )
            for model in models
        ),
        access=profile.data,
    )


def site_request(site: FederationSite, model: HeartModel, profile: RuntimeProfile) -> SiteRequest:
    """What the site answers about, to whom, and within which bounds."""
    training = model.status.training
    assert site.spec.dataset, "a site elsewhere has no Job"
    assert training, "a site takes part in a training that runs"
    assert training.coordinator, "its coordinator has said who it is"
    return SiteRequest(
        namespace=site.namespace,
        name=site.name,
        model_namespace=model.namespace,
        model_name=model.name,
        trigger=training.trigger,
        dataset=site.spec.dataset,
        target=model.spec.target,
        features=model.spec.features,
        task=model.spec.training.task,
        contract_sha256=model.contract_hash,
        minimum_rows=site.spec.minimum_rows,
        minimum_cell=site.spec.minimum_cell,
        coordinator=f"{fleet_service_name(model.name)}.{model.namespace}.svc:{FLEET_PORT}",
        certificate=training.coordinator.certificate,
        bundle_sha256=training.coordinator.bundle_sha256,
        deadline_seconds=model.spec.training.timeout_seconds,
        access=profile.data,
    )


def site_job(
    site: FederationSite, name: str, pod: dict[str, Any], annotations: Mapping[str, str], seconds: int
) -> Manifest:
    return build_job(metadata(site, name, annotations), labels(site), pod, retries=RETRIES, seconds=seconds)


def labels(site: FederationSite) -> dict[str, str]:
    return {
        Label.NAME: APPLICATION,
        Label.INSTANCE: site.name,
        Label.PART_OF: PART_OF,
        Label.MANAGED_BY: FIELD_MANAGER,
        Label.COMPONENT: Component.SITE,
        Label.SITE: site.name,
    }


def site_pods(name: str) -> dict[str, str]:
    """Selector of the pods of a site."""
    return {Label.SITE: name, Label.COMPONENT: Component.SITE}


def metadata(site: FederationSite, name: str, annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
    owners = [controlled_by("FederationSite", site)]
    found = {"name": name, "namespace": site.namespace, "labels": labels(site), "ownerReferences": owners}
    return found | {"annotations": dict(annotations)} if annotations else found


def pod_spec(
    site: FederationSite, profile: RuntimeProfile, arguments: list[str], request: Mapping[str, str]
) -> dict[str, Any]:
    """One container with the data and scratch space; credentials of the namespace, none of MLflow."""
    assert site.spec.dataset, "a site elsewhere has no pods here"
    resources = bounded(site.spec.resources, RESOURCES, profile.training_caps)
    volumes, mounts = data_volume(site.spec.dataset.uri)
    variables = {
        **request,
        Env.TERMINATION_LOG: "/dev/termination-log",
        "HOME": "/tmp",  # noqa: S108  the only writable place
        **thread_limits(1),
    }
    container = {
        "name": CONTAINER,
        "args": arguments,
        "env": env(variables),
        "envFrom": [{"secretRef": {"name": RUNTIME_SECRET, "optional": True}}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, *mounts],  # noqa: S108  a mount of its own
        **container_defaults(image_of(profile), profile, resources),
    }
    return {
        **account_defaults(site_account_name(site.name), profile),
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [SCRATCH, *volumes],
    }
