"""The Deployment of one model version.

Its pods fetch the model by digest in an init container; the server then reads it from a read-only mount.
"""

from typing import Any

from heart_api.authentication import AUTH_FILE, JWKS_FILE
from heart_api.handover import MIRROR_FILE, PATHS_FILE, Env
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import (
    PLAIN_PORT,
    RUNTIME_SECRET,
    SECURE_PORT,
    Annotation,
    Component,
    api_keys_name,
    auth_config_name,
    deployment_name,
    jwks_name,
    mirror_config_name,
    pods_service_name,
)
from heart_api.package import MODEL_FILE
from heart_api.profile import RuntimeProfile
from heart_api.quantities import bounded
from heart_api.resources import Amounts, Resources
from heart_operator.manifests.common import (
    GRPC_PORT,
    MANAGEMENT_PORT,
    MODEL_DIR,
    SECURE_SERVING_PORT,
    SERVER,
    SERVING_PORT,
    container_defaults,
    env,
    labels,
    metadata,
    pod_defaults,
    registry_environment,
    registry_mounts,
    registry_volumes,
    runtime_secrets,
    serving_pods,
    thread_limits,
)

DEFAULT_RESOURCES = Resources(
    requests=Amounts(cpu="100m", memory="224Mi"),
    limits=Amounts(cpu="1", memory="512Mi"),
)
MODEL_VOLUME = {"name": "model", "emptyDir": {"sizeLimit": "2Gi"}}
SCRATCH = {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}
MIRROR_DIR = "/etc/heartops/mirror"
AUTH_DIR = "/etc/heartops/auth"
API_KEYS_DIR = "/etc/heartops/api-keys"
JWKS_DIR = "/etc/heartops/jwks"
TLS_DIR = "/etc/heartops/tls"


def build_deployment(
    model: HeartModel,
    profile: RuntimeProfile,
    *,
    version: str,
    digest: str,
    run_id: str,
    trigger: str,
    evaluation_sha256: str,
) -> Manifest:
    """Without `replicas`: the first count is set on creation alone (`with_replicas`)."""
    known = {Annotation.DIGEST: digest, Annotation.TRIGGER: trigger, Annotation.RUN_ID: run_id}
    annotations = known | {Annotation.EVALUATION: evaluation_sha256}
    name = deployment_name(model.name, version)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(model, name, Component.SERVING, version=version, annotations=annotations),
        "spec": {
            "minReadySeconds": 2,
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": serving_pods(model, version)},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
            "template": {
                "metadata": {
                    "labels": labels(model, Component.SERVING, version),
                    "annotations": {Annotation.DIGEST: digest},
                },
                "spec": pod_spec(model, profile, version, digest),
            },
        },
    }


def with_replicas(deployment: Manifest, replicas: int) -> Manifest:
    """A copy with its first replica count, to be created (POST), never applied."""
    return deployment | {"spec": {"replicas": replicas, **deployment["spec"]}}


def pod_spec(model: HeartModel, profile: RuntimeProfile, version: str, digest: str) -> dict[str, Any]:
    """Fetch by digest, then serve from the read-only mount."""
    variables = environment(model, version, digest)
    return {
        **pod_defaults(model, profile),
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": spread(serving_pods(model, version)),
        "initContainers": [fetch_container(model, profile, variables)],
        "containers": [server_container(model, profile, variables)],
        "volumes": [
            MODEL_VOLUME,
            SCRATCH,
            mirror_volume(model),
            *auth_volumes(model),
            *tls_volumes(model),
            *registry_volumes(profile),
        ],
    }


def environment(model: HeartModel, version: str, digest: str) -> dict[str, str]:
    """What the fetcher and the server both know of the version."""
    return {
        Env.MODEL_NAME: model.name,
        Env.MODEL_NAMESPACE: model.namespace,
        Env.MODEL_VERSION: version,
        Env.MODEL_SHA256: digest,
        Env.MODEL_FILE: f"{MODEL_DIR}/{MODEL_FILE}",
        Env.REGISTRY_NAME: model.registry_name,
        **thread_limits(1),
    }


def fetch_container(model: HeartModel, profile: RuntimeProfile, variables: dict[str, str]) -> dict[str, Any]:
    """Only this container gets all credentials: the server, which faces users, gets the prediction log's alone."""
    siblings = f"{pods_service_name(variables[Env.MODEL_NAME])}.{variables[Env.MODEL_NAMESPACE]}.svc:{MANAGEMENT_PORT}"
    own = {Env.SIBLINGS: siblings, **registry_environment(model, profile), **signing_keys(profile)}
    resources = bounded(None, DEFAULT_RESOURCES, profile.serving_caps)
    return {
        "name": "fetch",
        "command": ["python3", "-m", "heart_serving.fetch"],
        "env": env(variables | own),
        "envFrom": runtime_secrets(profile),
        "volumeMounts": [{"name": "model", "mountPath": MODEL_DIR}, scratch_mount(), *registry_mounts(profile)],
        **container_defaults(profile.images.serving, profile, resources),
    }


def signing_keys(profile: RuntimeProfile) -> dict[str, str]:
    """From the profile and no object of the namespace, whose editors could put in a key of their own."""
    return {Env.SIGNING_KEYS: "\n".join(profile.signing.public_keys)} if profile.signing else {}


def server_container(model: HeartModel, profile: RuntimeProfile, variables: dict[str, str]) -> dict[str, Any]:
    """The image's command; after SIGTERM it serves for a moment longer, until no traffic is sent to the pod."""
    tls = model.spec.serving.tls
    port = SECURE_SERVING_PORT if tls else SERVING_PORT
    resources = bounded(model.spec.serving.resources, DEFAULT_RESOURCES, profile.serving_caps)
    return {
        "name": SERVER,
        "env": [*env(variables | server_environment(model)), *log_secrets(model)],
        "ports": [
            {"name": SECURE_PORT if tls else PLAIN_PORT, "containerPort": port, "protocol": "TCP"},
            {"name": "management", "containerPort": MANAGEMENT_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
        ],
        "startupProbe": probe("live", period=1, failures=60),
        "livenessProbe": probe("live", period=10, failures=3),
        "readinessProbe": probe("ready", period=2, failures=2),
        "volumeMounts": [
            {"name": "model", "mountPath": MODEL_DIR, "readOnly": True},
            {"name": "mirror", "mountPath": MIRROR_DIR, "readOnly": True},
            {"name": "auth", "mountPath": AUTH_DIR, "readOnly": True},
            {"name": "api-keys", "mountPath": API_KEYS_DIR, "readOnly": True},
            {"name": "jwks", "mountPath": JWKS_DIR, "readOnly": True},
            *([{"name": "tls", "mountPath": TLS_DIR, "readOnly": True}] if tls else []),
            scratch_mount(),
        ],
        **container_defaults(profile.images.serving, profile, resources),
    }


def server_environment(model: HeartModel) -> dict[str, str]:
    """What the server alone knows: where its files are, and what it is to do."""
    serving = model.spec.serving
    own = {
        Env.MIRROR_FILE: f"{MIRROR_DIR}/{MIRROR_FILE}",
        Env.AUTH_FILE: f"{AUTH_DIR}/{AUTH_FILE}",
        Env.PATHS_FILE: f"{AUTH_DIR}/{PATHS_FILE}",
        Env.API_KEYS: API_KEYS_DIR,
        Env.JWKS_FILE: f"{JWKS_DIR}/{JWKS_FILE}",
        Env.EXPLANATIONS: str(serving.explanations).lower(),
        Env.PREDICTION_LOG: serving.prediction_log.model_dump_json(by_alias=True),
    }
    if origins := serving.cors.allow_origins:
        own[Env.CORS_ORIGINS] = " ".join(origins)
    return own | ({Env.TLS_DIR: TLS_DIR, Env.PORT: str(SECURE_SERVING_PORT)} if serving.tls else {})


def log_secrets(model: HeartModel) -> list[dict[str, Any]]:
    """Keys of the runtime Secret, where they are there: without a database pods serve all the same, without the key of
    proofs they take no outcomes."""
    if model.spec.serving.prediction_log.sink != "PostgreSQL":
        return []
    return [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": RUNTIME_SECRET, "key": name, "optional": True}}}
        for name in (Env.DATABASE_URL, Env.PROOF_KEY)
    ]


def mirror_volume(model: HeartModel) -> dict[str, Any]:
    """Optional: no pod waits for it. As a folder, because a single mounted file never changes."""
    return {"name": "mirror", "configMap": {"name": mirror_config_name(model.name), "optional": True}}


def auth_volumes(model: HeartModel) -> list[dict[str, Any]]:
    """Who may call. Without the first no pod starts: it would not know whom to admit. People write the other two."""
    return [
        {"name": "auth", "configMap": {"name": auth_config_name(model.name)}},
        {"name": "api-keys", "secret": {"secretName": api_keys_name(model.name), "optional": True}},
        {"name": "jwks", "configMap": {"name": jwks_name(model.name), "optional": True}},
    ]


def tls_volumes(model: HeartModel) -> list[dict[str, Any]]:
    """Not optional: a pod waits for its certificate, which cert-manager may still be getting."""
    if model.spec.serving.tls is None:
        return []
    return [{"name": "tls", "secret": {"secretName": model.spec.serving.tls.secret_name}}]


def scratch_mount() -> dict[str, Any]:
    return {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  a mount of its own


def probe(path: str, *, period: int, failures: int) -> dict[str, Any]:
    """A model that fails its self-check ends at once and never becomes ready; the termination message says why."""
    return {
        "httpGet": {"path": f"/v2/health/{path}", "port": "management"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }


def spread(selector: dict[str, str]) -> list[dict[str, Any]]:
    """Over zones and nodes where that is possible; a small cluster still gets all its pods."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": selector},
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
