"""Kueue, JobSet and Kubeflow Trainer as processes beside an API server: their CRDs, webhooks and controllers; a queue.

Needs root: Kueue reads a certificate below /etc, which it gets in a mount namespace of its own.
"""

import base64
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hack.cluster.ports import free_port
from heart_api.kube.kinds import Kind
from tests.support.apiserver.client import KubeApi, Resource, poll

GROUPS = frozenset({"batch", "kueue.x-k8s.io", "jobset.x-k8s.io", "trainer.kubeflow.org"})
"""Whose objects Kueue's webhooks see here: the other frameworks are not switched on."""
JOB_SET = "jobset.sigs.k8s.io/jobset-name"
LOCAL_QUEUE = Kind("kueue.x-k8s.io/v1beta2", "LocalQueue", "localqueues")
CLUSTER_QUEUES, FLAVORS = "/apis/kueue.x-k8s.io/v1beta2/clusterqueues", "/apis/kueue.x-k8s.io/v1beta2/resourceflavors"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
OWN_ETC = (
    'mount -t tmpfs tmpfs /etc && mkdir -p /etc/kueue/metrics && cp -r "$CERTS" /etc/kueue/metrics/certs && exec "$@"'
)


@dataclass(frozen=True)
class Part:
    """One controller. `config`: of its own kind."""

    name: str
    binary: str
    config: Resource
    options: tuple[str, ...] = ()


PARTS = (
    Part(
        "kueue",
        "kueue",
        {
            "apiVersion": "config.kueue.x-k8s.io/v1beta2",
            "integrations": {"frameworks": ["batch/job", "jobset.x-k8s.io/jobset", "trainer.kubeflow.org/trainjob"]},
            "internalCertManagement": {"enable": False},
        },
        ("--feature-gates=VisibilityOnDemand=false",),
    ),
    Part(
        "jobset",
        "jobset",
        {"apiVersion": "config.jobset.x-k8s.io/v1alpha1", "internalCertManagement": {"enable": False}},
    ),
    Part(
        "trainer",
        "trainer-controller-manager",
        {"apiVersion": "config.trainer.kubeflow.org/v1alpha1", "certManagement": {"enable": False}},
    ),
)


@contextmanager
def controllers(
    api: KubeApi, kubeconfig: Path, built: Path, folder: Path, address: str = "127.0.0.1"
) -> Iterator[None]:
    """All three run and answer; the CRDs stay. `built`: what `hack.cluster build --queueing` made.

    `address`: of this machine, where the API server finds the webhooks.
    """
    certs = certificate(folder, address)
    for crd in sorted(built.glob("crds/*/*.yaml")):
        body = yaml.safe_load(crd.read_text())
        if body["kind"] != "CustomResourceDefinition":
            continue
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{body['metadata']['name']}"
        api.call("PATCH", path, body, "application/apply-patch+yaml", fieldManager="test", force="true")
    with ExitStack() as stack:
        for part in PARTS:
            port = free_port(address)
            stack.enter_context(running(part, kubeconfig, built, folder, (address, port)))
            for hooks in webhooks(part, built, f"https://{address}:{port}", (certs / "tls.crt").read_bytes()):
                path = f"{WEBHOOKS}/{hooks['kind'].lower()}s"
                api.call("POST", path, hooks)
                stack.callback(api.call, "DELETE", f"{path}/{hooks['metadata']['name']}")
        yield


def certificate(folder: Path, address: str) -> Path:
    """Where controller-runtime looks for it below TMPDIR."""
    certs = folder / "k8s-webhook-server" / "serving-certs"
    certs.mkdir(parents=True)
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=webhooks"
    files = ["-addext", f"subjectAltName=IP:{address}", "-keyout", certs / "tls.key", "-out", certs / "tls.crt"]
    subprocess.run(["openssl", *request.split(), *map(str, files)], check=True, capture_output=True)
    return certs


@contextmanager
def running(part: Part, kubeconfig: Path, built: Path, folder: Path, webhook: tuple[str, int]) -> Iterator[None]:
    health, certs = free_port(), folder / "k8s-webhook-server" / "serving-certs"
    addresses: dict[str, Any] = {
        "health": {"healthProbeBindAddress": f"127.0.0.1:{health}"},
        "metrics": {"bindAddress": "0"},
        "webhook": {"host": webhook[0], "port": webhook[1]},
        "leaderElection": {"leaderElect": False},
    }
    if part.name != "trainer":  # which looks below TMPDIR
        addresses["webhook"]["certDir"] = str(certs)
    config = folder / f"{part.name}.yaml"
    config.write_text(json.dumps({"kind": "Configuration", **part.config, **addresses}))
    command = [str(built / "bin" / part.binary), f"--config={config}", *part.options]
    if part.name == "kueue":
        command = ["unshare", "--mount", "sh", "-c", OWN_ETC, "sh", *command]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "TMPDIR": str(folder), "CERTS": str(certs)}
    log = folder / f"{part.name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=folder)
    try:

        def listens() -> bool:
            assert process.poll() is None, f"{part.name} ended: {log.read_text()[-3000:]}"
            with socket.socket() as tried:
                return tried.connect_ex(webhook) == 0

        poll(f"{part.name}'s webhooks", listens, seconds=120)
        yield
    finally:
        process.terminate()
        process.wait(30)


def webhooks(part: Part, built: Path, server: str, authority: bytes) -> list[Resource]:
    """The part's own configurations, for a server on this machine in place of a Service."""
    found = []
    for hooks in yaml.safe_load_all((built / "webhooks" / part.name / "manifests.yaml").read_text()):
        wanted = [at_home(hook, server, authority) for hook in hooks["webhooks"] if concerns(hook, part)]
        name = f"{part.name}-{hooks['metadata']['name']}"
        found.append({**hooks, "metadata": {"name": name}, "webhooks": wanted})
    return found


def concerns(hook: Resource, part: Part) -> bool:
    groups = {group for rule in hook["rules"] for group in rule["apiGroups"]}
    return part.name != "kueue" or groups <= GROUPS


def at_home(hook: Resource, server: str, authority: bytes) -> Resource:
    path = hook["clientConfig"]["service"]["path"]
    client = {"url": f"{server}{path}", "caBundle": base64.b64encode(authority).decode()}
    pods = any("pods" in rule["resources"] for rule in hook["rules"])
    selector = {"matchExpressions": [{"key": JOB_SET, "operator": "Exists"}]}  # as in JobSet's own kustomization
    return {**hook, "clientConfig": client, **({"objectSelector": selector} if pods else {})}


class Queue:
    """A ClusterQueue of its own, its flavor, and the LocalQueue `trainings`."""

    def __init__(self, api: KubeApi, namespace: str) -> None:
        self._api, self._name = api, namespace
        flavor = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": namespace}}
        poll("the flavor", lambda: api.call("POST", FLAVORS, flavor), seconds=60)
        spec = {"namespaceSelector": {}, "resourceGroups": self._groups("0", "0")}
        body = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ClusterQueue", "metadata": {"name": namespace}}
        api.call("POST", CLUSTER_QUEUES, body | {"spec": spec})
        local = {"apiVersion": LOCAL_QUEUE.api_version, "kind": "LocalQueue"}
        metadata = {"name": "trainings", "namespace": namespace}
        api.create(LOCAL_QUEUE, local | {"metadata": metadata, "spec": {"clusterQueue": namespace}})

    def _groups(self, cpu: str, memory: str) -> list[Resource]:
        resources = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": memory}]
        return [{"coveredResources": ["cpu", "memory"], "flavors": [{"name": self._name, "resources": resources}]}]

    def make_room(self) -> None:
        change = {"spec": {"resourceGroups": self._groups("8", "32Gi")}}
        self._api.call("PATCH", f"{CLUSTER_QUEUES}/{self._name}", change, "application/merge-patch+json")

    def remove(self) -> None:
        for path in (CLUSTER_QUEUES, FLAVORS):
            self._api.call("DELETE", f"{path}/{self._name}")
