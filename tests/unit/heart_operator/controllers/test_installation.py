"""What keeps HeartOps' own Jobs and Deployments from running: said in a metric, an event and the models' status."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from heart_api.kube.kinds import DEPLOYMENT, EVENT, JOB, POD, Kind
from heart_operator.controllers.installation import InstallationWatch
from heart_operator.kube.errors import ApiUnavailable
from heart_operator.telemetry.blocked import BlockedCollector
from tests.support.plan.world import serving_world

CREATED = "2026-01-02T03:04:05Z"
NOW = datetime(2026, 1, 2, 3, 5, tzinfo=UTC)
QUOTA = 'Error creating: pods "heartops-secrets-1a2b3c4d-x7k2p" is forbidden: exceeded quota: small'


def item(kind: Kind, name: str, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "heartops", "uid": name, "creationTimestamp": CREATED, "resourceVersion": "1"}
    return {"kind": kind.kind, "metadata": meta, "spec": spec or {}, "status": status}


SECRETS = item(JOB, "heartops-secrets-1a2b3c4d")
MLFLOW = item(DEPLOYMENT, "heartops-mlflow", {"replicas": 1, "selector": {"matchLabels": {"a": "mlflow"}}})


def waiting_pod(**more: Any) -> dict[str, Any]:
    reason = {"reason": "CreateContainerConfigError", "message": 'secret "heartops-logins" not found'}
    container = {"name": "mlflow", "state": {"waiting": reason}}
    return item(POD, "mlflow-x", phase="Pending", containerStatuses=[container], **more)


class Cluster:
    """The operator's namespace; `created` are the events that were written."""

    def __init__(self, **objects: list[dict[str, Any]]) -> None:
        self.objects = objects
        self.created: list[dict[str, Any]] = []
        self.selectors: set[str] = set()
        self.answers = True

    async def find(self, kind: Kind, namespace: str, selector: str, **_: Any) -> list[dict[str, Any]]:
        if not self.answers:
            raise ApiUnavailable("no answer")
        assert namespace == "heartops"
        self.selectors |= {selector} if kind in (JOB, DEPLOYMENT) else set()
        return self.objects.get(kind.plural, [])

    async def create(self, kind: Kind, manifest: dict[str, Any]) -> dict[str, Any]:
        assert kind == EVENT
        self.created.append(manifest)
        return manifest


class Installation:
    def __init__(self, cluster: Cluster) -> None:
        self.registry = CollectorRegistry()
        collector = BlockedCollector()
        self.registry.register(collector)
        self.watch = InstallationWatch(cluster, "heartops", collector, lambda: NOW)  # type: ignore[arg-type]

    def metric(self, kind: str, name: str, cause: str) -> float | None:
        labels = {"namespace": "heartops", "model": "", "name": name, "kind": kind, "cause": cause}
        return self.registry.get_sample_value("heartops_blocked_workloads", labels)


def event(reason: str, message: str) -> dict[str, Any]:
    return {"metadata": {"creationTimestamp": CREATED}, "reason": reason, "message": message, "lastTimestamp": CREATED}


async def test_a_job_whose_pods_are_forbidden_says_so_in_a_metric_and_one_event() -> None:
    cluster = Cluster(jobs=[SECRETS], events=[event("FailedCreate", QUOTA)])
    found = Installation(cluster)
    for _ in range(4):
        await found.watch.check()
    assert found.metric("Job", "heartops-secrets-1a2b3c4d", "Quota") == 1
    (said,) = cluster.created
    assert said["involvedObject"]["name"] == "heartops-secrets-1a2b3c4d"
    assert (said["type"], said["reason"]) == ("Warning", "PodsPending")
    assert "exceeded quota: small" in said["message"]
    assert "the chart's values" in said["message"]
    assert cluster.selectors == {"app.kubernetes.io/part-of=heartops,!heartops.dev/model,!heartops.dev/site"}
    cluster.objects = {}
    await found.watch.check()
    assert found.metric("Job", "heartops-secrets-1a2b3c4d", "Quota") is None


async def test_a_deployment_that_waits_for_a_secret_and_a_job_that_failed_for_good() -> None:
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too many retries"}
    job = item(JOB, "heartops-log-database-1", conditions=[failed])
    cluster = Cluster(deployments=[MLFLOW], pods=[waiting_pod()], jobs=[job])
    found = Installation(cluster)
    await found.watch.check()
    assert cluster.created == [], "an installation's pods wait a little for each other"
    await found.watch.check()
    assert found.metric("Deployment", "heartops-mlflow", "ConfigMissing") == 1
    assert found.metric("Job", "heartops-log-database-1", "JobFailed") == 1
    assert 'secret "heartops-logins" not found' in cluster.created[1]["message"]
    assert "kubectl logs job/heartops-log-database-1" in cluster.created[0]["message"]


@pytest.mark.parametrize(
    "objects",
    [
        {"jobs": [item(JOB, "a", ready=1)]},
        {"jobs": [item(JOB, "a", conditions=[{"type": "Complete", "status": "True"}])]},
        {"deployments": [{**MLFLOW, "status": {"readyReplicas": 1}}], "pods": [waiting_pod()]},
        {
            "deployments": [MLFLOW],
            "pods": [
                waiting_pod(
                    conditions=[
                        {
                            "type": "DisruptionTarget",
                            "status": "True",
                            "reason": "EvictionByEvictionAPI",
                            "lastTransitionTime": (NOW - timedelta(seconds=30)).isoformat(),
                        }
                    ]
                )
            ],
        },
    ],
)
async def test_what_runs_has_run_or_is_being_replaced_is_worth_no_word(objects: dict[str, Any]) -> None:
    cluster = Cluster(**objects)
    found = Installation(cluster)
    for _ in range(3):
        await found.watch.check()
    assert found.watch.blocked == ()
    assert cluster.created == []


async def test_an_outage_of_the_api_server_leaves_what_was_found_last() -> None:
    cluster = Cluster(jobs=[SECRETS], events=[event("FailedCreate", QUOTA)])
    found = Installation(cluster)
    await found.watch.check()
    cluster.answers = False
    await found.watch.check()
    assert [entry.cause for entry in found.watch.blocked] == ["Quota"]


async def test_a_model_without_its_registry_says_that_mlflow_itself_cannot_start() -> None:
    found = Installation(Cluster(deployments=[MLFLOW], pods=[waiting_pod()]))
    await found.watch.check()
    world = serving_world()
    world.installation = found.watch.blocked
    world.registry_error = "connection refused"
    world.settle()
    assert "Deployment heartops-mlflow cannot start (ConfigMissing)" in world.message("Progressing")
    assert world.condition("Available")[0] == "True"
