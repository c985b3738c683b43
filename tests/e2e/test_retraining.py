"""The loop on a node: quiet traffic trains nothing; shifted traffic is noticed, learnt, rolled out, and quiet again.

In the chart's own namespace, whose Secret names the prediction log's database. Windows are a minute long and looked at
every minute, so that a test can wait for two that do not overlap.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from heart_trainer.data.sources.cohort import DRIFTING, heart_cohort
from tests.e2e.kit import SYSTEM, TRAINING, Model, Object, apply, declare, eventually, example, get, kubectl
from tests.support.soak import SOAK

pytestmark = [
    pytest.mark.timeout(2400),
    pytest.mark.skipif(not SOAK, reason="eight minutes: in make test-soak"),
]

NAME = "heart-drift"
EVERY_MINUTE = "* * * * *"
SETTLED = 400
"""Seconds for two windows and the looks at them, on a busy node."""


@dataclass
class Patients:
    """Sends patients of the cohort until it is stopped; `known`: what became of them, too."""

    address: str
    shift: float
    rows: int
    known: bool
    problems: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        seed = int(self.shift * 1000)
        while not self.stop.wait(10):
            seed += 1
            try:
                self.send(seed)
            except httpx.HTTPError as error:
                self.problems.append(f"{type(error).__name__}: {error}")

    def send(self, seed: int) -> None:
        records = cohort(self.rows, seed, self.shift)
        outcomes = ["disease" if record.pop("num") > 0 else "no disease" for record in records]
        found = [plain(record) for record in records]
        answer = httpx.post(f"{self.address}/predict", json=found, timeout=30).raise_for_status().json()
        if self.known:
            given = {"request_id": answer["request_id"], "proof": answer["proof"]}
            told = [given | {"row": row, "outcome": outcome} for row, outcome in enumerate(outcomes)]
            httpx.post(f"{self.address}/feedback", json=told, timeout=30).raise_for_status()


def cohort(rows: int, seed: int, shift: float) -> list[dict[str, Any]]:
    """The same patients; only the columns of DRIFTING are measured elsewhere, by `shift` standard deviations."""
    frame = heart_cohort(rows, seed)
    frame[list(DRIFTING)] = heart_cohort(rows, seed, shift)[list(DRIFTING)]
    found: list[dict[str, Any]] = frame.to_dict("records")
    return found


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """As JSON has it; the contract calls two columns booleans."""
    values = {name: value.item() if hasattr(value, "item") else value for name, value in record.items()}
    return values | {name: bool(values[name]) for name in ("fbs", "exang")}


@contextmanager
def sending(address: str, *, shift: float, rows: int, known: bool = False) -> Iterator[Patients]:
    patients = Patients(address, shift, rows, known)
    thread = threading.Thread(target=patients.run, daemon=True)
    thread.start()
    try:
        yield patients
    finally:
        patients.stop.set()
        thread.join()


@pytest.fixture(scope="module")
def heart(product: None) -> Iterator[Model]:
    manifest = example(NAME, SYSTEM)
    manifest["spec"]["dataset"]["uri"] = "builtin://heart-synthetic?rows=300"
    manifest["spec"]["training"] = {"algorithms": ["logistic-regression"], "tuning": {"trials": 0}}
    manifest["spec"]["serving"] = {"replicas": 1}
    model = declare(manifest)
    try:
        model.wait_serving("1", TRAINING)
        drift = {"schedule": EVERY_MINUTE, "window": "1m", "minSamples": 100, "threshold": 0.25}
        metadata = {"name": NAME, "namespace": SYSTEM}
        kind = {"apiVersion": "heartops.dev/v1alpha1", "kind": "RetrainSchedule"}
        apply(kind | {"metadata": metadata, "spec": {"modelName": NAME, "drift": drift, "cooldown": "2h"}})
        yield model
    finally:
        kubectl("delete", "retrainschedule,heartmodel", NAME, "-n", SYSTEM, "--ignore-not-found")


def status() -> Object:
    return get("retrainschedule", NAME, "-n", SYSTEM).get("status", {})


def finding(verdict: str, version: str) -> Object:
    """The newest look, when both its windows were full and it came to this verdict about this version."""
    found = status().get("lastDrift", {})
    full = found.get("samples", 0) >= 100 and found.get("samplesBefore", 0) >= 100
    return found if full and (found.get("verdict"), found.get("version")) == (verdict, version) else {}


def test_quiet_traffic_trains_nothing(heart: Model, proxy: str) -> None:
    with sending(heart.address(proxy), shift=0, rows=50) as patients:
        eventually(lambda: finding("NoDrift", "1"), SETTLED, "a quiet look at two full windows", 5)
    assert patients.problems == []
    assert status().get("runs", []) == []


def test_shifted_traffic_is_learnt_and_quiet_again(heart: Model, proxy: str) -> None:
    with sending(heart.address(proxy), shift=1.5, rows=300, known=True) as patients:
        found = eventually(lambda: finding("Drift", "1"), SETTLED, "drift in two windows", 5)
        confirmed = {entry["name"] for entry in found["features"] if entry.get("confirmed")}
        assert confirmed == set(DRIFTING)
        assert found["report"].startswith("runs:/")
        heart.wait_serving("2", TRAINING)
        eventually(lambda: finding("NoDrift", "2"), SETTLED, "a quiet look at the new version", 5)
    assert patients.problems == []
    (run,) = status()["runs"]
    assert (run["cause"], run["phase"], run["version"], run["gate"]) == ("Drift", "Succeeded", "2", "GatePassed")
    assert heart.status["training"]["job"] == run["job"]
