"""What every fault is compared with: the same life without it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client import Configuration

from heart_api.names import short_hash
from tests.support.apiserver.client import KubeApi
from tests.support.apiserver.lifecycle import live, picture
from tests.support.apiserver.world import World
from tests.support.faults.proxy import Proxy


@pytest.fixture(scope="session")
def reference(
    api_server: Path, kube_api: KubeApi, operator_account: Configuration, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """How a model's life ends when nothing disturbs it."""
    folder = tmp_path_factory.mktemp("reference")
    with World(kube_api, operator_account, "reference", folder, api_server.parent / "audit.log") as world:
        with world.start():
            live(world)
            world.settle()
        yield picture(world)


@pytest.fixture
def proxy(kube_api: KubeApi, operator_account: Configuration) -> Iterator[Proxy]:
    """Between the API server and the operators of `proxied`."""
    with Proxy(kube_api, operator_account) as proxy:
        yield proxy


@pytest.fixture
def proxied(api_server: Path, kube_api: KubeApi, proxy: Proxy, tmp_path: Path) -> Iterator[World]:
    """A world whose operators reach the API server through the proxy only."""
    namespace = f"proxied-{short_hash(str(tmp_path))}"
    with World(kube_api, proxy.configuration, namespace, tmp_path, api_server.parent / "audit.log") as world:
        yield world
