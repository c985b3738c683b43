"""Checks of HeartOps itself: CRDs, operator, MLflow and the database."""

from collections.abc import Iterator

from heart_api.kube.deployments import is_ready, pod_problem
from heart_api.kube.kinds import DEPLOYMENT, FEDERATION_SITE, HEART_MODEL, POD, RETRAIN_SCHEDULE, Kind
from heart_api.kube.objects import condition
from heart_api.kube.values import Manifest
from heart_api.names import Label
from heart_cli.doctor.findings import Finding
from heart_cli.doctor.reader import Reader, read_profiles
from heart_cli.installation import blocked_jobs

STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets")
DATABASES = ("postgresql", "log-postgresql")
"""Components."""
CRDS = "kubectl apply --server-side --force-conflicts -f charts/heartops/crds/"


def check_crds(system: Reader) -> Iterator[Finding]:
    wanted = {HEART_MODEL.plural, RETRAIN_SCHEDULE.plural, FEDERATION_SITE.plural}
    missing = sorted(wanted - system.resources(HEART_MODEL.api_version))
    if missing:
        yield Finding("problem", "CRDs", f"{', '.join(missing)} of {HEART_MODEL.api_version} not installed", CRDS)
    else:
        yield Finding("ok", "CRDs", "HeartModel, RetrainSchedule and FederationSite are installed")


def check_operator(system: Reader, own_version: str) -> Iterator[Finding]:
    """`own_version`: that of this plugin."""
    found = system.component(DEPLOYMENT, "operator")
    if found is None:
        fix = "helm install heartops charts/heartops -n NAMESPACE, or name its namespace with --system-namespace"
        yield Finding("problem", "operator", f"not found in namespace {system.namespace}", fix)
        return
    yield from check_workload(system, "operator", "Deployment", found)
    version = found["metadata"]["labels"].get(Label.VERSION, own_version)
    if version != own_version:
        message = f"the operator is release {version}, this plugin {own_version}"
        yield Finding("note", "operator", message, "Install the plugin of the operator's release")


def check_workload(system: Reader, area: str, kind: str, found: Manifest) -> Iterator[Finding]:
    """Whether all pods of a Deployment or StatefulSet are ready, with the first reason why one is not."""
    name = f"{kind} {found['metadata']['name']}"
    if found["spec"].get("replicas") == 0:
        fix = f"kubectl scale -n {system.namespace} {kind.lower()} {found['metadata']['name']} --replicas=1"
        yield Finding("problem", area, f"{name} is scaled to 0", fix)
        return
    if is_ready(found):
        yield Finding("ok", area, f"{name} is ready")
        return
    labels = found["spec"]["selector"]["matchLabels"]
    pods = system.objects(POD, labelSelector=",".join(f"{key}={value}" for key, value in labels.items()))
    why = next(filter(None, map(pod_problem, pods)), "") or creation_problem(found) or "its pods are not ready"
    fix = f"kubectl describe pods -n {system.namespace} -l {Label.COMPONENT}={labels.get(Label.COMPONENT, area)}"
    yield Finding("problem", area, f"{name}: {why}", fix)


def creation_problem(found: Manifest) -> str:
    failure = condition(found, "ReplicaFailure")
    return failure.get("message", "") if failure else ""


def check_mlflow(system: Reader) -> Iterator[Finding]:
    if found := system.component(DEPLOYMENT, "mlflow"):
        yield from check_workload(system, "MLflow", "Deployment", found)
        return
    addresses = {str(profile.get("trackingUri", "")) for profile in read_profiles(system).values()} - {""}
    if not addresses:
        fix = "Set mlflow.trackingUri in the chart's values, or mlflow.enabled to true"
        yield Finding("problem", "MLflow", f"no runtime profile in {system.namespace} names an MLflow", fix)
    for address in sorted(addresses):
        message = f"external server {address}; the models' conditions say whether the operator reaches it"
        yield Finding("ok", "MLflow", message)


def check_database(system: Reader) -> Iterator[Finding]:
    """The chart's PostgreSQL servers."""
    for component in DATABASES:
        if found := system.component(STATEFUL_SET, component):
            yield from check_workload(system, "database", "StatefulSet", found)


def check_jobs(system: Reader) -> Iterator[Finding]:
    """The Jobs that make Secrets and prepare the prediction log: none has failed or waits for a pod in vain."""
    found = blocked_jobs(system.client)
    for entry in found:
        message = f"Job {entry.name} cannot run ({entry.blocked.cause}): {entry.blocked.message}"
        yield Finding("problem", "Jobs", message, entry.blocked.advice)
    if not found:
        yield Finding("ok", "Jobs", "no Job of the installation waits for a pod or has failed")
