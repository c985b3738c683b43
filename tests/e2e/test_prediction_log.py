"""The prediction log in a namespace of its own: made ready by `kubectl heart`, outlived by an outage, learnt from."""

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from mlflow import MlflowClient

from tests.e2e.kit import (
    RELEASE,
    RESTRICTED,
    ROOT,
    SYSTEM,
    TRAINING,
    Model,
    apply,
    declare,
    eventually,
    example,
    kubectl,
    run_kubectl,
)

pytestmark = [pytest.mark.timeout(1200), pytest.mark.outage]
FLOWER = {"sepal_length_cm": 5.1, "sepal_width_cm": 3.5, "petal_length_cm": 1.4, "petal_width_cm": 0.2}
DATABASE = f"statefulset/{RELEASE}-postgresql"
REPORTED = 40


@dataclass(frozen=True)
class Flowers:
    """The iris example with one pod, whose metrics are the model's."""

    model: Model
    address: str

    def predict(self, request_id: str) -> None:
        reply = httpx.post(f"{self.address}/predict", json=FLOWER, headers={"X-Request-Id": request_id}, timeout=20)
        assert reply.status_code == 200, reply.text

    def report(self, *request_ids: str, outcome: str) -> dict[str, int]:
        body = [{"request_id": request_id, "outcome": outcome} for request_id in request_ids]
        reply = httpx.post(f"{self.address}/feedback", json=body, timeout=30)
        assert reply.status_code == 202, reply.text
        return reply.json()

    def metric(self, name: str, label: str = "") -> float | None:
        text = httpx.get(f"{self.address}/metrics", timeout=20).text
        found = re.search(rf"^{name}\{{[^}}]*{label}[^}}]*\}} (\S+)$", text, re.M)
        return float(found[1]) if found else None

    def written(self, rows: int, seconds: float = 60) -> None:
        eventually(lambda: self.metric("prediction_log_written_total") == rows, seconds, f"{rows} rows to be written")


@pytest.fixture(scope="module")
def flowers(product: None, proxy: str) -> Iterator[Flowers]:
    name = f"e2e-{uuid.uuid4().hex[:6]}"
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    command = (sys.executable, "-m", "heart_cli", "init-namespace", name, "--system-namespace", SYSTEM)
    subprocess.run(command, cwd=ROOT, check=True)
    manifest = example("iris", name)
    manifest["spec"]["training"] = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
    manifest["spec"]["serving"] = {"replicas": 1}
    model = declare(manifest)
    try:
        model.wait_serving("1", TRAINING)
        yield Flowers(model, model.address(proxy))
    finally:
        run_kubectl("delete", "heartmodels", "--all", "-n", name)
        kubectl("delete", "namespace", name, "--wait=false")


def test_outcomes_become_live_quality(flowers: Flowers) -> None:
    ids = [f"visit-{number}" for number in range(REPORTED)]
    for request_id in ids:
        flowers.predict(request_id)
    flowers.written(REPORTED)
    assert flowers.report(*ids[:30], outcome="setosa")["new"] == 30
    assert flowers.report(*ids, outcome="setosa") == {"new": 10, "corrected": 0, "unchanged": 30}
    assert flowers.report(*ids[:10], outcome="virginica")["corrected"] == 10
    source = 'source="feedback"'
    eventually(lambda: flowers.metric("model_accuracy", source) == 0.75, 90, "the accuracy by outcomes")
    low, high = (flowers.metric(f"model_accuracy_{end}", source) for end in ("low", "high"))
    assert low is not None
    assert high is not None
    assert 0.5 < low < 0.75 < high < 0.9
    assert flowers.metric("model_accuracy", 'source="estimated"') is not None


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


def test_the_next_version_learns_from_outcomes(flowers: Flowers, mlflow: MlflowClient) -> None:
    flowers.model.patch(dataset={"includeFeedback": True})
    training = lambda: flowers.model.status.get("training", {})  # noqa: E731
    eventually(lambda: training().get("version") == "2", TRAINING, "version 2 to be registered")
    registered = mlflow.get_model_version(f"{flowers.model.namespace}.iris", "2")
    rows = mlflow.get_run(str(registered.run_id)).data.params["rows"]
    assert int(rows) == 150 + REPORTED
