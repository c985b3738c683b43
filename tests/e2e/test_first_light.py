"""`kubectl apply` of a HeartModel ends in real predictions, and everybody who should know of them does."""

import json
import math
from typing import Any

import httpx
import onnx
import pytest
from mlflow import MlflowClient

from heart_api.contract import Feature
from heart_api.evaluation import CARD_PATH, EVALUATION_PATH, OOF_PATH
from heart_api.handover import Tag
from heart_api.package import PACKAGE_KEY, ServingPackage
from heart_api.referenceprofile import PROFILE_PATH
from heart_operator.manifests.children import APPLIED_KINDS
from tests.e2e.canaries import aliases
from tests.e2e.kit import (
    MONITORING_KINDS,
    PATIENTS,
    PROMETHEUS,
    RELEASE,
    SYSTEM,
    Model,
    eventually,
    get,
    has_monitoring,
    items,
    kubectl,
    require,
    run_kubectl,
)

pytestmark = pytest.mark.timeout(900)


def test_every_condition_says_what_is_true(heart: Model) -> None:
    for kind in ("Ready", "Available", "Trained", "GatePassed", "RolloutSucceeded"):
        condition = heart.wait(kind, "True", 30)
        assert condition["reason"]
        assert condition["message"]
    assert heart.status["observedGeneration"] == heart.get()["metadata"]["generation"]


def test_status_names_what_serves(heart: Model) -> None:
    status = heart.status
    assert status["serving"]["version"] == "1"
    assert status["serving"]["digest"] == f"sha256:{status['training']['artifactSha256'].removeprefix('sha256:')}"
    assert status["serving"]["readyReplicas"] >= 2
    assert status["training"]["phase"] == "Succeeded"
    assert [entry["version"] for entry in status["history"]] == ["1"]
    selector = get("service", heart.name, "-n", heart.namespace)["spec"]["selector"]
    assert selector["heartops.dev/model-version"] == "1"


def test_kubectl_get_shows_the_story(heart: Model) -> None:
    header, row = kubectl("get", "hm", heart.name, "-n", heart.namespace).splitlines()
    shown = dict(zip(header.split(), row.split(maxsplit=len(header.split()) - 1), strict=False))
    assert shown["READY"] == "True"
    assert shown["VERSION"] == "1"
    assert "Passed" in row


def test_events_tell_training_and_promotion(heart: Model) -> None:
    events = eventually(heart.events, 20, "events")
    assert {"TrainingStarted", "TrainingSucceeded", "Promoted"} <= {event["reason"] for event in events}
    warnings = [event["message"] for event in events if event["type"] == "Warning"]
    assert not [message for message in warnings if "Insufficient cpu" not in message], "other tests share the node"


def package_of(heart: Model, proxy: str) -> ServingPackage:
    """What is inside the very bytes that the status names."""
    digest = heart.status["serving"]["digest"].removeprefix("sha256:")
    content = httpx.get(f"{heart.management(proxy)}/artifacts/{digest}", timeout=30).raise_for_status().content
    metadata = {each.key: each.value for each in onnx.load_from_string(content).metadata_props}
    return ServingPackage.model_validate_json(metadata[PACKAGE_KEY])


def as_record(features: tuple[Feature, ...], row: tuple[float | None, ...]) -> dict[str, Any]:
    """An encoded row as a person would send it."""

    def value(feature: Feature, encoded: float | None) -> Any:
        if encoded is None or math.isnan(encoded):
            return None
        if feature.type == "category":
            return (feature.values or ())[int(encoded)]
        return bool(encoded) if feature.type == "boolean" else encoded

    return {feature.name: value(feature, encoded) for feature, encoded in zip(features, row, strict=True)}


def is_allowed(features: tuple[Feature, ...], row: tuple[float | None, ...]) -> bool:
    """Reference rows are made up from the columns' ranges: a few hold what the contract refuses of a person."""
    pairs = list(zip(features, row, strict=True))
    whole = all(feature.type != "integer" or float(value).is_integer() for feature, value in pairs if value is not None)
    return whole and all(value is not None or not feature.required for feature, value in pairs)


def test_predictions_are_those_that_the_trainer_saw(heart: Model, proxy: str) -> None:
    """From plain JSON through the Service: the outputs that the trainer stored for its reference rows."""
    package = package_of(heart, proxy)
    rows = zip(package.reference.inputs, package.reference.outputs, strict=True)
    allowed = [(as_record(package.features, row), output) for row, output in rows if is_allowed(package.features, row)]
    assert len(allowed) >= 5
    body = heart.predict(proxy, [record for record, _ in allowed]).raise_for_status().json()
    assert body["model_version"] == "1"
    for answer, (_, output) in zip(body["predictions"], allowed, strict=True):
        assert answer["probability"] == pytest.approx(output[1], abs=1e-5)


def test_the_ill_are_told_from_the_healthy(heart: Model, proxy: str) -> None:
    answers = heart.predict(proxy, PATIENTS).raise_for_status().json()["predictions"]
    assert [answers[0]["label"], answers[2]["label"]] == ["no disease", "disease"]
    assert answers[0]["probability"] < 0.3 < 0.7 < answers[2]["probability"]


def test_explanations_add_up_to_the_models_output(heart: Model, proxy: str) -> None:
    answer = httpx.post(f"{heart.address(proxy)}/explain", json=PATIENTS, timeout=60).raise_for_status().json()
    assert len(answer["explanations"]) == len(PATIENTS)
    for found in answer["explanations"]:
        assert set(PATIENTS[0]) <= set(found["contributions"])
        total = found["base_value"] + sum(found["contributions"].values())
        assert total == pytest.approx(found["output"], abs=1e-6)


def test_bad_requests_are_named_and_never_echoed(heart: Model, proxy: str) -> None:
    answer = heart.predict(proxy, PATIENTS[0] | {"age": 98765})
    assert answer.status_code == 422
    assert "age" in answer.text
    assert "120" in answer.text
    assert "98765" not in answer.text
    not_json = httpx.post(f"{heart.address(proxy)}/predict", content="age=1", headers={"Content-Type": "text/plain"})
    assert not_json.status_code == 415


def test_mlflow_has_run_version_card_and_alias(heart: Model, mlflow: MlflowClient, real_data: bool) -> None:
    name = heart.name
    status = heart.status
    eventually(lambda: aliases(mlflow, heart).get("serving"), 30, "the alias serving")
    version = mlflow.get_model_version_by_alias(name, "serving")
    assert version.version == "1" or version.version == 1
    assert version.tags[Tag.ARTIFACT_SHA256].removeprefix("sha256:") in status["serving"]["digest"]
    assert mlflow.get_registered_model(name).tags[Tag.MODEL] == f"{heart.namespace}/{heart.name}"
    run = mlflow.get_run(status["training"]["runId"])
    assert run.info.status == "FINISHED"
    assert run.data.params
    paths = {
        artifact.path for folder in ("", "evaluation") for artifact in mlflow.list_artifacts(run.info.run_id, folder)
    }
    assert {CARD_PATH, EVALUATION_PATH, OOF_PATH, PROFILE_PATH} <= paths
    if real_data:
        assert run.data.metrics["roc_auc"] >= 0.90
        assert run.data.metrics["brier"] <= 0.125
        wanted = heart.get()["spec"]["dataset"]["sha256"]
        assert wanted in version.tags[Tag.DATASET_SHA256]


def test_every_child_is_there(heart: Model) -> None:
    kinds = {child["kind"] for child in heart.children()}
    assert {"Job", "Deployment", "Pod", *(kind for _, kind in APPLIED_KINDS)} - kinds <= {
        "Ingress",
        "HTTPRoute",
        "ServiceMonitor",
        "PrometheusRule",
    }
    if has_monitoring():
        assert {child["kind"] for child in heart.children(MONITORING_KINDS)} == {"ServiceMonitor", "PrometheusRule"}


def test_pods_have_no_token(heart: Model) -> None:
    for pod in items("pods", "-n", heart.namespace):
        mounts = [mount["mountPath"] for each in pod["spec"]["containers"] for mount in each.get("volumeMounts", [])]
        assert not [path for path in mounts if "serviceaccount" in path]


@pytest.mark.parametrize("kind", ["deployment", "job"])
def test_workloads_raise_no_warning_in_a_restricted_namespace(heart: Model, kind: str) -> None:
    for child in heart.children(f"{kind}s"):
        template = child["spec"]["template"]
        labels = {key: value for key, value in template["metadata"].get("labels", {}).items() if "heartops" in key}
        pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"]}
        pod["metadata"] = {"name": "as-new", "namespace": heart.namespace, "labels": labels}
        done = run_kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        assert done.returncode == 0, done.stderr
        assert "Warning" not in done.stderr


def test_autoscaler_sees_real_cpu_figures(heart: Model) -> None:
    require(bool(get("apiservice", "v1beta1.metrics.k8s.io")), "metrics-server")

    def figures() -> dict[str, int]:
        found = get("hpa", heart.name, "-n", heart.namespace).get("status", {}).get("currentMetrics") or []
        shown = (each["resource"] for each in found if "resource" in each)
        return {each["name"]: each["current"]["averageUtilization"] for each in shown if "current" in each}

    seen = eventually(lambda: figures() if {"cpu", "memory"} <= figures().keys() else {}, 120, "the HPA's figures")
    assert seen["memory"] > 0


def test_prometheus_scrapes_the_pods_and_loads_the_rules(heart: Model, proxy: str) -> None:
    require(has_monitoring(), "Prometheus Operator")

    def query(path: str) -> Any:
        return httpx.get(f"{proxy}/{PROMETHEUS}/{path}", timeout=20).raise_for_status().json()["data"]

    def pods_up() -> bool:
        targets = [t for t in query("targets")["activeTargets"] if t["labels"].get("namespace") == heart.namespace]
        return len(targets) >= 2 and all(target["health"] == "up" for target in targets)

    def rules_healthy() -> bool:
        name = f"heartops.{heart.namespace}.{heart.name}"
        groups = [group for group in query("rules")["groups"] if group["name"].startswith(name)]
        rules = [rule for group in groups for rule in group["rules"]]
        return {rule["type"] for rule in rules} == {"recording", "alerting"} and all(r["health"] == "ok" for r in rules)

    eventually(pods_up, 120, "Prometheus to have the model's pods as targets that are up", every=2)
    eventually(rules_healthy, 120, "Prometheus to have evaluated the model's rules", every=2)
    series = query(f'query?query=http_requests_total{{namespace="{heart.namespace}",model_name="{heart.name}"}}')
    assert series["result"]


def test_operator_and_mlflow_are_scraped(product: None, proxy: str) -> None:
    """By a Prometheus that selects by label: the chart's `monitoring.labels`."""
    require(has_monitoring(), "Prometheus Operator")

    def up() -> bool:
        query = f'up{{namespace="{SYSTEM}",service=~"{RELEASE}-(operator|mlflow)"}} == 1'
        answer = httpx.get(f"{proxy}/{PROMETHEUS}/query", params={"query": query}, timeout=20)
        return len(answer.raise_for_status().json()["data"]["result"]) == 2

    eventually(up, 180, "operator and MLflow to be scraped", every=2)

    def value() -> Any:
        address = f"{proxy}/{PROMETHEUS}/query?query=heartops_reconcile_duration_seconds_count"
        return httpx.get(address, timeout=20).raise_for_status().json()["data"]["result"]

    eventually(value, 120, "the operator's metrics in Prometheus", every=2)
