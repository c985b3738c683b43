"""The operator's metrics name every tenant's models: Kubernetes says who may read them."""

import httpx
import pytest

from tests.api.conftest import Kubectl
from tests.support.apiserver.client import poll
from tests.support.apiserver.tenant import scrape, token
from tests.support.apiserver.world import World

pytestmark = pytest.mark.api


def test_a_tenant_reads_no_metrics_and_prometheus_does(world: World, kubectl: Kubectl) -> None:
    reader = f"reader-{world.namespace[-4:]}"
    with world.start() as operator:
        world.create()
        world.wait_serving("1")
        assert scrape(operator).status_code == 401
        assert scrape(operator, "eyJhbGciOiJub25lIn0.e30.").status_code == 401
        elsewhere = token(world.api, world.namespace, "tenant", audiences=["elsewhere"])
        assert scrape(operator, elsewhere).status_code == 401
        tenant = token(world.api, world.namespace, "tenant")
        assert scrape(operator, tenant).status_code == 403
        assert world.namespace not in scrape(operator, tenant).text
        prometheus = token(world.api, world.namespace, "prometheus")
        words = ("create", "clusterrolebinding", reader, "--clusterrole=heartops-metrics-reader")
        done = kubectl(*words, f"--serviceaccount={world.namespace}:prometheus")
        assert done.returncode == 0, done.stderr
        poll("the right to read", lambda: scrape(operator, prometheus).status_code == 200, 30)
        assert f'namespace="{world.namespace}"' in scrape(operator, prometheus).text
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{operator.metrics_port}/metrics")
        assert httpx.get(f"http://127.0.0.1:{operator.port}/metrics").status_code == 404
    kubectl("delete", "clusterrolebinding", reader)
