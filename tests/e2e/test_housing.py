"""The housing example as its README has it: rows in a volume of the namespace, and a regression on them."""

import json

import pytest
from mlflow import MlflowClient

from tests.e2e.kit import ROOT, TRAINING, Model, declare, example, kubectl
from tests.support.real_data import CALIFORNIA, real_file
from tests.support.soak import SOAK

FOLDER = ROOT / "examples" / "housing"
DISTRICTS = json.loads((FOLDER / "requests" / "predict.json").read_text())

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not SOAK, reason="a minute: in make test-soak"),
    pytest.mark.real_data,
]


@pytest.fixture(scope="module")
def housing(namespace: str, images: dict[str, str]) -> Model:
    rows = real_file(CALIFORNIA)
    volume = (FOLDER / "00-volume.yaml").read_text().replace("docker.io/library/busybox:1.37.0", images["serving"])
    kubectl("apply", "-n", namespace, "-f", "-", stdin=volume)
    kubectl("wait", "pod/housing-loader", "-n", namespace, "--for=condition=Ready", "--timeout=120s")
    write = ("sh", "-c", f"cat > /data/{rows.name}")
    kubectl("exec", "-i", "housing-loader", "-n", namespace, "--", *write, stdin=rows.read_bytes().decode())
    kubectl("delete", "pod", "housing-loader", "-n", namespace)
    model = declare(example("housing", namespace))
    model.wait_serving("1", TRAINING)
    return model


def test_prices_follow_incomes(housing: Model, proxy: str) -> None:
    answers = housing.predict(proxy, DISTRICTS).raise_for_status().json()["predictions"]
    middle, poor, rich = (answer["prediction"] for answer in answers)
    assert 20_000 < poor < middle < rich < 700_000, answers


def test_the_gates_held_what_mlflow_has(housing: Model, mlflow: MlflowClient) -> None:
    figures = mlflow.get_run(housing.status["training"]["runId"]).data.metrics
    assert figures["rmse"] <= 50_000, "0.50 in $100k"
    assert figures["r2"] >= 0.7
    assert housing.condition("GatePassed")["status"] == "True"
