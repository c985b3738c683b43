"""Trainings that go wrong end in a condition that says what to do, and leave nothing behind."""

import json
import time

import pytest
from mlflow import MlflowClient

from heart_api.handover import Tag
from tests.e2e.kit import Model, Object, apply, declare, eventually, example, items, kubectl

pytestmark = pytest.mark.timeout(600)

HEADER = "sepal_length_cm,sepal_width_cm,petal_length_cm,petal_width_cm,target"
BAD_ROWS = ("5.1,3.5,1.4,0.2,0", "5.0,777.25,1.5,0.2,0", "5.2,3.4,abc,0.2,1")


def iris(namespace: str, name: str, **training: object) -> Object:
    manifest = example("iris", namespace)
    manifest["metadata"]["name"] = name
    quick = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}, "backoffLimit": 0}
    manifest["spec"]["training"] = quick | training
    manifest["spec"]["serving"] = {"replicas": 1}
    return manifest


@pytest.fixture(scope="module")
def models(namespace: str) -> dict[str, Model]:
    """All of them at once: they wait for their Jobs together."""
    meta = {"name": "bad-rows", "namespace": namespace}
    rows = "\n".join([HEADER, *BAD_ROWS, ""])
    apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"iris.csv": rows}})
    bad_rows = iris(namespace, "bad-rows")
    bad_rows["spec"]["dataset"] = {"uri": "configmap://bad-rows/iris.csv"}
    bad_digest = iris(namespace, "bad-digest")
    bad_digest["spec"]["dataset"] |= {"sha256": "0" * 64}
    small = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}
    out_of_memory = iris(namespace, "out-of-memory", resources=small)
    forbidden = iris(namespace, "forbidden")
    forbidden["spec"]["dataset"] = {"uri": "https://127.0.0.1/iris.csv"}
    manifests = (bad_rows, bad_digest, out_of_memory, forbidden)
    return {manifest["metadata"]["name"]: declare(manifest) for manifest in manifests}


def test_bad_rows_are_named_by_row_and_column(models: dict[str, Model]) -> None:
    message = models["bad-rows"].wait("Trained", "False", 240, reason="DataInvalid")["message"]
    assert "sepal_width_cm" in message
    assert "petal_length_cm" in message
    assert "777" not in message
    assert "abc" not in message
    assert models["bad-rows"].condition("Ready")["status"] == "False"


def test_another_digest_is_rejected_before_training(models: dict[str, Model]) -> None:
    message = models["bad-digest"].wait("Trained", "False", 240, reason="DatasetDigestMismatch")["message"]
    assert "dataset.sha256" in message


def test_an_address_inside_the_cluster_is_rejected_by_the_job(models: dict[str, Model]) -> None:
    message = models["forbidden"].wait("Trained", "False", 240, reason="DatasetNotAllowed")["message"]
    assert "127.0.0.1" in message


def test_a_scheme_that_the_profile_does_not_allow_starts_no_job(namespace: str) -> None:
    manifest = iris(namespace, "scheme")
    manifest["spec"]["dataset"] = {"uri": "http://example.org/iris.csv"}
    model = declare(manifest)
    message = model.wait("Ready", "False", 30, reason="InvalidSpec")["message"]
    assert "spec.dataset.uri" in message
    assert model.children("jobs") == []


def test_a_job_without_enough_memory_says_so(models: dict[str, Model]) -> None:
    message = models["out-of-memory"].wait("Trained", "False", 240, reason="TrainingFailed")["message"]
    assert "OOMKilled" in message
    assert "memory" in message


def test_failed_trainings_register_nothing(models: dict[str, Model], mlflow: MlflowClient) -> None:
    for model in models.values():
        model.wait("Trained", "False", 240)
        assert mlflow.search_model_versions(f"name = '{model.name}'") == []


def test_a_warning_event_repeats_the_condition(models: dict[str, Model]) -> None:
    model = models["bad-digest"]
    model.wait("Trained", "False", 240)
    warnings = eventually(lambda: [e for e in model.events() if e["type"] == "Warning"], 20, "a Warning event")
    assert "DatasetDigestMismatch" in {event["reason"] for event in warnings}


def running_runs(mlflow: MlflowClient, model: Model) -> list[str]:
    experiment = mlflow.get_experiment_by_name(model.name)
    experiments = [experiment.experiment_id] if experiment else []
    tag = f"{model.namespace}/{model.name}"
    runs = mlflow.search_runs(experiments, f"tags.`{Tag.MODEL}` = '{tag}'") if experiments else []
    return [run.info.run_id for run in runs if run.info.status == "RUNNING"]


ENDED = {"FAILED", "KILLED"}


def long_training(namespace: str, name: str, mlflow: MlflowClient) -> tuple[Model, list[str], list[str]]:
    """In its midst: the model, the ids of its open runs, the names of its pods."""
    model = declare(iris(namespace, name, algorithms=["random-forest", "stacking"], tuning={"trials": 200}))
    runs = eventually(lambda: running_runs(mlflow, model), 180, "a run in state RUNNING", every=1)
    pods = items("pods", "-n", namespace, "-l", f"heartops.dev/model={name},app.kubernetes.io/component=training")
    return model, runs, [pod["metadata"]["name"] for pod in pods]


def have_ended(mlflow: MlflowClient, runs: list[str]) -> bool:
    return {mlflow.get_run(run).info.status for run in runs} <= ENDED


def test_a_killed_training_leaves_no_running_run(namespace: str, mlflow: MlflowClient) -> None:
    """The pod is gone at once, as on a node that dies: only the operator can close the run."""
    model, runs, pods = long_training(namespace, "killed", mlflow)
    for name in pods:
        kubectl("delete", "pod", name, "-n", namespace, "--grace-period=0", "--force")
    killed = time.monotonic()
    condition = model.wait("Trained", "False", 120)
    assert condition["message"]
    eventually(lambda: have_ended(mlflow, runs), 60, "the run to be closed", every=1)
    assert time.monotonic() - killed < 120
    assert running_runs(mlflow, model) == []


def test_an_evicted_training_closes_its_run_and_begins_again(namespace: str, mlflow: MlflowClient) -> None:
    """As when a node is drained: that is nobody's failure."""
    model, runs, pods = long_training(namespace, "evicted", mlflow)
    try:
        for name in pods:
            evict(namespace, name)
        eventually(lambda: have_ended(mlflow, runs), 60, "the run to be closed", every=1)
        eventually(lambda: set(running_runs(mlflow, model)) - set(runs), 120, "another run", every=1)
        assert model.condition("Trained").get("status") != "False"
    finally:
        kubectl("delete", "heartmodel", model.name, "-n", namespace)


def evict(namespace: str, pod: str) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def test_a_wrong_spec_is_rejected_by_the_api_server(namespace: str) -> None:
    manifest = iris(namespace, "wrong")
    manifest["spec"]["features"][0]["minimum"] = 30
    with pytest.raises(AssertionError, match="minimum"):
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(manifest))
