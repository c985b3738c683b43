"""What the operator, the models' pods and people may do."""

import pytest

from tests.e2e.kit import OPERATOR, SYSTEM, get, items, run_kubectl


def may(who: str, verb: str, resource: str, *words: str) -> bool:
    answer = run_kubectl("auth", "can-i", verb, resource, f"--as={who}", *words).stdout.split()
    assert answer, "kubectl auth can-i gave no answer"
    return answer[0] == "yes"


@pytest.mark.parametrize("verb", ["get", "list", "watch", "create", "delete"])
@pytest.mark.parametrize("namespace", [SYSTEM, "default"])
def test_operator_reads_no_secret(product: None, verb: str, namespace: str) -> None:
    assert not may(OPERATOR, verb, "secrets", "-n", namespace)


@pytest.mark.parametrize(
    ("verb", "resource"),
    [
        ("update", "heartmodels"),
        ("create", "pods"),
        ("create", "clusterroles"),
        ("get", "nodes"),
        ("create", "pods/exec"),
    ],
)
def test_operator_has_no_right_that_it_does_not_use(product: None, verb: str, resource: str) -> None:
    assert not may(OPERATOR, verb, resource, "-A")


def test_operator_may_do_its_work(product: None) -> None:
    for verb, resource in (("list", "heartmodels"), ("create", "jobs"), ("patch", "services"), ("list", "pods")):
        assert may(OPERATOR, verb, resource, "-A")


def test_people_with_kubernetes_own_roles_may_use_heartmodels(product: None) -> None:
    rights = {
        role: {
            verb
            for rule in get("clusterrole", role)["rules"]
            if "heartops.dev" in rule.get("apiGroups", []) and "heartmodels" in rule.get("resources", [])
            for verb in rule["verbs"]
        }
        for role in ("view", "edit", "admin")
    }
    assert rights["view"] == {"get", "list", "watch"}
    assert {"create", "patch", "delete"} <= rights["edit"]
    assert {"create", "patch", "delete"} <= rights["admin"]


def test_every_pod_of_the_release_is_restricted_and_steady(product: None) -> None:
    pods = items("pods", "-n", SYSTEM)
    assert {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods} >= {"operator"}
    for pod in pods:
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
        for status in pod["status"]["containerStatuses"]:
            assert status["restartCount"] == 0, f"{pod['metadata']['name']} restarted"
