"""Checks of a namespace with models: Secret, permissions, images, storage, Gateways, and the models themselves."""

import base64
from collections.abc import Iterator

from heart_api.handover import Env
from heart_api.kube.blocked import IMAGE
from heart_api.kube.deployments import pod_problem
from heart_api.kube.kinds import HEART_MODEL, POD, SECRET, Kind
from heart_api.kube.values import Manifest
from heart_api.names import RUNTIME_SECRET, Condition, Reason
from heart_cli.doctor.findings import Finding, Level
from heart_cli.doctor.installation import DATABASES, STATEFUL_SET
from heart_cli.doctor.reader import OURS, Reader, read_profiles

CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways")
ROLLOUT_WAITS = (Reason.PAUSED, Reason.ON_HOLD, Reason.AWAITING_APPROVAL)
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
AT_FIRST_POD = "WaitForFirstConsumer"
"""The binding mode of most clouds: a claim waits, and nothing is wrong, until a pod mounts it."""


def check_secret(system: Reader, models: Reader) -> Iterator[Finding]:
    """The Secret heartops-runtime; its values are neither shown nor kept."""
    fix = f"kubectl heart init-namespace {models.namespace}"
    found = models.object(SECRET, RUNTIME_SECRET)
    if found is None:
        message = f"namespace {models.namespace} has no Secret {RUNTIME_SECRET}: no training can start"
        yield Finding("problem", "Secret", message, fix)
        return
    keys = {key for key, value in (found.get("data") or {}).items() if base64.b64decode(value)}
    if Env.ROW_KEY not in keys:
        yield Finding("problem", "Secret", f"{RUNTIME_SECRET} has no {Env.ROW_KEY}", fix)
    if Env.DATABASE_URL not in keys and any(map(logs_predictions, models.objects(HEART_MODEL))):
        level: Level = "problem" if has_database(system) else "note"
        message = f"{RUNTIME_SECRET} has no {Env.DATABASE_URL}: predictions are not logged, /feedback is off"
        yield Finding(level, "Secret", message, fix)
    if Env.ROW_KEY in keys:
        yield Finding("ok", "Secret", f"namespace {models.namespace} has {RUNTIME_SECRET}")


def logs_predictions(model: Manifest) -> bool:
    """PostgreSQL is the default."""
    log = (model["spec"].get("serving") or {}).get("predictionLog") or {}
    return bool(log.get("sink", "PostgreSQL") == "PostgreSQL")


def has_database(system: Reader) -> bool:
    return any(system.component(STATEFUL_SET, component) for component in DATABASES)


def check_images(system: Reader, models: Reader) -> Iterator[Finding]:
    """Images that cannot be pulled, and pull Secrets that a profile names and the namespace does not have."""
    fix = "Correct images and imagePullSecrets in the chart's values; `make images` builds the images"
    failing = [
        (reader.namespace, pod["metadata"]["name"], problem)
        for reader in unique(system, models)
        for pod in reader.objects(POD, labelSelector=OURS)
        if (problem := pod_problem(pod)).partition(" ")[0] in IMAGE
    ]
    for namespace, name, problem in failing:
        yield Finding("problem", "images", f"pod {name} in namespace {namespace}: {problem}", fix)
    named = {name for profile in read_profiles(system).values() for name in profile.get("imagePullSecrets") or ()}
    for name in sorted(named):
        if models.object(SECRET, name) is None:
            copy = f"kubectl create secret docker-registry {name} -n {models.namespace} --docker-server=…"
            message = f"namespace {models.namespace} has no Secret {name}, which a runtime profile names"
            yield Finding("problem", "images", message, copy)
    if not failing:
        yield Finding("ok", "images", "no pod waits for its image")


def unique(*readers: Reader) -> list[Reader]:
    """One reader for each namespace."""
    return list({reader.namespace: reader for reader in readers}.values())


def check_storage(system: Reader, models: Reader) -> Iterator[Finding]:
    """Claims that are not bound, with what their storage class lacks."""
    found = system.path("/apis/storage.k8s.io/v1/storageclasses") or {"items": []}
    classes = {item["metadata"]["name"]: item for item in found["items"]}
    pending = [
        (reader, claim)
        for reader in unique(system, models)
        for claim in reader.objects(CLAIM)
        if (claim.get("status") or {}).get("phase") == "Pending"
    ]
    for reader, claim in pending:
        yield judge_claim(reader, claim, classes)
    yield from missing_claims(models)
    if not pending:
        yield Finding("ok", "storage", "no PersistentVolumeClaim waits for a volume")


def judge_claim(reader: Reader, claim: Manifest, classes: dict[str, Manifest]) -> Finding:
    name, wanted = claim["metadata"]["name"], claim["spec"].get("storageClassName")
    message = f"PersistentVolumeClaim {name} in namespace {reader.namespace} is pending"
    if wanted is None and not any(map(is_default, classes.values())):
        fix = (
            "Mark a StorageClass as default, or set persistence.storageClassName of mlflow and postgresql in the values"
        )
        return Finding("problem", "storage", f"{message}: the cluster has no default StorageClass", fix)
    if wanted and wanted not in classes:
        fix = f"Create it, or name one of: {', '.join(sorted(classes)) or 'none exists'}"
        return Finding("problem", "storage", f"{message}: there is no StorageClass {wanted}", fix)
    fix = f"kubectl describe pvc {name} -n {reader.namespace}"
    if wanted and classes[wanted].get("volumeBindingMode") == AT_FIRST_POD and not is_mounted(reader, name):
        return Finding("note", "storage", f"{message}: its volume is made for the first pod that mounts it", fix)
    return Finding("problem", "storage", message, fix)


def is_default(storage_class: Manifest) -> bool:
    annotations: dict[str, str] = storage_class["metadata"].get("annotations") or {}
    return annotations.get(DEFAULT_CLASS) == "true"


def is_mounted(reader: Reader, claim: str) -> bool:
    """Whether a pod names the claim, running or not."""
    volumes = (volume for pod in reader.objects(POD) for volume in pod["spec"].get("volumes") or ())
    return any((volume.get("persistentVolumeClaim") or {}).get("claimName") == claim for volume in volumes)


def missing_claims(models: Reader) -> Iterator[Finding]:
    for model in models.objects(HEART_MODEL):
        scheme, _, rest = (model["spec"].get("dataset") or {}).get("uri", "").partition("://")
        claim = rest.partition("/")[0]
        if scheme == "pvc" and models.object(CLAIM, claim) is None:
            message = f"HeartModel {model['metadata']['name']} reads from claim {claim}, which does not exist"
            fix = f"Create it in namespace {models.namespace}, or correct spec.dataset.uri"
            yield Finding("problem", "storage", message, fix)


def check_gateway(models: Reader) -> Iterator[Finding]:
    """The Gateways that models name in `serving.route`."""
    routes = [
        (model["metadata"]["name"], route)
        for model in models.objects(HEART_MODEL)
        if (route := (model["spec"].get("serving") or {}).get("route"))
    ]
    if not models.resources(GATEWAY.api_version):
        level: Level = "problem" if routes else "note"
        effect = f"used by {', '.join(name for name, _ in routes)}" if routes else "canaries split traffic by replicas"
        fix = "Install the Gateway API's CRDs and a controller for them"
        yield Finding(level, "Gateway", f"the cluster has no Gateway API ({effect})", fix)
        return
    for name, route in routes:
        yield judge_gateway(models, name, route["gateway"])


def judge_gateway(models: Reader, model: str, reference: Manifest) -> Finding:
    namespace = reference.get("namespace") or models.namespace
    full = f"{namespace}/{reference['name']}"
    found = models.object(GATEWAY, reference["name"], namespace)
    if found is None:
        fix = f"Create it, or correct spec.serving.route.gateway of {model}"
        return Finding("problem", "Gateway", f"HeartModel {model} names Gateway {full}, which does not exist", fix)
    conditions = {entry["type"]: entry for entry in (found.get("status") or {}).get("conditions") or ()}
    programmed = conditions.get("Programmed") or {}
    if programmed.get("status") == "True":
        return Finding("ok", "Gateway", f"{full} is programmed")
    why = programmed.get("message") or "no controller has accepted it"
    return Finding(
        "problem", "Gateway", f"{full}: {why}", f"kubectl describe gateway {reference['name']} -n {namespace}"
    )


def check_models(models: Reader) -> Iterator[Finding]:
    """Models that do not do what is desired, each with its reason."""
    items = models.objects(HEART_MODEL)
    if not items:
        yield Finding(
            "note", "models", f"no HeartModel in namespace {models.namespace}", "kubectl apply -f examples/iris/"
        )
    for item in items:
        yield judge_model(item)


def judge_model(item: Manifest) -> Finding:
    name = item["metadata"]["name"]
    conditions = {entry["type"]: entry for entry in (item.get("status") or {}).get("conditions") or ()}
    ready = conditions.get(Condition.READY)
    if ready is None:
        fix = "See the operator's log; operator.namespaces in the chart's values limits what it watches"
        return Finding("problem", "models", f"{name}: not reconciled yet", fix)
    if ready["status"] == "True":
        return Finding("ok", "models", f"{name} is ready")
    progressing = conditions.get(Condition.PROGRESSING) or {}
    is_working = progressing.get("status") == "True" and progressing.get("reason") != Reason.UP_TO_DATE
    is_working |= progressing.get("reason") in ROLLOUT_WAITS
    level: Level = "note" if is_working else "problem"
    message = f"{name}: {ready['reason']}: {ready['message']}"
    return Finding(level, "models", message, f"kubectl heart explain {ready['reason']}")
