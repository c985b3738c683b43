"""The iris example with its prediction log, in a namespace that `kubectl heart` made ready."""

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.kit import (
    HTTP,
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

FLOWER = {"sepal_length_cm": 5.1, "sepal_width_cm": 3.5, "petal_length_cm": 1.4, "petal_width_cm": 0.2}


@dataclass(frozen=True)
class Flowers:
    """The iris example with one pod, whose metrics are the model's."""

    model: Model
    address: str
    proxy: str

    def predict(self, site: str = "") -> dict[str, str]:
        """What names the prediction when its outcome is reported. `site`: a label that is logged with it."""
        headers = {"X-HeartOps-Labels": f"site={site}"} if site else {}
        reply = HTTP.post(f"{self.address}/predict", json=FLOWER, headers=headers)
        assert reply.status_code == 200, reply.text
        answer = reply.json()
        return {"request_id": answer["request_id"], "proof": answer["proof"]}

    def report(self, *predictions: dict[str, str], outcome: str) -> dict[str, int]:
        body = [prediction | {"outcome": outcome} for prediction in predictions]
        reply = HTTP.post(f"{self.address}/feedback", json=body)
        assert reply.status_code == 202, reply.text
        return reply.json()

    def metric(self, name: str, label: str = "") -> float | None:
        text = HTTP.get(f"{self.model.management(self.proxy)}/metrics").text
        found = re.search(rf"^{name}\{{[^}}]*{label}[^}}]*\}} (\S+)$", text, re.M)
        return float(found[1]) if found else None

    def written(self, rows: int, seconds: float = 60) -> None:
        eventually(lambda: self.metric("prediction_log_written_total") == rows, seconds, f"{rows} rows to be written")


@contextmanager
def logged_flowers(proxy: str) -> Iterator[Flowers]:
    """Serving its first version."""
    name = f"e2e-{uuid.uuid4().hex[:6]}"
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    command = (sys.executable, "-m", "heart_cli", "init-namespace", name, "--system-namespace", SYSTEM)
    subprocess.run(command, cwd=ROOT, check=True)
    manifest = example("iris", name)
    manifest["spec"]["serving"] = {"replicas": 1, "predictionLog": {"labels": ["site"]}}
    model = declare(manifest)
    try:
        model.wait_serving("1", TRAINING)
        yield Flowers(model, model.address(proxy), proxy)
    finally:
        run_kubectl("delete", "heartmodels", "--all", "-n", name)
        kubectl("delete", "namespace", name, "--wait=false")
