"""Which containers show a token to MLflow, and which never hold one."""

from typing import Any

import pytest

from heart_api.handover import Env
from tests.unit.heart_operator.manifests.conftest import Case

TOKEN = "registry-token"


@pytest.fixture
def workspaces(full: Case) -> Case:
    """The same, where MLflow asks Kubernetes."""
    return Case(full.model, full.profile.model_copy(update={"tracking_auth": "Kubernetes"}))


def pods(case: Case) -> list[dict[str, Any]]:
    built = (case.job, case.evaluation_job, case.check_job, case.deployment())
    return [manifest["spec"]["template"]["spec"] for manifest in built]


def with_token(pod: dict[str, Any]) -> list[str]:
    containers = (*pod.get("initContainers", ()), *pod["containers"])
    return [each["name"] for each in containers if TOKEN in [mount["name"] for mount in each["volumeMounts"]]]


def test_jobs_and_the_fetcher_show_a_token_and_the_server_holds_none(workspaces: Case) -> None:
    assert [with_token(pod) for pod in pods(workspaces)] == [["trainer"], ["trainer"], ["trainer"], ["fetch"]]


def test_the_token_is_short_lived_and_the_api_servers_own_stays_unmounted(workspaces: Case) -> None:
    for pod in pods(workspaces):
        (volume,) = (each for each in pod["volumes"] if each["name"] == TOKEN)
        (source,) = volume["projected"]["sources"]
        assert source["serviceAccountToken"] == {"path": "token", "expirationSeconds": 3600}
        assert pod["automountServiceAccountToken"] is False
        assert pod["serviceAccountName"] == "heart-disease-model"


def test_the_workspace_is_the_namespace_and_never_the_specs_to_choose(workspaces: Case) -> None:
    for pod in pods(workspaces):
        (container,) = pod.get("initContainers") or pod["containers"]
        variables = {entry["name"]: entry.get("value") for entry in container["env"]}
        assert variables[Env.WORKSPACE] == workspaces.model.namespace
        (mount,) = (each for each in container["volumeMounts"] if each["name"] == TOKEN)
        assert variables[Env.REGISTRY_TOKEN_FILE] == f"{mount['mountPath']}/token"


def test_an_mlflow_that_asks_for_no_token_of_kubernetes_gets_none(full: Case) -> None:
    for pod in pods(full):
        assert with_token(pod) == []
        assert TOKEN not in [volume["name"] for volume in pod["volumes"]]
