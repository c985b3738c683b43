"""The load as a pod beside the model, and what it counted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.kit import Model, Object, apply, eventually, get, kubectl

SCRIPT = Path(__file__).with_name("load.py")
NAME = "load"
LONGEST, RATE = 420, 15
"""Seconds after which it ends by itself; requests per second of each of its two workers."""


@dataclass
class Traffic:
    """Filled when the load has ended."""

    model: Model
    answered: dict[str, int] = field(default_factory=dict)
    failed: int = -1
    failures: list[str] = field(default_factory=list)

    def look(self) -> None:
        lines = kubectl("logs", NAME, "-n", self.model.namespace, "--tail=1").strip()
        if lines:
            counts = json.loads(lines.splitlines()[-1])
            self.answered, self.failed, self.failures = counts["answered"], counts["failed"], counts["failures"]

    @property
    def total(self) -> int:
        return sum(self.answered.values())

    def wait_for_more(self, more: int = 60, seconds: float = 60) -> None:
        """Until that many further requests have been answered."""
        self.look()
        wanted = self.total + more

        def enough() -> bool:
            self.look()
            return self.total >= wanted

        eventually(enough, seconds, f"{more} more answers under load")


@contextmanager
def traffic(model: Model, record: Any, image: str) -> Iterator[Traffic]:
    """Steady requests while the block runs."""
    apply(*_objects(model, record, image))
    counted = Traffic(model)
    try:
        eventually(lambda: _started(model), 60, "the load's pod to run")
        counted.wait_for_more(20)
        yield counted
        counted.wait_for_more(20)
    finally:
        for kind in ("pod", "configmap"):
            kubectl("delete", kind, NAME, "-n", model.namespace, "--grace-period=0", "--force", "--ignore-not-found")


def _started(model: Model) -> bool:
    return get("pod", NAME, "-n", model.namespace).get("status", {}).get("phase") == "Running"


def _objects(model: Model, record: Any, image: str) -> tuple[Object, Object]:
    metadata = {"name": NAME, "namespace": model.namespace}
    files = {"load.py": SCRIPT.read_text(), "body.json": json.dumps(record)}
    url = f"http://{model.name}.{model.namespace}.svc/predict"
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/load/load.py", url, str(LONGEST), str(RATE)],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "load", "mountPath": "/load", "readOnly": True}],
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": security,
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": NAME}}],
    }
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    )
