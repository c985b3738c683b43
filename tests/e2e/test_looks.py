"""What looks at a candidate by other ways: figures from Prometheus, and copies of the stable version's requests."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.e2e.canaries import USUAL, aliases, answering, artifact, brought_up, check_load, cohort, register, retrained
from tests.e2e.kit import RECORDED, TRAINING, Object, declare, eventually, has_monitoring, require
from tests.e2e.traffic import traffic
from tests.support.trainer.faulty_models import is_shifted

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def manifests(namespace: str) -> dict[str, Object]:
    """Declared together: they wait for their Jobs together."""
    found = {"shadow": cohort(namespace, "shadow", steps=[{"pause": {}}], mirror={"percent": 100})}
    found["recorded"] = cohort(namespace, "recorded", steps=[{"setWeight": 50}, {"pause": {"duration": "10s"}}])
    found["recorded"]["spec"]["runtime"] = RECORDED
    for manifest in found.values():
        declare(manifest)
    return found


def test_analysis_by_prometheus(
    manifests: dict[str, Object], proxy: str, images: dict[str, str], mlflow: MlflowClient
) -> None:
    require(has_monitoring(), "Prometheus Operator")
    recorded = brought_up(manifests["recorded"], proxy)
    with traffic(recorded.model, USUAL, images["serving"]) as load:
        retrained(recorded, "2", TRAINING, seed=2)
        recorded.until(lambda status: status.get("candidate", {}).get("analysis"), 180, "an analysis")
        went = recorded.until_serving("2", 240)
        check_load(load, gone="1", since=went)
    eventually(lambda: aliases(mlflow, recorded.model).get("serving") == "2", 30, "the alias serving")


def test_shadow_traffic_reaches_nobody(
    manifests: dict[str, Object], proxy: str, images: dict[str, str], mlflow_uri: str, tmp_path: Path
) -> None:
    """The kubelet brings the switch to the pods within a minute or so."""
    shadow = brought_up(manifests["shadow"], proxy)
    number = register(mlflow_uri, manifests["shadow"], artifact(shadow.model, proxy), is_shifted(20), tmp_path)
    with traffic(shadow.model, USUAL, images["serving"]) as load:
        shadow.until(lambda status: status.get("candidate", {}).get("version") == number, TRAINING, "a candidate")
        mirror = shadow.until(
            lambda status: (found := status.get("candidate", {}).get("mirror", {})).get("different") and found,
            180,
            "answers compared",
        )
        entry = shadow.until_rejected(number, 120)
        check_load(load)
        assert set(load.answered) == {"1"}
    assert answering(shadow.model) == {"1"}
    assert 0 < mirror["different"] <= mirror["compared"]
    assert mirror["maxDifference"] > 0.1
    assert entry["reason"] == "CanaryAnalysisFailed"
    assert "prediction shift" in entry["message"]
    print(mirror, entry)
