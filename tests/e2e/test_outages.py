"""What everybody leans on goes away for a while. These tests run by themselves, after all others."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.flowers import FLOWER, Flowers
from tests.e2e.kit import RELEASE, SYSTEM, eventually, items, kubectl
from tests.e2e.traffic import traffic

pytestmark = [pytest.mark.timeout(900), pytest.mark.outage]
DATABASE = f"statefulset/{RELEASE}-postgresql"


def test_a_minute_without_the_database_costs_neither_predictions_nor_rows(flowers: Flowers) -> None:
    before = flowers.metric("prediction_log_written_total") or 0
    kubectl("scale", DATABASE, "-n", SYSTEM, "--replicas=0")
    try:
        kubectl("wait", "--for=delete", f"pod/{RELEASE}-postgresql-0", "-n", SYSTEM, "--timeout=90s")
        for number in range(100):
            flowers.predict(f"outage-{number}")
        eventually(lambda: flowers.metric("prediction_log_write_errors_total"), 60, "the outage to be noticed")
        refused = httpx.post(f"{flowers.address}/feedback", json={"request_id": "a", "outcome": "setosa"}, timeout=60)
        assert refused.status_code == 503
    finally:
        kubectl("scale", DATABASE, "-n", SYSTEM, "--replicas=1")
        kubectl("rollout", "status", DATABASE, "-n", SYSTEM, "--timeout=180s")
    flowers.written(int(before) + 100, 120)
    assert flowers.metric("prediction_log_dropped_total", 'reason="queue_full"') == 0


def test_without_mlflow_predictions_go_on_and_pods_start(flowers: Flowers, images: dict[str, str]) -> None:
    """A new pod fetches the model from a sibling; the condition says what is missing, until it is back."""
    served = flowers.model
    served.patch(serving={"replicas": 2})
    eventually(lambda: sum(served.pods("1").values()) == 2, 120, "a sibling")
    with mlflow_stopped(), traffic(served, [FLOWER], images["serving"]) as load:
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
