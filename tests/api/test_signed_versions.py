"""From a training to a serving pod's model file, each as the process that its container runs, with a real MLflow.

MLflow stands behind a gate that wants a user and a password; the platform's key has to have signed what serves.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from hack.cluster.ports import free_port
from heart_api.handover import Env
from tests.support.apiserver.client import poll
from tests.support.registry.mlflow import ROOT, answers, running_mlflow

pytestmark = pytest.mark.api

LOGIN = {"MLFLOW_TRACKING_USERNAME": "heartops", "MLFLOW_TRACKING_PASSWORD": "correct horse battery staple"}
QUICK = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
PLATFORM, ANOTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of the gate."""
    port = free_port()
    gate = [sys.executable, str(ROOT / "tests/support/registry/gate.py")]
    with running_mlflow(tmp_path_factory.mktemp("mlflow")) as behind:
        login = {"USER_NAME": LOGIN["MLFLOW_TRACKING_USERNAME"], "PASSWORD": LOGIN["MLFLOW_TRACKING_PASSWORD"]}
        where = {"HOST": "127.0.0.1", "PORT": str(port), "PORT_BEHIND": str(urlsplit(behind).port)}
        process = subprocess.Popen(gate, env=os.environ | login | where, stderr=subprocess.DEVNULL)
        try:
            poll("the gate listens", lambda: listens(port), 30)
            assert not answers(f"http://127.0.0.1:{port}/health"), "nobody gets in without a password"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Version:
    """Version 1 of the iris example in the MLflow behind the gate."""

    manifest: Path
    digest: str
    address: str

    def sign(self, key: ec.EllipticCurvePrivateKey) -> None:
        """As the platform's people do."""
        file = self.manifest.with_name("signing.pem")
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        named = ("--version", "1", "--digest", self.digest, "--key", str(file), "--tracking-uri", self.address)
        done = call("heart_trainer", "sign", str(self.manifest), *named, **LOGIN)
        assert done.returncode == 0, done.stderr

    def fetch(self, file: Path, *keys: ec.EllipticCurvePrivateKey, **login: str) -> Done:
        """As a serving pod's init container does, of a runtime profile with these keys."""
        public = (key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in keys)
        environment = {
            Env.MODEL_NAME: "iris",
            Env.MODEL_NAMESPACE: "clinic",
            Env.MODEL_VERSION: "1",
            Env.MODEL_SHA256: self.digest,
            Env.MODEL_FILE: str(file),
            Env.REGISTRY_NAME: "clinic.iris",
            Env.TRACKING_URI: self.address,
            Env.SIGNING_KEYS: "".join(pem.decode() for pem in public),
        }
        return call("heart_serving.fetch", **environment, **login)


def call(module: str, *words: str, **variables: str) -> Done:
    command = [sys.executable, "-m", module, *words]
    environment = os.environ | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"} | variables
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def version(address: str, tmp_path_factory: pytest.TempPathFactory) -> Version:
    folder = tmp_path_factory.mktemp("training")
    manifest = yaml.safe_load((ROOT / "examples/iris/heartmodel.yaml").read_text())
    manifest["metadata"]["namespace"] = "clinic"
    manifest["spec"]["training"] = QUICK
    file, log = folder / "heartmodel.yaml", folder / "termination-log"
    file.write_text(yaml.safe_dump(manifest))
    words = (str(file), "--tracking-uri", address, "--out", str(folder / "out"))
    variables = {Env.ROW_KEY: "a key of the namespace", Env.TERMINATION_LOG: str(log)}
    rejected = call("heart_trainer", *words, **variables)
    assert rejected.returncode == 1
    assert "RegistryUnavailable" in rejected.stderr
    done = call("heart_trainer", *words, **variables, **LOGIN)
    assert done.returncode == 0, done.stderr
    return Version(file, json.loads(log.read_text())["result"]["artifactSha256"], address)


def test_only_a_version_with_the_platforms_signature_reaches_a_pod(version: Version, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    unsigned = version.fetch(file, PLATFORM, **LOGIN)
    version.sign(ANOTHER)
    of_another = version.fetch(file, PLATFORM, **LOGIN)
    assert (unsigned.returncode, of_another.returncode, file.exists()) == (1, 1, False)
    assert "version 1 is not signed" in unsigned.stderr + unsigned.stdout
    assert "no model file: version 1" in of_another.stderr + of_another.stdout
    version.sign(PLATFORM)
    done = version.fetch(file, ANOTHER, PLATFORM, **LOGIN)
    assert done.returncode == 0, done.stderr + done.stdout
    assert file.exists(), "two keys are named during a rotation"
