"""The prediction log: outcomes become live quality, and the next version learns from them."""

import pytest
from mlflow import MlflowClient

from tests.e2e.flowers import Flowers
from tests.e2e.kit import TRAINING, eventually

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
