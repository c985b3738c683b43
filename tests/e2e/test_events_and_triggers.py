"""Events and triggers in pods: a receiver of CloudEvents and OpenLineage events, and a CI job that has the token of its
ServiceAccount and nothing else."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.canaries import heart
from tests.e2e.kit import RELEASE, SYSTEM, TRAINING, Model, Object, apply, declare, eventually, example, get, kubectl
from tests.e2e.release import helm_upgrade
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.outage,
    pytest.mark.skipif(not SOAK, reason="minutes, and it changes the release; in make test-soak"),
]

QUICK = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
RECEIVE = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass

HTTPServer(("", 8080), Receiver).serve_forever()
"""
ASK = """
import ssl, sys, urllib.error, urllib.request
token = open("/var/run/secrets/kubernetes.io/serviceaccount/token").read()
request = urllib.request.Request(sys.argv[1], b"", {"Authorization": f"Bearer {token}"})
try:
    with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=30) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


def pod(namespace: str, name: str, image: str, program: str, *arguments: str, account: str = "default") -> Object:
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", program, *arguments],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "securityContext": security,
        "containers": [container],
    }
    meta = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@pytest.fixture(scope="module")
def receiver(namespace: str, images: dict[str, str]) -> Iterator[str]:
    """The namespace of a pod that writes what it gets into its log, and to which the release reports."""
    meta = {"name": "receiver", "namespace": namespace}
    service = {"selector": {"app": "receiver"}, "ports": [{"port": 8080}]}
    apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service})
    apply(pod(namespace, "receiver", images["serving"], RECEIVE))
    kubectl("wait", "--for=condition=Ready", "pod/receiver", "-n", namespace, "--timeout=90s")
    url = f"http://receiver.{namespace}.svc:8080"
    configure(images, f"{url}/events", f"{url}/lineage", triggers=True)
    yield namespace
    configure(images, "", "", triggers=False)


def configure(images: dict[str, str], events: str, lineage: str, *, triggers: bool) -> None:
    settings = (f"events.url={events}", f"events.lineageUrl={lineage}")
    options = [word for setting in settings for word in ("--set-string", setting)]
    helm_upgrade(images, "--reuse-values", *options, "--set", f"triggers.enabled={str(triggers).lower()}")
    kubectl("rollout", "status", f"deployment/{RELEASE}-operator", "-n", SYSTEM, "--timeout=180s")


def received(namespace: str, path: str) -> list[Object]:
    lines = kubectl("logs", "receiver", "-n", namespace).splitlines()
    return [json.loads(body) for at, _, body in (line.partition(" ") for line in lines) if at == path]


def events(namespace: str) -> list[Object]:
    """About the model of this namespace: the release reports on all models of the cluster."""
    ours = f"/namespaces/{namespace}/heartmodels/iris"
    return [event for event in received(namespace, "/events") if event["source"].endswith(ours)]


def decisions(namespace: str) -> list[str]:
    return [event["type"].rpartition(".")[2] for event in events(namespace)]


@pytest.fixture(scope="module")
def model(receiver: str) -> Model:
    manifest = example("iris", receiver)
    manifest["spec"]["training"] = QUICK
    manifest["spec"]["serving"] = {"replicas": 1}
    found = declare(manifest)
    found.wait_serving("1", TRAINING)
    return found


def ask(model: Model, image: str, name: str, account: str) -> str:
    """What a pod with the ServiceAccount is answered when it asks for a training."""
    path = f"v1/namespaces/{model.namespace}/heartmodels/{model.name}/retrain"
    url = f"https://{RELEASE}-operator.{SYSTEM}.svc:9443/{path}"
    apply(pod(model.namespace, name, image, ASK, url, account=account))
    eventually(lambda: get("pod", name, "-n", model.namespace)["status"]["phase"] == "Succeeded", 90, f"{name} to end")
    return kubectl("logs", name, "-n", model.namespace)


def test_decisions_reach_a_receiver_in_a_pod(model: Model) -> None:
    wanted = {"trained", "gated", "promoted"}
    eventually(lambda: wanted <= set(decisions(model.namespace)), 60, f"the events {wanted}")
    eventually(lambda: "outbox" not in model.status, 60, "an empty outbox")
    run = eventually(
        lambda: [e for e in received(model.namespace, "/lineage") if e["eventType"] == "COMPLETE"], 60, "it"
    )
    assert (run[0]["job"]["name"], len(run[0]["inputs"])) == (f"{model.name}.training", 1)


def test_a_ci_pod_has_a_model_retrained_by_its_token(model: Model, images: dict[str, str]) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci", "namespace": model.namespace}}
    apply(account)
    assert ask(model, images["serving"], "ci-stranger", "ci").startswith("403")
    role = ("create", "role", "retrainer", "--verb=get,patch", "--resource=heartmodels.heartops.dev")
    kubectl(*role, "-n", model.namespace)
    binding = ("create", "rolebinding", "retrainer", "--role=retrainer", f"--serviceaccount={model.namespace}:ci")
    kubectl(*binding, "-n", model.namespace)
    assert ask(model, images["serving"], "ci-allowed", "ci").startswith("202")
    assert model.status["requests"]["retrain"]["by"] == f"system:serviceaccount:{model.namespace}:ci"
    eventually(lambda: model.status["training"].get("version") == "2", TRAINING, "a second training")


def test_the_way_back_is_sent_and_all_of_it_is_in_the_history(model: Model) -> None:
    model.patch(training=QUICK | {"seed": 7})
    model.wait_serving("3", TRAINING)
    heart(model, "rollback")
    eventually(lambda: "rolled-back" in decisions(model.namespace), 180, "the event rolled-back")
    sent = {event["id"] for event in events(model.namespace)}

    def kept() -> set[str]:
        listed = heart(model, "history", "--all", "--system-namespace", SYSTEM, "-o", "json")
        return {entry["id"] for entry in json.loads(listed)["history"]}

    eventually(lambda: sent <= kept(), 60, "a history with everything that was sent", every=2)
