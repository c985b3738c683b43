"""Autoscaling on predictions per second: more pods under load, fewer after it, and not one request fails.

prometheus-adapter answers the autoscaler from the pods' own counters. Two minutes: in `make test-soak`.
"""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.e2e.kit import ROOT, Model, declare, eventually, example, has_monitoring, read, require
from tests.e2e.traffic import traffic
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(not SOAK, reason="minutes; in make test-soak"),
]

FLOWER = {"sepal_length_cm": 5.1, "sepal_width_cm": 3.5, "petal_length_cm": 1.4, "petal_width_cm": 0.2}
BATCH = [FLOWER] * 10
"""Ten predictions in one request: predictions are what counts."""
TARGET = 40
"""Predictions per second of a pod. The load below is two workers, three requests per second each: 60 in all."""
RATE = 3
METRIC = "apis/custom.metrics.k8s.io/v1beta2/namespaces/{}/pods/*/predictions_per_second"


@pytest.fixture(scope="module")
def adapter() -> None:
    """On the cluster tool's own node it is added; another cluster has one, or does without this test."""
    require(has_monitoring(), "Prometheus Operator")
    if name := os.environ.get("HEARTOPS_CLUSTER"):
        command = (sys.executable, "-m", "hack.cluster", "adapter", "--name", name)
        subprocess.run(command, cwd=ROOT, check=True)
    require(bool(read("apis/custom.metrics.k8s.io/v1beta2")), "custom metrics API")


@pytest.fixture(scope="module")
def scaled(adapter: None, namespace: str) -> Model:
    """A model of one pod, which may become two, and one again half a minute after the load is gone."""
    manifest = example("iris", namespace)
    manifest["spec"]["training"] = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
    manifest["spec"]["serving"] = {
        "autoscaling": {
            "minReplicas": 1,
            "maxReplicas": 2,
            "targetPredictionsPerSecond": TARGET,
            "scaleDownStabilizationWindow": "15s",
        }
    }
    model = declare(manifest)
    model.wait_serving("1", 300)
    return model


def ready_pods(model: Model) -> int:
    return sum(model.pods("1").values())


def test_pods_follow_the_predictions_and_no_request_fails(
    scaled: Model, images: dict[str, str], measured: Callable[[str], None]
) -> None:
    assert ready_pods(scaled) == 1
    with traffic(scaled, [BATCH], images["serving"], rate=RATE) as heavy:
        eventually(lambda: ready_pods(scaled) == 2, 240, "a second pod under load")
        rates = read(METRIC.format(scaled.namespace))["items"]
        assert sum(quantity(item["value"]) for item in rates) > TARGET
        heavy.wait_for_more(30)
    assert heavy.failed == 0, heavy.failures
    with traffic(scaled, [FLOWER], images["serving"], rate=1) as light:
        eventually(lambda: ready_pods(scaled) == 1, 300, "one pod after the load")
        light.wait_for_more(10)
    assert light.failed == 0, light.failures
    measured(f"autoscaling: {heavy.total + light.total} requests while pods came and went, none failed")


def quantity(text: str) -> float:
    """A metric's value as Kubernetes writes it: `12` or `12500m`."""
    return int(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)
