"""A model that asks for a key over TLS: over HTTP, gRPC and `kubectl heart`, with a rotation that restarts nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import httpx
import pytest
import trustme

from heart_serving.rpc.messages import CLASSES
from tests.e2e.kit import HTTP, ROOT, TRAINING, Model, apply, background, declare, eventually, example, get

pytestmark = pytest.mark.timeout(600)

NAME = "guarded"
AUTHORITY = trustme.CA()
FLOWERS = json.loads((ROOT / "examples/iris/requests/predict.json").read_text())
FOLLOWED = 90
"""Seconds until a kubelet has brought a pod a changed Secret, and the pod has read it."""


@dataclass
class Guarded:
    model: Model
    address: str
    """Its Service by way of the API server, which opens TLS to the pod."""
    key: str

    def predict(self, key: str = "", route: str = "predict") -> httpx.Response:
        return HTTP.post(f"{self.address}/{route}", json=FLOWERS, headers={"X-API-Key": key} if key else {})

    def follows(self, key: str, status: int) -> None:
        eventually(lambda: self.predict(key).status_code == status, FOLLOWED, f"answer {status} to a key")


def heart(namespace: str, *words: str, key: str = "") -> str:
    """What `kubectl heart` prints."""
    command = [sys.executable, "-m", "heart_cli", *words, "-n", namespace]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"HEARTOPS_API_KEY": key}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def certificate(namespace: str) -> None:
    """As cert-manager writes it."""
    issued = AUTHORITY.issue_cert(f"{NAME}.{namespace}.svc")
    data = {
        "tls.crt": b"".join(blob.bytes() for blob in issued.cert_chain_pems).decode(),
        "tls.key": issued.private_key_pem.bytes().decode(),
        "ca.crt": AUTHORITY.cert_pem.bytes().decode(),
    }
    meta = {"name": f"{NAME}-tls", "namespace": namespace}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "kubernetes.io/tls", "stringData": data})


@pytest.fixture(scope="module")
def guarded(namespace: str, proxy: str) -> Iterator[Guarded]:
    certificate(namespace)
    manifest = example("iris", namespace)
    manifest["metadata"]["name"] = NAME
    manifest["spec"]["serving"] = {"replicas": 1, "auth": "APIKey", "tls": {"secretName": f"{NAME}-tls"}}
    model = declare(manifest)
    key = heart(namespace, "key", "create", NAME, "clinic")
    model.wait_serving("1", TRAINING)
    address = f"{proxy}/api/v1/namespaces/{namespace}/services/https:{NAME}:https/proxy"
    return Guarded(model, address, key)


def test_a_key_opens_it_and_nothing_else_does(guarded: Guarded) -> None:
    guarded.follows(guarded.key, 200)
    assert next(each["label"] for each in guarded.predict(guarded.key).json()["predictions"]) == "setosa"
    for key in ("", "heart_another"):
        denied = guarded.predict(key)
        assert (denied.status_code, denied.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert guarded.predict(guarded.key, "feedback").status_code == 403, "a key of another scope"
    assert guarded.model.status["serving"]["url"] == f"https://{NAME}.{guarded.model.namespace}.svc"


def test_the_service_publishes_nothing_of_the_platforms(guarded: Guarded, proxy: str) -> None:
    digest = guarded.model.status["serving"]["digest"].removeprefix("sha256:")
    for path in ("metrics", f"artifacts/{digest}"):
        reply = HTTP.get(f"{guarded.address}/{path}", headers={"X-API-Key": guarded.key})
        assert reply.status_code == 404
    ports = get("service", NAME, "-n", guarded.model.namespace)["spec"]["ports"]
    assert [port["name"] for port in ports] == ["https", "grpc"]
    metrics = HTTP.get(f"{guarded.model.management(proxy)}/metrics").text
    assert 'requests_denied_total{model_name="guarded",model_version="1",reason="missing"}' in metrics
    assert 'caller="clinic"' in metrics


def test_kubectl_heart_sends_the_key(guarded: Guarded) -> None:
    guarded.follows(guarded.key, 200)
    answer = json.loads(heart(guarded.model.namespace, "predict", NAME, "--example", key=guarded.key))
    assert answer["model_version"] == "1"
    assert "20 requests" in heart(guarded.model.namespace, "load", NAME, "--requests", "20", key=guarded.key)


def test_grpc_takes_the_key_over_tls(guarded: Guarded) -> None:
    guarded.follows(guarded.key, 200)
    request = CLASSES["ModelInferRequest"](model_name=NAME)
    for name in FLOWERS[0]:
        tensor = request.inputs.add(name=name, datatype="FP64", shape=[len(FLOWERS)])
        tensor.contents.fp64_contents.extend(flower[name] for flower in FLOWERS)
    words = ("port-forward", "-n", guarded.model.namespace, f"service/{NAME}", ":9000")
    with background(*words, marker="Forwarding from 127.0.0.1") as line:
        port = line.split("127.0.0.1:")[1].split()[0]
        credentials = grpc.ssl_channel_credentials(AUTHORITY.cert_pem.bytes())
        options = [("grpc.ssl_target_name_override", f"{NAME}.{guarded.model.namespace}.svc")]
        with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
            infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            with pytest.raises(grpc.RpcError) as denied:
                infer(request.SerializeToString(), timeout=30)
            assert denied.value.code() is grpc.StatusCode.UNAUTHENTICATED
            metadata = (("authorization", f"Bearer {guarded.key}"),)
            answer = infer(request.SerializeToString(), timeout=30, metadata=metadata)
    outputs = {each.name: each for each in CLASSES["ModelInferResponse"].FromString(answer).outputs}
    labels = [label.decode() for label in outputs["label"].contents.bytes_contents]
    assert labels == [each["label"] for each in guarded.predict(guarded.key).json()["predictions"]]


def test_a_key_is_rotated_without_a_restart(guarded: Guarded) -> None:
    """Last: the earlier key is worth nothing afterwards."""
    namespace = guarded.model.namespace
    guarded.follows(guarded.key, 200)
    before = guarded.model.pods("1")
    fresh = heart(namespace, "key", "create", NAME, "clinic")
    guarded.follows(fresh, 200)
    guarded.follows(guarded.key, 200)  # both work until the earlier one is revoked
    heart(namespace, "key", "revoke", NAME, "clinic", "--old")
    guarded.follows(guarded.key, 401)
    assert guarded.predict(fresh).status_code == 200
    assert guarded.model.pods("1") == before
    guarded.key = fresh
