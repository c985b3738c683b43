"""Somebody with Kubernetes' role `edit` in one namespace, whom the administrator plays by impersonation."""

from typing import Any

import httpx

from heart_api.kube.kinds import HEART_MODEL, Kind
from tests.support.apiserver.client import KubeApi, poll
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
