"""The Job that makes missing Secrets, with its own account's rights, against a real API server."""

import asyncio
import base64
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubernetes.aio.client import Configuration

from heart_api.kube.kinds import SECRET
from heart_operator.bootstrap import _parser, make_secrets
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import RequestRejected
from tests.api.conftest import Kubectl, render_part
from tests.support.apiserver.client import KubeApi
from tests.support.apiserver.world import World, configuration_for

pytestmark = pytest.mark.api
OPTIONS = ("--database-secret=heartops-postgresql", "--logins-secret=heartops-log-namespaces", "--log-host=db:5432")


@pytest.fixture
def account(world: World, kube_api: KubeApi, kubectl: Kubectl, tools: Path, tmp_path: Path) -> Configuration:
    """Of the Job, as the chart makes it in the world's namespace."""
    text = render_part(tools, world.namespace, "secrets.yaml")
    assert kubectl("apply", "--server-side", "-f", "-", stdin=text).returncode == 0
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    path = f"/api/v1/namespaces/{world.namespace}/serviceaccounts/heartops-secrets/token"
    return configuration_for(kube_api, kube_api.call("POST", path, request)["status"]["token"], tmp_path)


def run(account: Configuration, namespace: str) -> None:
    async def work() -> None:
        cluster = Cluster(account)
        try:
            await make_secrets(
                cluster, _parser().parse_args([f"--namespace={namespace}", *OPTIONS, "--runtime-secret"])
            )
        finally:
            await cluster.close()

    asyncio.run(work())


def values(world: World, name: str) -> dict[str, str]:
    found = world.api.get(SECRET, world.namespace, name)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()} if found else {}


def test_what_is_missing_is_made_and_what_is_there_stays(world: World, account: Configuration) -> None:
    meta = {"name": "heartops-postgresql", "namespace": world.namespace}
    world.api.create(SECRET, {"metadata": meta, "stringData": {"password": "chosen by hand"}})
    run(account, world.namespace)
    names = ("heartops-postgresql", "heartops-log-namespaces", "heartops-runtime")
    made = {name: values(world, name) for name in names}
    assert made["heartops-postgresql"]["password"] == "chosen by hand"
    assert len(made["heartops-postgresql"]["heartops-password"]) == 32
    url = urlsplit(made["heartops-runtime"]["HEARTOPS_DATABASE_URL"])
    assert (url.username, url.hostname) == (f"ns-{world.namespace}", "db")
    assert url.password == made["heartops-log-namespaces"][world.namespace]
    assert len(made["heartops-runtime"]["HEARTOPS_ROW_KEY"]) == 48
    assert len(made["heartops-runtime"]["HEARTOPS_PROOF_KEY"]) == 48
    run(account, world.namespace)
    assert {name: values(world, name) for name in names} == made


def test_no_other_secret_can_be_read_with_its_account(world: World, account: Configuration) -> None:
    world.api.create(SECRET, {"metadata": {"name": "other", "namespace": world.namespace}, "stringData": {"a": "b"}})

    async def steal(namespace: str, name: str) -> None:
        cluster = Cluster(account)
        try:
            await cluster.get(SECRET, namespace, name)
        finally:
            await cluster.close()

    for namespace, name in ((world.namespace, "other"), ("kube-system", "heartops-runtime")):
        with pytest.raises(RequestRejected, match="forbidden"):
            asyncio.run(steal(namespace, name))
