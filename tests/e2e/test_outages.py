"""What everybody leans on goes away for a while. These tests run by themselves, after all others."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.canaries import USUAL, cohort
from tests.e2e.kit import RELEASE, SYSTEM, TRAINING, Model, declare, eventually, items, kubectl
from tests.e2e.traffic import traffic

pytestmark = [pytest.mark.timeout(900), pytest.mark.outage]


@pytest.fixture(scope="module")
def served(namespace: str) -> Model:
    model = declare(cohort(namespace, "served", replicas=2))
    model.wait_serving("1", TRAINING)
    return model


def test_without_mlflow_predictions_go_on_and_pods_start(served: Model, images: dict[str, str]) -> None:
    """A new pod fetches the model from a sibling; the condition says what is missing, until it is back."""
    with mlflow_stopped(), traffic(served, USUAL, images["serving"]) as load:
        served.wait("Progressing", "Unknown", 60, reason="RegistryUnavailable")
        served.replace_pod("1", next(iter(served.pods("1"))))
        load.wait_for_more()
        assert served.condition("Available")["status"] == "True"
    assert load.failures == []
    eventually(lambda: served.condition("Progressing").get("reason") != "RegistryUnavailable", 120, "MLflow to be seen")


@contextmanager
def mlflow_stopped() -> Iterator[None]:
    deployment = ("deployment", f"{RELEASE}-mlflow", "-n", SYSTEM)
    kubectl("scale", *deployment, "--replicas=0")
    eventually(
        lambda: not items("pods", "-n", SYSTEM, "-l", "app.kubernetes.io/component=mlflow"), 60, "MLflow to stop"
    )
    try:
        yield
    finally:
        kubectl("scale", *deployment, "--replicas=1")
        kubectl("rollout", "status", *deployment, "--timeout=180s")
