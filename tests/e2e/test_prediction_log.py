"""The prediction log: outcomes become live quality, and the next version learns from them."""

import json
import os
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from tests.e2e.flowers import Flowers
from tests.e2e.kit import ROOT, SYSTEM, TRAINING, Model, eventually

pytestmark = pytest.mark.timeout(1200)
REPORTED = 40


def test_outcomes_become_live_quality(flowers: Flowers) -> None:
    given = [flowers.predict() for _ in range(REPORTED)]
    flowers.written(REPORTED)
    assert flowers.report(*given[:30], outcome="setosa")["new"] == 30
    assert flowers.report(*given, outcome="setosa") == {"new": 10, "corrected": 0, "unchanged": 30, "conflicts": 0}
    assert flowers.report(*given[:10], outcome="virginica")["corrected"] == 10
    source = 'source="feedback"'
    eventually(lambda: flowers.metric("model_accuracy", source) == 0.75, 90, "the accuracy by outcomes")
    low, high = (flowers.metric(f"model_accuracy_{end}", source) for end in ("low", "high"))
    assert low is not None
    assert high is not None
    assert 0.5 < low < 0.75 < high < 0.9
    assert flowers.metric("model_accuracy", 'source="estimated"') is not None


def test_a_check_on_demand_looks_at_one_site_and_the_history_has_every_decision(flowers: Flowers) -> None:
    """In the Job's pod, with the namespace's login; and in the namespace's workspace of MLflow."""
    before = int(flowers.metric("prediction_log_written_total") or 0)
    for index in range(50):
        flowers.predict("hospital-01" if index % 2 else "hospital-02")
    flowers.written(before + 50)
    options = ("--where", "site=hospital-01", "--from", "5m", "--min-samples", "20", "--timeout", "5m")
    done = heart("check", flowers.model, *options)
    assert done.returncode == 5, done.stderr
    assert "25 predictions of version 1" in done.stdout
    assert "does not confirm" in done.stdout or "to confirm it" in done.stdout
    assert flowers.model.status["training"]["version"] == "1", "nothing is retrained"

    def told() -> set[str]:
        listed = heart("history", flowers.model, "--all", "--system-namespace", SYSTEM, "-o", "json")
        if listed.returncode:
            print(listed.stderr)  # MLflow may be slow to answer: asked again
            return set()
        return {entry["type"] for entry in json.loads(listed.stdout)["history"]}

    eventually(lambda: {"trained", "gated", "promoted"} <= told(), 60, "the history in MLflow", every=2)
    eventually(lambda: "outbox" not in flowers.model.status, 60, "an empty outbox")


def heart(command: str, model: Model, *options: str) -> subprocess.CompletedProcess[str]:
    """As somebody whose shell names no MLflow: `history --all` finds HeartOps' own."""
    words = (sys.executable, "-m", "heart_cli", command, model.name, "-n", model.namespace, *options)
    shell = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return subprocess.run(words, cwd=ROOT, env=shell, capture_output=True, text=True, check=False, timeout=400)


def test_the_next_version_learns_from_outcomes(
    flowers: Flowers, mlflow: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_WORKSPACE", flowers.model.namespace)  # other tests have made namespaces since
    flowers.model.patch(dataset={"includeFeedback": True})
    training = lambda: flowers.model.status.get("training", {})  # noqa: E731
    eventually(lambda: training().get("version") == "2", TRAINING, "version 2 to be registered")
    registered = mlflow.get_model_version("iris", "2")
    rows = mlflow.get_run(str(registered.run_id)).data.params["rows"]
    assert int(rows) == 150 + REPORTED
