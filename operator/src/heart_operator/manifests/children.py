"""Everything that is applied for a model, besides its Jobs and Deployments."""

from collections.abc import Set

from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest, ObjectKey, VersionDeployment
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.auth import build_auth_config
from heart_operator.manifests.hpa import build_hpa
from heart_operator.manifests.http_route import build_http_route
from heart_operator.manifests.ingress import build_ingress
from heart_operator.manifests.mirror import build_mirror_config
from heart_operator.manifests.network_policy import (
    build_callers_policy,
    build_check_policy,
    build_serving_policy,
    build_training_policy,
)
from heart_operator.manifests.pdb import build_pdb
from heart_operator.manifests.prometheus_rule import build_prometheus_rule
from heart_operator.manifests.service import (
    build_candidate_service,
    build_fleet_service,
    build_headless_service,
    build_service,
    build_workers_service,
)
from heart_operator.manifests.service_account import build_service_account
from heart_operator.manifests.service_monitor import build_service_monitor
from heart_operator.manifests.traffic import Traffic
from heart_operator.manifests.training_job import is_train_job

APPLIED_KINDS = (
    ("v1", "ServiceAccount"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("policy/v1", "PodDisruptionBudget"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
)
"""apiVersion and kind of everything that `build_children` may return."""


def build_children(
    model: HeartModel,
    profile: RuntimeProfile | None,
    kinds: Set[str],
    stable: VersionDeployment | None,
    traffic: Traffic,
    candidate: VersionDeployment | None = None,
) -> tuple[Manifest, ...]:
    """The children to apply; an owned object of APPLIED_KINDS that is not among them is to be deleted.

    Before anything serves (`stable` is None): ServiceAccount, headless Services, NetworkPolicies, the ConfigMap about
    callers and, with `spec.federation`, the Service for sites. Then also the Service with the version as selector, the
    candidate's Service, the mirror's ConfigMap, PodDisruptionBudget, HPA (unless `serving.replicas`), Ingress, and,
    where `kinds` has them, HTTPRoute, ServiceMonitor and PrometheusRule.
    """
    before = (
        build_service_account(model),
        *policies(model, profile, traffic),
        build_headless_service(model),
        *([build_workers_service(model)] if needs_workers_service(model, profile) else []),
        build_auth_config(model),
        *([build_fleet_service(model)] if model.spec.federation else []),
    )
    if stable is None:
        return before
    is_secure = candidate.is_secure if candidate else stable.is_secure
    return (
        *before,
        *serving_children(model, stable, traffic, is_secure),
        *routes(model, kinds, traffic, stable.is_secure, is_secure),
        *monitoring_children(model, profile, kinds),
    )


def needs_workers_service(model: HeartModel, profile: RuntimeProfile | None) -> bool:
    """Whether workers find the first one by a Service of ours; a TrainJob's JobSet has its own."""
    return model.spec.training.scale.workers is not None and not is_train_job(model, profile)


def policies(model: HeartModel, profile: RuntimeProfile | None, traffic: Traffic) -> tuple[Manifest, ...]:
    """Who talks to whom. A profile says so; a way back must not wait until there is one again.

    Before the Services, so that pods are open when requests come.
    """
    if profile is None:
        return ()
    return (
        build_callers_policy(model, profile, traffic.closed),
        build_serving_policy(model, profile),
        build_training_policy(model, profile),
        build_check_policy(model, profile),
    )


def serving_children(
    model: HeartModel, stable: VersionDeployment, traffic: Traffic, is_candidate_secure: bool
) -> tuple[Manifest, ...]:
    """The Service comes first: it decides who serves, the others only help."""
    secure = {stable.is_secure, is_candidate_secure} if traffic.spread else {stable.is_secure}
    found = [build_service(model, stable.version, secure, spread=traffic.spread), build_pdb(model, stable.version)]
    if traffic.candidate and (model.spec.serving.route or traffic.mirror_percent or traffic.experiment_since):
        found.append(build_candidate_service(model, traffic.candidate, is_candidate_secure))
    found.append(build_mirror_config(model, traffic, secure=is_candidate_secure))
    if model.spec.serving.replicas is None:
        found.append(build_hpa(model, stable.name))
    return tuple(found)


def routes(
    model: HeartModel, kinds: Set[str], traffic: Traffic, is_secure: bool, is_candidate_secure: bool
) -> tuple[Manifest, ...]:
    """Ways in from outside the cluster; after the Services that they name. `is_secure`: the stable version's pods."""
    serving, found = model.spec.serving, []
    if serving.ingress:
        found.append(build_ingress(model, serving.ingress, secure=is_secure))
    if serving.route and "HTTPRoute" in kinds:
        found.append(build_http_route(model, serving.route, traffic.weight, is_secure, is_candidate_secure))
    return tuple(found)


def monitoring_children(model: HeartModel, profile: RuntimeProfile | None, kinds: Set[str]) -> tuple[Manifest, ...]:
    """Only what the cluster has the kinds for; without a profile, which has their labels, they stay as they are."""
    if profile is None or not model.spec.monitoring.service_monitor:
        return ()
    built = (build_service_monitor(model, profile), build_prometheus_rule(model, profile))
    return tuple(manifest for manifest in built if manifest["kind"] in kinds)


def key_of(manifest: Manifest) -> ObjectKey:
    """The identity of an object in the model's namespace."""
    return ObjectKey(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])
