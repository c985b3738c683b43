"""The overlays for dev, staging and production: what differs, and a real API server accepts all of it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api.chart.test_chart import find, kustomized, operator_container, pods, profiles

pytestmark = pytest.mark.api

ROOT = Path(__file__).resolve().parents[3]
STAGES = ("dev", "staging", "production")
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def overlays() -> dict[str, list[Manifest]]:
    return {stage: kustomized(f"kustomize/overlays/{stage}") for stage in STAGES}


def storage(documents: list[Manifest]) -> tuple[str, str]:
    """Of MLflow's artifacts and of PostgreSQL."""
    claim = find(documents, "PersistentVolumeClaim", "heartops-mlflow")
    (template,) = find(documents, "StatefulSet", "heartops-postgresql")["spec"]["volumeClaimTemplates"]
    return tuple(each["spec"]["resources"]["requests"]["storage"] for each in (claim, template))


def images(documents: list[Manifest]) -> set[str]:
    own = {container["image"] for pod in pods(documents) for container in pod["containers"]}
    models = profiles(documents)["default"].images
    return own | {models.trainer, models.serving}


@pytest.mark.parametrize("stage", STAGES)
def test_a_real_api_server_accepts_every_object(
    api_server: Path, tools: Path, overlays: dict[str, list[Manifest]], stage: str
) -> None:
    """Namespaces, too: a dry run creates none, so that the objects are applied in one that is there."""
    documents = [each for each in overlays[stage] if each["kind"] != "Namespace"]
    for each in documents:
        if "namespace" in each["metadata"]:
            each["metadata"]["namespace"] = "default"
    kubectl = (str(tools / "kubectl"), "--kubeconfig", str(api_server))
    words = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-")
    text = yaml.safe_dump_all(documents)
    done = subprocess.run([*kubectl, *words], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stage_is_named_on_every_object(overlays: dict[str, list[Manifest]]) -> None:
    for stage, documents in overlays.items():
        assert {each["metadata"]["labels"]["heartops.dev/environment"] for each in documents} == {stage}


def test_dev_is_small_talks_and_needs_no_prometheus(overlays: dict[str, list[Manifest]]) -> None:
    dev = overlays["dev"]
    variables = {each["name"]: each.get("value") for each in operator_container(dev)["env"]}
    assert variables["HEARTOPS_LOG_LEVEL"] == "debug"
    assert storage(dev) == ("2Gi", "1Gi")
    assert {image.rpartition(":")[2] for image in images(dev)} == {"dev"}
    assert not [each for each in dev if each["apiVersion"].startswith("monitoring.")]
    assert profiles(dev)["default"].quota.models is None


def test_staging_is_watched_as_production_is(overlays: dict[str, list[Manifest]]) -> None:
    def watched(stage: str) -> set[tuple[str, str, str]]:
        found = [each for each in overlays[stage] if each["apiVersion"] == "monitoring.coreos.com/v1"]
        return {(each["kind"], each["metadata"]["name"], each["metadata"]["labels"]["release"]) for each in found}

    assert watched("staging") == watched("production") != set()
    assert find(overlays["staging"], "ConfigMap", "heartops-dashboards")
    assert find(overlays["staging"], "Deployment", "heartops-operator")["spec"]["replicas"] == 1


def test_production_survives_a_node_and_runs_what_was_released(overlays: dict[str, list[Manifest]]) -> None:
    production = overlays["production"]
    assert find(production, "Deployment", "heartops-operator")["spec"]["replicas"] == 2
    budget = find(production, "PodDisruptionBudget", "heartops-operator")["spec"]["selector"]["matchLabels"]
    labels = find(production, "Deployment", "heartops-operator")["spec"]["template"]["metadata"]["labels"]
    assert budget.items() <= labels.items()
    assert storage(production) == ("50Gi", "50Gi")
    assert all("@sha256:" in image for image in images(production)), images(production)
    assert profiles(production)["default"].quota.trainings_per_hour == 10


def test_in_production_metrics_are_for_the_monitoring_namespace_alone(overlays: dict[str, list[Manifest]]) -> None:
    production = overlays["production"]
    for name, port in (("heartops-operator", 8443), ("heartops-postgresql", 9187), ("heartops-mlflow", 5000)):
        rules = find(production, "NetworkPolicy", name)["spec"]["ingress"]
        (rule,) = [rule for rule in rules if {"port": port} in rule["ports"]]
        sources = [peer["namespaceSelector"].get("matchLabels") for peer in rule["from"] if "podSelector" not in peer]
        assert sources == [{"kubernetes.io/metadata.name": "monitoring"}], name
    assert profiles(production)["default"].monitoring_namespaces == ("monitoring", "heartops-system")
    egress = find(production, "NetworkPolicy", "heartops-operator")["spec"]["egress"]
    assert {"ports": [{"port": 9090}]} in egress
