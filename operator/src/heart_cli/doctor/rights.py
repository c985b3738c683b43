"""Checks of permissions: the operator's in the namespace, and those of the namespace's pods in MLflow."""

from collections.abc import Iterator

from heart_api.kube.kinds import DEPLOYMENT, HEART_MODEL, JOB, Kind, children_kinds
from heart_api.kube.values import Manifest
from heart_cli.doctor.findings import Finding
from heart_cli.doctor.reader import Reader
from heart_cli.registryrights import BINDING, ROLE_BINDING, find_role

AREA = "permissions"
REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
WATCHED = "HEARTOPS_NAMESPACES"


def check_operator_rights(system: Reader, models: Reader) -> Iterator[Finding]:
    """Whether the operator watches the namespace, and its account may do there what it has to."""
    found = system.component(DEPLOYMENT, "operator")
    if found is None:
        return
    pod = found["spec"]["template"]["spec"]
    watched = next((e.get("value", "") for e in pod["containers"][0].get("env", ()) if e["name"] == WATCHED), "")
    if watched and models.namespace not in watched.split(","):
        fix = f"Add {models.namespace} to operator.namespaces in the chart's values"
        yield Finding("problem", AREA, f"the operator does not watch namespace {models.namespace}", fix)
        return
    account = f"system:serviceaccount:{system.namespace}:{pod.get('serviceAccountName', 'default')}"
    denied = [right for kind, verb in needed(models) if (right := denied_right(models, account, kind, verb))]
    if denied:
        message = f"{account} may not {', '.join(denied)} in namespace {models.namespace}"
        yield Finding("problem", AREA, message, "helm upgrade restores the operator's roles (operator/RBAC.md)")
    else:
        yield Finding("ok", AREA, f"the operator has its permissions in namespace {models.namespace}")


def needed(models: Reader) -> Iterator[tuple[Kind, str]]:
    """One verb for each kind: the roles grant all verbs of a kind together."""
    present = frozenset(
        kind.kind
        for kind in children_kinds(frozenset({"ServiceMonitor", "PrometheusRule", "HTTPRoute"}))
        if kind.plural in models.resources(kind.api_version)
    )
    yield HEART_MODEL, "list"
    yield JOB, "create"
    for kind in children_kinds(present):
        yield kind, "patch"


def denied_right(models: Reader, account: str, kind: Kind, verb: str) -> str:
    """`patch services`; empty if the account may."""
    attributes = {"namespace": models.namespace, "verb": verb, "group": kind.group, "resource": kind.plural}
    return "" if is_allowed(models, account, {"resourceAttributes": attributes}) else f"{verb} {kind.plural}"


def may_get(reader: Reader, account: str, url: str) -> bool:
    """Whether the account may read a path of an API server, or of what asks one."""
    return is_allowed(reader, account, {"nonResourceAttributes": {"path": url, "verb": "get"}})


def is_allowed(reader: Reader, account: str, attributes: Manifest) -> bool:
    groups = ["system:serviceaccounts", "system:authenticated"]
    spec = {"user": account, "groups": groups, **attributes}
    body: Manifest = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(reader.client.call("POST", REVIEWS, body=body)["status"].get("allowed"))


def check_registry_rights(models: Reader) -> Iterator[Finding]:
    """Where MLflow authorizes with Kubernetes, a RoleBinding lets the namespace's pods use their workspace."""
    if find_role(models.client) is None:
        return
    if models.object(ROLE_BINDING, BINDING):
        yield Finding("ok", AREA, f"pods of namespace {models.namespace} may use their workspace in MLflow")
        return
    message = f"namespace {models.namespace} has no RoleBinding {BINDING}: its pods cannot use MLflow"
    yield Finding("problem", AREA, message, f"kubectl heart init-namespace {models.namespace}")
