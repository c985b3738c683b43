"""What everybody leans on goes away for a while, or is exchanged: these tests wait until all others are done."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.flowers import FLOWER, Flowers
from tests.e2e.kit import RELEASE, ROOT, SYSTEM, Model, eventually, items, kubectl, require
from tests.e2e.release import another_name, apply_crds, helm_upgrade, leading_image
from tests.e2e.traffic import RATE, traffic
from tests.support.soak import SOAK

pytestmark = [pytest.mark.timeout(1800), pytest.mark.outage]
OUTAGE = 60 if SOAK else 10
"""Seconds, from when the database is gone."""
DATABASE = f"statefulset/{RELEASE}-postgresql"


def test_a_while_without_the_database_costs_neither_predictions_nor_rows(flowers: Flowers) -> None:
    before = flowers.metric("prediction_log_written_total") or 0
    known = flowers.predict()
    kubectl("scale", DATABASE, "-n", SYSTEM, "--replicas=0")
    try:
        kubectl("wait", "--for=delete", f"pod/{RELEASE}-postgresql-0", "-n", SYSTEM, "--timeout=90s")
        sent = predict_for(flowers, OUTAGE)
        eventually(lambda: flowers.metric("prediction_log_write_errors_total"), 60, "the outage to be noticed")
        rejected = httpx.post(f"{flowers.address}/feedback", json=known | {"outcome": "setosa"}, timeout=60)
        assert rejected.status_code == 503
    finally:
        kubectl("scale", DATABASE, "-n", SYSTEM, "--replicas=1")
        kubectl("rollout", "status", DATABASE, "-n", SYSTEM, "--timeout=180s")
    flowers.written(int(before) + 1 + sent, 120)
    assert flowers.metric("prediction_log_dropped_total", 'reason="queue_full"') == 0


def predict_for(flowers: Flowers, seconds: float) -> int:
    """About twice a second; how many. Raises when one fails."""
    began, sent = time.monotonic(), 0
    while time.monotonic() < began + seconds:
        flowers.predict()
        sent += 1
        time.sleep(0.5)
    return sent


def test_without_mlflow_predictions_go_on_and_pods_start(flowers: Flowers, images: dict[str, str]) -> None:
    """A new pod fetches the model from a sibling; the condition says what is missing, until it is back."""
    served = flowers.model
    served.patch(serving={"replicas": 2})
    eventually(lambda: sum(served.pods("1").values()) == 2, 120, "a sibling")
    with stopped("mlflow"), traffic(served, [FLOWER], images["serving"]) as load:
        served.wait("Progressing", "Unknown", 60, reason="RegistryUnavailable")
        served.replace_pod("1", next(iter(served.pods("1"))))
        load.wait_for_more()
        assert served.condition("Available")["status"] == "True"
    assert load.failures == []
    eventually(lambda: served.condition("Progressing").get("reason") != "RegistryUnavailable", 120, "MLflow to be seen")


@pytest.mark.skipif(not SOAK, reason="half a minute of nothing; in make test-soak")
def test_without_operator_api_server_and_etcd_predictions_go_on(flowers: Flowers, images: dict[str, str]) -> None:
    cluster = os.environ.get("HEARTOPS_CLUSTER", "")
    require(bool(cluster), "control plane that can be stopped")
    served, seconds = flowers.model, 30
    freeze = (sys.executable, "-m", "hack.cluster", "freeze", "--name", cluster, "--seconds", str(seconds))
    with stopped("operator"), traffic(served, [FLOWER], images["serving"]) as load:
        load.count()
        before = load.total
        subprocess.run([*freeze, "etcd", "kube-apiserver"], cwd=ROOT, check=True, timeout=120)
        load.wait_for_more(1)
        assert load.total - before > seconds * RATE
    assert load.failures == []
    served.wait("Ready", "True", 120)


def test_an_upgrade_and_its_way_back_touch_no_pod(flowers: Flowers, images: dict[str, str]) -> None:
    """By the commands of docs/upgrading.md. What runs keeps its image; the next version gets the new one."""
    served, old = flowers.model, {name: images[name] for name in ("operator", "serving")}
    new = {name: another_name(reference) for name, reference in old.items()}
    with traffic(served, [FLOWER], images["serving"]) as load:
        before = untouched(served)
        assert len(before) > 1
        for further, release in ((True, new), (False, old)):
            apply_crds(of_another_release=further)
            helm_upgrade(release, "--reset-then-reuse-values")
            eventually(lambda release=release: leading_image() == release["operator"], 90, f"{release} to lead")
            served.patch(suspend=further)
            eventually(lambda now=further: is_suspended(served) == now, 60, f"it to act: suspend={further}")
            load.wait_for_more()
        assert untouched(served) == before
    assert load.failures == []


def untouched(model: Model) -> dict[str, int]:
    """Each Deployment's generation, each serving pod's restarts; by uid."""
    label = "app.kubernetes.io/component"
    pods = [pod for pod in model.children("pods") if pod["metadata"]["labels"].get(label) == "serving"]
    restarts = {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}
    living = (each["metadata"] for each in model.children("deployments"))
    return restarts | {meta["uid"]: meta["generation"] for meta in living}


def is_suspended(model: Model) -> bool | None:
    """By what the operator says of the living generation."""
    reason = model.condition("Ready").get("reason")
    return None if reason is None else reason == "Suspended"


@contextmanager
def stopped(component: str) -> Iterator[None]:
    """A Deployment of the product without pods."""
    deployment = ("deployment", f"{RELEASE}-{component}", "-n", SYSTEM)
    kubectl("scale", *deployment, "--replicas=0")
    pods = ("pods", "-n", SYSTEM, "-l", f"app.kubernetes.io/component={component}")
    eventually(lambda: not items(*pods), 60, f"{component} to stop")
    try:
        yield
    finally:
        kubectl("scale", *deployment, "--replicas=1")
        kubectl("rollout", "status", *deployment, "--timeout=180s")
