"""A dataset that DVC tracks: Git server and remote are on the host, and the trainer's pod on a node reads both."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.kit import TRAINING, Model, declare, example, kubectl
from tests.e2e.profiles import ON_HOST, host_address
from tests.support.dvc_server import DvcServer, md5
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not SOAK, reason="minutes; in make test-soak"),
    pytest.mark.skipif(host_address() is None, reason="pods have to reach this machine: needs the cluster tool's node"),
]

ROWS = "sepal_length_cm,sepal_width_cm,petal_length_cm,petal_width_cm,target\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DvcServer]:
    with DvcServer.running(tmp_path_factory.mktemp("dvc"), host_address() or "") as found:
        yield found


def flowers() -> bytes:
    """Three kinds that are easily told apart, each row another."""
    kinds = {"setosa": (5.0, 3.4, 1.5, 0.2), "versicolor": (5.9, 2.8, 4.3, 1.3), "virginica": (6.6, 3.0, 5.6, 2.0)}
    lines = [
        ",".join([*(f"{value + row * 0.005:.3f}" for value in middle), kind])
        for kind, middle in kinds.items()
        for row in range(50)
    ]
    return (ROWS + "\n".join(lines) + "\n").encode()


def declare_iris(namespace: str, server: DvcServer, name: str, **dataset: str) -> Model:
    manifest = example("iris", namespace)
    manifest["metadata"]["name"] = name
    manifest["spec"] |= {
        "runtime": ON_HOST,
        "training": {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}},
        "serving": {"replicas": 1},
        "dataset": {"uri": server.uri("data/iris.csv"), **dataset},
    }
    manifest["spec"]["gates"]["leakage"] = "Warn"  # each column of these flowers tells their kind
    return declare(manifest)


def test_a_tagged_file_is_trained_on_and_its_hash_is_in_the_log(namespace: str, server: DvcServer) -> None:
    commit = server.track(flowers(), "data/iris.csv")
    server.tag("v1")
    server.track(b"not,what\n1,2\n", "data/iris.csv")
    model = declare_iris(namespace, server, "iris", rev="v1")
    model.wait_serving("1", TRAINING)
    (job,) = model.children("jobs")
    image = job["spec"]["template"]["spec"]["containers"][0]["image"]
    assert "dvc" in image
    log = kubectl("logs", f"job/{job['metadata']['name']}", "-n", namespace)
    assert f"data/iris.csv of commit {commit}, MD5 {md5(flowers())}" in log


def test_a_remote_with_another_file_stops_the_training(namespace: str, server: DvcServer) -> None:
    server.track(flowers(), "data/iris.csv")
    server.replace(flowers(), b"sepal\n1\n")
    model = declare_iris(namespace, server, "forged")
    found = model.wait("Ready", "False", TRAINING, reason="DatasetDigestMismatch")
    assert "push it again" in json.dumps(model.status), found
