"""What the tests speak with the cluster with: kubectl, a HeartModel's handle, and a patient `eventually`."""

import atexit
import functools
import json
import os
import secrets
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from heart_cli.registryrights import binding

ROOT = Path(__file__).resolve().parents[2]
SYSTEM, RELEASE = "heartops-system", "heartops"
PATIENTS = json.loads((ROOT / "examples/heart-disease/requests/predict.json").read_text())
TRAINING = 600
"""Seconds for one training, on two cores that other things use too."""
OPERATOR = f"system:serviceaccount:{SYSTEM}:{RELEASE}"
LONGEST = 300
"""Seconds for one command."""
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
CHILD_KINDS = (
    "jobs,deployments,replicasets,pods,services,serviceaccounts,horizontalpodautoscalers,poddisruptionbudgets,"
    "networkpolicies,ingresses,configmaps"
)
PROMETHEUS = "api/v1/namespaces/monitoring/services/prometheus-operated:9090/proxy/api/v1"
"""Below the API server's address."""
PROMETHEUS_URL = "http://prometheus-operated.monitoring:9090"
RECORDED = "recorded"
"""The runtime profile whose analyses ask Prometheus; all others ask the pods."""
MONITORING_KINDS = "servicemonitors.monitoring.coreos.com,prometheusrules.monitoring.coreos.com"
MODELS = "apis/heartops.dev/v1alpha1/namespaces/{}/heartmodels/{}"
HTTP = httpx.Client(timeout=20)
"""One for all requests: making one costs more than most of them."""
Object = dict[str, Any]
Found = TypeVar("Found")


def kubectl(*words: object, stdin: str | None = None) -> str:
    """Stdout; an assertion with kubectl's own words when it fails."""
    done = run_kubectl(*words, stdin=stdin)
    assert done.returncode == 0, f"kubectl {' '.join(map(str, words))}: {done.stderr}"
    return done.stdout


def run_kubectl(*words: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = ["kubectl", *map(str, words)]
    return subprocess.run(
        command, env=terminal(), input=stdin, capture_output=True, text=True, check=False, timeout=LONGEST
    )


def terminal() -> dict[str, str]:
    """The environment of a terminal in which `kubectl heart` is installed."""
    return os.environ | {"PATH": f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"}


def get(*words: object) -> Object:
    """An object or a list as JSON; empty when there is none of that name."""
    text = kubectl("get", *words, "-o", "json", "--ignore-not-found")
    return json.loads(text) if text.strip() else {}


@functools.cache
def api_address() -> str:
    """The API server on a loopback port, until this process ends: looking often costs no process of kubectl."""
    stack = ExitStack()
    atexit.register(stack.close)
    line = stack.enter_context(background("proxy", "--port=0", marker="Starting to serve on"))
    return f"http://{line.split()[-1]}"


def read(path: str, **query: str) -> Object:
    """The object or list at a path of the API server; empty when there is none."""
    answer = HTTP.get(f"{api_address()}/{path}", params=query)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return {}
    found: Object = answer.raise_for_status().json()
    return found


def items(*words: object) -> list[Object]:
    return get(*words).get("items", [])


def apply(*manifests: Object) -> None:
    document = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    options = ("--server-side", "--force-conflicts", "--field-manager=heartops-e2e")
    kubectl("apply", *options, "-f", "-", stdin=json.dumps(document))


def eventually(check: Callable[[], Found], seconds: float, what: str, every: float = 0.5) -> Found:
    """The first true value of `check`; an assertion that names what was awaited and what was seen last."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}; last seen: {found!r}"
        time.sleep(every)
    return found


@dataclass(frozen=True)
class Model:
    """A HeartModel in the cluster."""

    namespace: str
    name: str

    def get(self) -> Object:
        return read(MODELS.format(self.namespace, self.name))

    @property
    def status(self) -> Object:
        return self.get().get("status", {})

    def condition(self, kind: str) -> Object:
        """The condition, if it speaks of the living generation; else empty."""
        living = self.get()
        generation = living.get("metadata", {}).get("generation")
        found = (each for each in living.get("status", {}).get("conditions", []) if each["type"] == kind)
        return next((each for each in found if each.get("observedGeneration") == generation), {})

    def patch(self, **spec: Any) -> None:
        kubectl(
            "patch", "heartmodel", self.name, "-n", self.namespace, "--type=merge", "-p", json.dumps({"spec": spec})
        )

    def wait(self, kind: str, status: str, seconds: float, reason: str | None = None) -> Object:
        """The condition once it has the status (and the reason)."""

        def holds() -> Object:
            found = self.condition(kind)
            return found if found.get("status") == status and reason in (None, found.get("reason")) else {}

        return eventually(holds, seconds, f"{self.namespace}/{self.name} {kind}={status} {reason or ''}")

    def wait_serving(self, version: str, seconds: float) -> Object:
        """status.serving once it is the version and the model is Ready."""

        def serving() -> Object:
            found = self.status.get("serving", {})
            return found if found.get("version") == version and self.condition("Ready").get("status") == "True" else {}

        return eventually(serving, seconds, f"{self.namespace}/{self.name} to serve version {version}")

    def pods(self, version: str) -> dict[str, bool]:
        """By name, whether it is ready."""
        labels = {"heartops.dev/model": self.name, "heartops.dev/model-version": version}
        labels["app.kubernetes.io/component"] = "serving"
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found = read(f"api/v1/namespaces/{self.namespace}/pods", labelSelector=selector)["items"]
        return {
            pod["metadata"]["name"]: is_ready(pod) for pod in sorted(found, key=lambda pod: pod["metadata"]["name"])
        }

    def replace_pod(self, version: str, name: str, count: int = 2, *, evict: bool = False) -> None:
        """Delete it, or evict it as a node that is drained does, and wait until so many others are ready."""
        if evict:
            self.evict(name)
        else:
            kubectl("delete", "pod", name, "-n", self.namespace, "--wait=false")

        def replaced() -> bool:
            found = self.pods(version)
            return name not in found and sum(found.values()) >= count

        eventually(replaced, 120, f"a pod in the place of {name}")

    def evict(self, pod: str) -> None:
        """Once the disruption budget allows it."""
        metadata = {"name": pod, "namespace": self.namespace}
        eviction = json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction"

        def evicted() -> bool:
            done = run_kubectl("create", "--raw", path, "-f", "-", stdin=eviction)
            assert done.returncode == 0 or "disruption budget" in done.stderr, done.stderr
            return done.returncode == 0

        eventually(evicted, 60, f"the disruption budget to let {pod} go")

    def children(self, kinds: str = CHILD_KINDS) -> list[Object]:
        return items(kinds, "-n", self.namespace, "-l", f"heartops.dev/model={self.name}")

    def events(self) -> list[Object]:
        about = f"involvedObject.kind=HeartModel,involvedObject.name={self.name}"
        return items("events", "-n", self.namespace, "--field-selector", about)

    def wait_events(self, *reasons: str, seconds: float = 20) -> None:
        """Events are written after the status."""
        wanted = "events " + ", ".join(reasons)
        eventually(lambda: set(reasons) <= {event["reason"] for event in self.events()}, seconds, wanted)

    def predict(self, proxy: str, records: Any, **options: Any) -> httpx.Response:
        return HTTP.post(f"{self.address(proxy)}/predict", json=records, **options)

    def address(self, proxy: str) -> str:
        """The Service by way of the API server."""
        return f"{proxy}/api/v1/namespaces/{self.namespace}/services/{self.name}:http/proxy"

    def management(self, proxy: str) -> str:
        """The platform's port of a ready pod of the version that serves, which no Service for callers publishes."""
        pods = self.pods(self.status["serving"]["version"])
        name = next(name for name, ready in pods.items() if ready)
        return f"{proxy}/api/v1/namespaces/{self.namespace}/pods/{name}:8081/proxy"


@contextmanager
def background(*words: object, marker: str) -> Iterator[str]:
    """kubectl in the background until the block ends; yields the first line with the marker."""
    command = ["kubectl", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = next((line for line in process.stdout if marker in line), "")
            assert line, f"{' '.join(command)} ended without a line with {marker!r}"
            yield line
        finally:
            process.terminate()


@contextmanager
def new_namespace() -> Iterator[str]:
    """Restricted, with the runtime Secret that models of a namespace need."""
    name = f"e2e-{uuid.uuid4().hex[:6]}"
    secret = {"name": "heartops-runtime", "namespace": name}
    key = {name: secrets.token_hex(24) for name in ("HEARTOPS_ROW_KEY", "HEARTOPS_PROOF_KEY")}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": key})
    apply(binding(name, f"{RELEASE}-registry"))
    os.environ["MLFLOW_WORKSPACE"] = name  # of this process's own requests to MLflow
    try:
        yield name
    finally:
        run_kubectl("delete", "heartmodels", "--all", "-n", name)
        kubectl("delete", "namespace", name, "--wait=false")


def example(name: str, namespace: str) -> Object:
    """An example's HeartModel, in the test's namespace and with few pods."""
    manifest: Object = yaml.safe_load((ROOT / "examples" / name / "heartmodel.yaml").read_text())
    manifest["metadata"]["namespace"] = namespace
    manifest["spec"]["serving"] = {"autoscaling": {"minReplicas": 2, "maxReplicas": 4}}
    # Two busy cores, many pods at once: starting may take longer than a minute. Tests of canaries declare their steps.
    manifest["spec"]["rollout"] = {"readyDeadline": "4m", "steps": []}
    return manifest


def declare(manifest: Object) -> Model:
    """Apply a HeartModel."""
    apply(manifest)
    return Model(manifest["metadata"]["namespace"], manifest["metadata"]["name"])


def has_monitoring() -> bool:
    """Whether the cluster has the Prometheus Operator's kinds."""
    return bool(get("crd", "servicemonitors.monitoring.coreos.com"))


def require(there: bool, what: str) -> None:
    """Skip on a cluster without it; the cluster tool's own nodes have everything."""
    if there:
        return
    assert "HEARTOPS_CLUSTER" not in os.environ, f"the node has no {what}"
    pytest.skip(f"the cluster has no {what}")


def is_ready(living: Object) -> bool:
    conditions = living.get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
