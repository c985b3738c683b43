"""README's table "Works with" names the versions that the tests run with."""

import json
import re
from pathlib import Path

import pytest

from hack.cluster.paths import versions

ROOT = Path(__file__).resolve().parents[3]


def cluster(module: str) -> str:
    """Pinned for the test cluster, without the `v`."""
    return next(part[module].lstrip("v") for part in versions().values() if module in part)


def pipelines(file: str, pattern: str) -> str:
    found = re.search(pattern, (ROOT / "hack/pipelines" / file).read_text())
    assert found, f"{file} has no {pattern}"
    return found[1]


def locked(lock: str, package: str) -> str:
    found = re.search(rf"^{re.escape(package)}==(\S+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    assert found, f"{lock} has no {package}"
    return found[1]


def prometheus() -> str:
    """Its Go module has a number of its own: 0.305 is Prometheus 3.5."""
    minor = cluster("github.com/prometheus/prometheus").split(".")[1]
    return f"{minor[0]}.{int(minor[1:])}"


def minor(version: str) -> str:
    """`1.34` of 1.34.4."""
    return ".".join(version.split(".")[:2])


GITLAB = json.loads((ROOT / "hack/pipelines/gitlab/package.json").read_text())["dependencies"]["gitlab-ci-local"]
PINNED = {
    "Kubernetes, kubectl, kustomize": (minor(cluster("k8s.io/kubernetes")),),
    "Helm": (minor(cluster("helm.sh/helm/v3")),),
    "MLflow on PostgreSQL": (locked("mlflow.txt", "mlflow"),),
    "Prometheus and its operator": (
        prometheus(),
        minor(cluster("github.com/prometheus-operator/prometheus-operator")),
    ),
    "prometheus-adapter": (minor(cluster("sigs.k8s.io/prometheus-adapter")),),
    "OLM": (minor(cluster("github.com/operator-framework/api")),),
    "Gateway API": (minor(cluster("sigs.k8s.io/gateway-api")), cluster("github.com/traefik/traefik/v3")),
    "stores that speak S3": (minor(cluster("github.com/versity/versitygw")),),
    "Kueue, Kubeflow Trainer": (
        minor(cluster("sigs.k8s.io/kueue")),
        minor(cluster("github.com/kubeflow/trainer/v2")),
    ),
    "Flower": (minor(locked("federation.txt", "flwr")),),
    "network plugins": (minor(cluster("sigs.k8s.io/kube-network-policies")),),
    "Flux and others": (cluster("sigs.k8s.io/cli-utils"),),
    "docker compose": (cluster("github.com/compose-spec/compose-go/v2"),),
    "GitHub Actions": (
        pipelines("act/go.mod", r"nektos/act v(\S+)"),
        GITLAB,
        pipelines("jenkins/pom.xml", r"jenkins-pipeline-unit</artifactId>\s*<version>([\d.]+)<"),
    ),
}


@pytest.mark.parametrize("tool", sorted(PINNED))
def test_the_readme_names_the_versions_that_are_tested(tool: str) -> None:
    row = next(line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| {tool}"))
    said = row.split("|")[2]
    assert [
        version for version in PINNED[tool] if not re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.]*\d)", said)
    ] == []
