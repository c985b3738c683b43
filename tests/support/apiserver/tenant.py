"""Somebody with Kubernetes' role `edit` in one namespace, whom the administrator plays by impersonation."""

from typing import Any

import httpx

from heart_api.kube.kinds import HEART_MODEL, SERVICE_ACCOUNT, Kind
from tests.support.apiserver.client import KubeApi, poll
from tests.support.apiserver.running_operator import RunningOperator
from tests.support.plan.changes import Resource

BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")


def give_edit(kube_api: KubeApi, mallory: KubeApi, namespace: str) -> None:
    """Kubernetes' own role for those who work in a namespace."""
    kube_api.create_namespace(namespace)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}]
    metadata = {"namespace": namespace, "name": "mallory"}
    kube_api.create(BINDING, {"metadata": metadata, "roleRef": role, "subjects": subjects})
    poll("mallory may edit", lambda: answer(mallory, "GET", HEART_MODEL.path(namespace))[0] == 200)


def answer(mallory: KubeApi, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Resource]:
    """Status and answer, whatever it is."""
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        return 200, mallory.call(method, path, body, media, **query)
    except httpx.HTTPStatusError as error:
        return error.response.status_code, error.response.json()


def token(api: KubeApi, namespace: str, name: str, **spec: object) -> str:
    """Of a ServiceAccount that is made for it."""
    if api.get(SERVICE_ACCOUNT, namespace, name) is None:
        api.create(SERVICE_ACCOUNT, {"metadata": {"namespace": namespace, "name": name}})
    request = {"spec": {"expirationSeconds": 3600, **spec}}
    found: str = api.call("POST", SERVICE_ACCOUNT.path(namespace, name, "token"), request)["status"]["token"]
    return found


def scrape(operator: RunningOperator, token: str = "") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"https://127.0.0.1:{operator.metrics_port}/metrics", headers=headers, verify=False, timeout=20)
