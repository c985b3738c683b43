"""Why nothing runs: what stops a pod is named in the status within seconds, in the cluster's words, with what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.kit import TRAINING, Model, Object, apply, declare, eventually, example, kubectl, new_namespace

pytestmark = pytest.mark.timeout(900)

SOON = 60
"""Seconds on a busy node; on a quiet one it takes less than ten."""


def iris(namespace: str, name: str, uri: str = "", **training: object) -> Object:
    """A quick training with one serving pod."""
    manifest = example("iris", namespace)
    manifest["metadata"]["name"] = name
    quick = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}, "backoffLimit": 0}
    manifest["spec"]["training"] = quick | training
    manifest["spec"]["serving"] = {"replicas": 1}
    if uri:
        manifest["spec"]["dataset"] = {"uri": uri}
    return manifest


@contextmanager
def limited(kind: str, spec: Object) -> Iterator[str]:
    """A namespace with a ResourceQuota or LimitRange that is called `small`."""
    with new_namespace() as namespace:
        apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": "small", "namespace": namespace}, "spec": spec})
        if kind == "ResourceQuota":
            path = "jsonpath={.status.hard}"
            eventually(
                lambda: kubectl("get", "resourcequota", "small", "-n", namespace, "-o", path), 30, "the quota to count"
            )
        yield namespace


def pending(model: Model, cause: str, *texts: str) -> None:
    """Conditions, event and status.training all say the same."""

    def named() -> Object:
        found = model.wait("Trained", "Unknown", SOON, reason="TrainingPending")
        return found if f"({cause})" in found["message"] else {}

    # Beside other tests the node may have no room at first, and then that is the cause.
    found = eventually(named, 300, f"{model.name} to name {cause}")
    for text in texts:
        assert text in found["message"]
    assert f"({cause})" in model.condition("Ready")["message"]
    assert f"({cause})" in model.status["training"]["message"]
    model.wait_events("TrainingPending", seconds=SOON)


def test_a_quota_that_is_too_small_for_the_training_and_is_raised() -> None:
    with limited("ResourceQuota", {"hard": {"requests.cpu": "10m"}}) as namespace:
        model = declare(iris(namespace, "quota"))
        pending(model, "Quota", "exceeded quota: small", "ResourceQuota")
        kubectl("delete", "resourcequota", "small", "-n", namespace)
        model.wait("Trained", "True", TRAINING)


def test_a_limit_range_with_a_lower_maximum() -> None:
    limits = [{"type": "Container", "max": {"cpu": "100m", "memory": "64Mi"}}]
    with limited("LimitRange", {"limits": limits}) as namespace:
        pending(declare(iris(namespace, "limits")), "LimitRange", "maximum", "spec.training.resources")


@pytest.fixture(scope="module")
def waiting(namespace: str) -> dict[str, Model]:
    """All of them at once."""
    huge = {"requests": {"cpu": "512", "memory": "128Mi"}, "limits": {"cpu": "512", "memory": "1Gi"}}
    manifests = (
        iris(namespace, "huge", resources=huge),
        iris(namespace, "no-claim", "pvc://nowhere/x.csv"),
        iris(namespace, "no-map", "configmap://nowhere/x.csv"),
    )
    return {manifest["metadata"]["name"]: declare(manifest) for manifest in manifests}


def test_more_cpu_than_any_node_has(waiting: dict[str, Model]) -> None:
    pending(waiting["huge"], "Scheduling", "Insufficient cpu", "Lower spec.training.resources")


def test_a_claim_that_does_not_exist(waiting: dict[str, Model]) -> None:
    pending(waiting["no-claim"], "VolumeMissing", 'persistentvolumeclaim "nowhere" not found', "spec.dataset.uri")


def test_a_config_map_that_does_not_exist_until_somebody_makes_it(waiting: dict[str, Model]) -> None:
    model = waiting["no-map"]
    pending(model, "VolumeMissing", 'configmap "nowhere" not found', "spec.dataset.uri")
    rows = "sepal_length_cm,target\n5.1,0\n"
    metadata = {"name": "nowhere", "namespace": model.namespace}
    apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"x.csv": rows}})
    # The kubelet tries again within two minutes; that the file has too few columns is the training's own finding.
    assert model.wait("Trained", "False", 300)["reason"] not in ("TrainingPending", "TrainingFailed")


def test_serving_pods_that_a_quota_forbids() -> None:
    with new_namespace() as namespace:
        model = declare(iris(namespace, "scaled"))
        model.wait_serving("1", TRAINING)
        kubectl("delete", "jobs", "-n", namespace, "--all")
        quota = {"name": "small", "namespace": namespace}
        apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": quota, "spec": {"hard": {"pods": "1"}}})
        path = "jsonpath={.status.hard}"
        eventually(lambda: kubectl("get", "resourcequota", "small", "-n", namespace, "-o", path), 30, "the quota")
        model.patch(serving={"replicas": 3})
        message = model.wait("Ready", "False", SOON, reason="PodsPending")["message"]
        assert "1 of 3 pods of version 1 are ready (Quota): " in message
        assert "exceeded quota: small" in message
        assert model.condition("Available")["status"] == "True"
        model.wait_events("PodsPending", seconds=SOON)
