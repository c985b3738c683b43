"""The RoleBinding that lets a namespace's own pods use its workspace in MLflow.

It is the administrator's to make: the operator has no right to bind roles.
"""

from heart_api.kube.kinds import Kind
from heart_api.kube.values import Manifest
from heart_api.names import PART_OF, Label
from heart_cli.client import Client
from heart_cli.errors import ApiFailure

ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
RBAC = "rbac.authorization.k8s.io"
BINDING = "heartops-registry"
REGISTRY_ROLES = f"{Label.PART_OF}={PART_OF},{Label.COMPONENT}=registry"


def grant_registry(client: Client) -> list[str]:
    """Report what was changed; empty if MLflow does not authorize with Kubernetes. Raises ApiFailure."""
    role = find_role(client)
    if role is None:
        return []
    try:
        client.get(ROLE_BINDING, BINDING)
    except ApiFailure as error:
        if error.status != 404:
            raise
        client.write("POST", ROLE_BINDING.path(client.namespace), binding(client.namespace, role))
        return [f"Created the RoleBinding {BINDING} in namespace {client.namespace}: its pods may use their workspace"]
    return [f"Unchanged: namespace {client.namespace} has the RoleBinding {BINDING}"]


def revoke_registry(client: Client) -> list[str]:
    try:
        client.write("DELETE", ROLE_BINDING.path(client.namespace, BINDING))
    except ApiFailure as error:
        if error.status == 404:
            return []
        raise
    return [f"Deleted the RoleBinding {BINDING} of namespace {client.namespace}"]


def find_role(client: Client) -> str | None:
    """The chart's ClusterRole; None if it does not exist or the user may not read it."""
    try:
        found = client.call("GET", f"/apis/{RBAC}/v1/clusterroles", {"labelSelector": REGISTRY_ROLES})["items"]
    except ApiFailure as error:
        if error.status == 403:
            return None
        raise
    return str(found[0]["metadata"]["name"]) if found else None


def binding(namespace: str, role: str) -> Manifest:
    """For every ServiceAccount of the namespace: whoever may start pods there can choose among them anyway."""
    return {
        "apiVersion": ROLE_BINDING.api_version,
        "kind": ROLE_BINDING.kind,
        "metadata": {"name": BINDING, "namespace": namespace, "labels": {Label.PART_OF: PART_OF}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "Group", "apiGroup": RBAC, "name": f"system:serviceaccounts:{namespace}"}],
    }
