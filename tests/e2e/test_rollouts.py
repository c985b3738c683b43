"""Versions come and go under load, and no request is lost: promotion, restarts, refusal, the end."""

import time

import pytest

from tests.e2e.canaries import CONNECTION_AGE
from tests.e2e.kit import (
    MONITORING_KINDS,
    PATIENTS,
    TRAINING,
    Model,
    Object,
    eventually,
    has_monitoring,
    kubectl,
)
from tests.e2e.traffic import Traffic, traffic
from tests.support.soak import SOAK

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def heart_training() -> Object:
    """The model's quality is not what is tested here; the Job finds room beside others."""
    resources = {"requests": {"cpu": "50m", "memory": "384Mi"}}
    return {"algorithms": ["logistic-regression"], "tuning": {"trials": 1}, "resources": resources}


def test_a_new_version_takes_over_without_a_failed_request(heart: Model, images: dict[str, str]) -> None:
    """Keep-alive and new connections; every request counts."""
    with traffic(heart, PATIENTS[:1], images["serving"]) as load:
        heart.patch(training={"seed": 7})
        heart.wait_serving("2", TRAINING)
        # Serving closes connections after about ten seconds: by then everybody has come over.
        eventually(lambda: load.count() or load.answered.get("2", 0) > 200, 60, "answers by version 2")
    assert load.failures == []
    assert load.failed == 0
    assert set(load.answered) == {"1", "2"}
    assert heart.status["previous"]["version"] == "1"


def test_pods_that_go_lose_no_request(heart: Model, images: dict[str, str]) -> None:
    """Deleted or evicted: each ends what it has begun. New ones load from a sibling or MLflow."""
    with traffic(heart, PATIENTS[:1], images["serving"]) as load:
        deleted, evicted = heart.pods("2")
        heart.replace_pod("2", deleted)
        heart.replace_pod("2", evicted, evict=True)
        load.wait_for_more()
    assert load.failures == []
    assert load.failed == 0


@pytest.mark.skipif(not SOAK, reason="a few of them are in test_canary; make test-soak")
def test_many_rollouts_and_rollbacks_lose_no_request(heart: Model, images: dict[str, str]) -> None:
    """Both versions are warm."""
    with traffic(heart, PATIENTS[:1], images["serving"]) as load:
        for version, other in (("1", "2"), ("2", "1")) * 20:
            heart.patch(version=int(version))
            heart.wait_serving(version, 60)
            check_gone(load, other, time.time() + CONNECTION_AGE)
        heart.patch(version="latest")
    assert load.failures == []
    assert load.failed == 0


def check_gone(load: Traffic, version: str, since: float) -> None:
    """Nothing of the version from then on, when all its connections are closed."""

    def later() -> bool:
        load.count()
        return max(load.latest.values()) > since

    eventually(later, 60, "answers after that")
    assert load.latest[version] <= since


def test_a_version_that_fails_its_gate_is_never_served(heart: Model, images: dict[str, str], proxy: str) -> None:
    """The old one goes on; a person who lowers the gate gets the refused version without another training."""
    with traffic(heart, PATIENTS[:1], images["serving"]) as load:
        heart.patch(training={"seed": 8}, gates={"checks": [{"metric": "roc_auc", "min": 0.99}]})
        rejected = eventually(lambda: heart.status.get("rejected"), TRAINING, "status.rejected")
        heart.wait("GatePassed", "False", 30, reason="GateFailed")
        load.wait_for_more()
    assert load.failures == []
    assert set(load.answered) == {"2"}
    assert rejected[0]["version"] == "3"
    assert rejected[0]["reason"] == "GateFailed"
    assert "roc_auc" in rejected[0]["message"]
    assert "0.99" in rejected[0]["message"]
    assert heart.condition("Available")["status"] == "True"
    job = heart.status["training"]["job"]
    heart.patch(gates={"checks": [{"metric": "roc_auc", "min": 0.5}]})
    heart.wait_serving("3", 240)
    assert heart.status["training"]["job"] == job
    assert heart.predict(proxy, PATIENTS[0]).json()["model_version"] == "3"


def test_deleting_the_model_collects_every_child(heart: Model) -> None:
    uids = {child["metadata"]["uid"] for child in heart.children()}
    assert uids
    kubectl("delete", "heartmodel", heart.name, "-n", heart.namespace)
    eventually(lambda: not heart.children(), 90, "every child to be gone")
    if has_monitoring():
        eventually(lambda: not heart.children(MONITORING_KINDS), 30, "ServiceMonitor and PrometheusRule to be gone")
