"""Every kind that the operator reads or writes, and its place in the API."""

from dataclasses import dataclass

from heart_api.names import API_VERSION, GROUP


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced kind: `batch/v1`, `Job`, `jobs`."""

    api_version: str
    kind: str
    plural: str

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    @property
    def path_everywhere(self) -> str:
        """Path of the objects of all namespaces."""
        return "/".join(["/apis" if self.group else "/api", self.api_version, self.plural])

    def path(self, namespace: str, name: str | None = None, subresource: str | None = None) -> str:
        """Path below the API server's address."""
        root = "/apis" if self.group else "/api"
        return "/".join(
            [root, self.api_version, "namespaces", namespace, self.plural, *filter(None, (name, subresource))]
        )


HEART_MODEL = Kind(f"{GROUP}/{API_VERSION}", "HeartModel", "heartmodels")
RETRAIN_SCHEDULE = Kind(f"{GROUP}/{API_VERSION}", "RetrainSchedule", "retrainschedules")
FEDERATION_SITE = Kind(f"{GROUP}/{API_VERSION}", "FederationSite", "federationsites")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
POD = Kind("v1", "Pod", "pods")
SECRET = Kind("v1", "Secret", "secrets")
"""Read by kubectl heart and by the installation; the operator reads none."""
EVENT = Kind("v1", "Event", "events")
JOB = Kind("batch/v1", "Job", "jobs")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")

TRAIN_JOB = Kind("trainer.kubeflow.org/v1alpha1", "TrainJob", "trainjobs")
"""Of Kubeflow Trainer, which makes the pods of such a training."""
WORKLOADS = tuple(Kind(f"kueue.x-k8s.io/{version}", "Workload", "workloads") for version in ("v1beta2", "v1beta1"))
"""Kueue's own record of a Job or TrainJob, in the versions that its releases serve, the newest first."""

SERVICE = Kind("v1", "Service", "services")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")

CHILDREN = (
    JOB,
    DEPLOYMENT,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("networking.k8s.io/v1", "Ingress", "ingresses"),
)
"""Kinds that every cluster has."""

MONITORING = "monitoring.coreos.com/v1"
OPTIONAL_CHILDREN = (
    Kind(MONITORING, "ServiceMonitor", "servicemonitors"),
    Kind(MONITORING, "PrometheusRule", "prometheusrules"),
    Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    TRAIN_JOB,
)
"""Kinds that exist where the Prometheus Operator, the Gateway API, or Kubeflow Trainer does."""
OPTIONAL_API_VERSIONS = tuple(sorted({kind.api_version for kind in OPTIONAL_CHILDREN}))

BY_NAME = {(kind.api_version, kind.kind): kind for kind in (*CHILDREN, *OPTIONAL_CHILDREN)}


def children_kinds(present: frozenset[str]) -> tuple[Kind, ...]:
    """Kinds of children in a cluster that has the optional kinds `present`."""
    return CHILDREN + tuple(kind for kind in OPTIONAL_CHILDREN if kind.kind in present)
