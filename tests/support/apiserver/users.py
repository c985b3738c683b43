"""People as ServiceAccounts with one of Kubernetes' roles, each with a kubeconfig, who type `kubectl heart …`."""

import base64
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from heart_api.kube.kinds import Kind
from tests.support.apiserver.client import KubeApi

SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
RBAC = "rbac.authorization.k8s.io"
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Person:
    """`alice("status", "heart")` runs kubectl with the plugin beside the interpreter on the PATH."""

    user: str
    kubeconfig: Path
    tools: Path

    def __call__(self, *words: str, stdin: str | None = None) -> Done:
        path = os.pathsep.join((str(Path(sys.executable).parent), str(self.tools), os.environ["PATH"]))
        environment = {**os.environ, "PATH": path, "KUBECONFIG": str(self.kubeconfig)}
        return subprocess.run(
            ("kubectl", "heart", *words), input=stdin, env=environment, capture_output=True, text=True, timeout=90
        )


def make_person(api: KubeApi, tools: Path, folder: Path, namespace: str, name: str, role: str) -> Person:
    """With `role` (`edit`, `view`) in the namespace, which is also the one of the kubeconfig's context."""
    meta = {"name": name, "namespace": namespace}
    subject = {"kind": "ServiceAccount", **meta}
    api.create(SERVICE_ACCOUNT, {"metadata": meta})
    reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
    api.create(ROLE_BINDING, {"metadata": meta, "roleRef": reference, "subjects": [subject]})
    token = api.call("POST", SERVICE_ACCOUNT.path(namespace, name, "token"), {"spec": {"expirationSeconds": 3600}})
    kubeconfig = folder / f"{name}.yaml"
    kubeconfig.write_text(yaml.safe_dump(as_kubeconfig(api, namespace, token["status"]["token"])))
    return Person(f"system:serviceaccount:{namespace}:{name}", kubeconfig, tools)


def as_kubeconfig(api: KubeApi, namespace: str, token: str) -> dict[str, object]:
    authority = base64.b64encode(api.ca).decode()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": api.server, "certificate-authority-data": authority}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": namespace}}],
        "current-context": "test",
    }
