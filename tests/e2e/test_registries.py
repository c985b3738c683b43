"""Versions that must be signed, and an MLflow of one's own that wants a user and a password, on a real node."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec

from tests.e2e.kit import (
    HTTP,
    RESTRICTED,
    ROOT,
    TRAINING,
    Model,
    Object,
    apply,
    background,
    declare,
    eventually,
    example,
    kubectl,
    new_namespace,
)
from tests.e2e.profiles import (
    EXTERNAL,
    EXTERNAL_NAMESPACE,
    EXTERNAL_SECRET,
    LOGIN,
    PLATFORM_KEY,
    SIGNED,
    private_pem,
)

pytestmark = pytest.mark.timeout(600)

QUICK = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
FLOWER = {"sepal_length_cm": 5.1, "sepal_width_cm": 3.5, "petal_length_cm": 1.4, "petal_width_cm": 0.2}


def flower_model(namespace: str, runtime: str) -> Object:
    manifest = example("iris", namespace)
    manifest["spec"] |= {"training": QUICK, "serving": {"replicas": 1}, "runtime": runtime}
    return manifest


def test_a_version_serves_once_it_is_signed_with_the_platforms_key(
    namespace: str, proxy: str, mlflow_uri: str, tmp_path: Path
) -> None:
    """Without a signature the operator holds it; one of another key stops it in the init container."""
    manifest = flower_model(namespace, SIGNED)
    file = tmp_path / "heartmodel.yaml"
    file.write_text(yaml.safe_dump(manifest))
    model = declare(manifest)
    eventually(lambda: "heart_trainer sign" in json.dumps(model.status), TRAINING, "the hold of an unsigned version")
    assert "serving" not in model.status
    digest = model.status["training"]["artifactSha256"]

    sign(file, digest, ec.generate_private_key(ec.SECP256R1()), tmp_path, mlflow_uri)
    said = eventually(lambda: rejection(namespace), 120, "the init container's rejection of another key")
    assert "sign" in said
    assert "serving" not in model.status

    sign(file, digest, PLATFORM_KEY, tmp_path, mlflow_uri)
    model.wait_serving("1", 180)
    assert model.predict(proxy, FLOWER).raise_for_status().json()["label"] == "setosa"


def sign(file: Path, digest: str, key: ec.EllipticCurvePrivateKey, folder: Path, mlflow_uri: str) -> None:
    """As the platform's people do, outside of the cluster."""
    (folder / "signing.pem").write_bytes(private_pem(key))
    words = ("sign", file, "--version", "1", "--digest", f"sha256:{digest.removeprefix('sha256:')}")
    where = ("--key", folder / "signing.pem", "--tracking-uri", mlflow_uri)
    done = subprocess.run(
        [sys.executable, "-m", "heart_trainer", *map(str, (*words, *where))],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def rejection(namespace: str) -> str:
    """What the init container of a pod left when it ended badly."""
    pods = yaml.safe_load(kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    for status in (each for pod in pods for each in pod.get("status", {}).get("initContainerStatuses", [])):
        for state in (status.get("state", {}), status.get("lastState", {})):
            ended = state.get("terminated", {})
            if ended.get("exitCode"):
                return str(ended.get("message", ""))
    return ""


@pytest.fixture(scope="module")
def external(images: dict[str, str]) -> Iterator[str]:
    """Address, on loopback, of an MLflow behind a gate that wants a user and a password."""
    where = {"namespace": EXTERNAL_NAMESPACE}
    labels = {"app": "mlflow"}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": EXTERNAL_NAMESPACE, "labels": RESTRICTED}})
    gate = (Path(__file__).parent / "authproxy.py").read_text()
    apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gate", **where}, "data": {"gate.py": gate}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "mlflow", **where},
            "spec": {"selector": labels, "ports": [{"port": 5000}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "mlflow", **where},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": external_pod(images["mlflow"])},
            },
        },
    )
    try:
        kubectl("rollout", "status", "deployment/mlflow", "-n", EXTERNAL_NAMESPACE, "--timeout=150s")
        words = ("port-forward", "-n", EXTERNAL_NAMESPACE, "service/mlflow", ":5000")
        with background(*words, marker="Forwarding from 127.0.0.1") as line:
            yield f"http://localhost:{line.split('127.0.0.1:')[1].split()[0]}"
    finally:
        kubectl("delete", "namespace", EXTERNAL_NAMESPACE, "--wait=false")


def external_pod(image: str) -> Object:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    server = ("server", "--host=127.0.0.1", "--port=5001", "--workers=1", "--serve-artifacts", "--allowed-hosts=*")
    stores = ("--backend-store-uri=sqlite:////tmp/mlflow.db", "--artifacts-destination=/tmp/artifacts")
    login = {"USER_NAME": LOGIN["MLFLOW_TRACKING_USERNAME"], "PASSWORD": LOGIN["MLFLOW_TRACKING_PASSWORD"]}
    common = {"image": image, "securityContext": security, "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}
    quiet = [{"name": "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "value": "false"}]
    probe = {
        "exec": {"command": ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5001/health')"]}
    }
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "mlflow",
                **common,
                "args": [*server, *stores],
                "env": quiet,
                "readinessProbe": {**probe, "periodSeconds": 3, "timeoutSeconds": 5, "failureThreshold": 60},
            },
            {
                "name": "gate",
                **common,
                "command": ["python3", "/gate/gate.py"],
                "env": [{"name": name, "value": value} for name, value in login.items()],
                "volumeMounts": [{"name": "gate", "mountPath": "/gate"}],
            },
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "gate", "configMap": {"name": "gate"}}],
    }


def test_an_mlflow_that_wants_a_user_and_a_password(external: str, proxy: str) -> None:
    """Training, operator and the pods' init container all show what the Secrets hold; without it nobody gets in."""
    login = (LOGIN["MLFLOW_TRACKING_USERNAME"], LOGIN["MLFLOW_TRACKING_PASSWORD"])
    assert find_models(external).status_code == 401
    with new_namespace() as name:
        meta = {"name": EXTERNAL_SECRET, "namespace": name}
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": LOGIN})
        model = declare(flower_model(name, EXTERNAL))
        model.wait_serving("1", TRAINING)
        assert model.predict(proxy, FLOWER).raise_for_status().json()["label"] == "setosa"
        found = find_models(external, auth=login).json()["registered_models"]
        assert [entry["name"] for entry in found] == [registered_name(model)]
        assert not model.condition("RegistrySecured"), "only said where it is not: plain HTTP without credentials"


def registered_name(model: Model) -> str:
    """Names carry the namespace where MLflow has no workspaces."""
    return f"{model.namespace}.{model.name}"


def find_models(address: str, **options: object) -> httpx.Response:
    return HTTP.get(f"{address}/api/2.0/mlflow/registered-models/search", **options)
