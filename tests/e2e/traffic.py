"""The load as a pod beside the model, and what it counted."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.kit import Model, Object, apply, eventually, get, kubectl

SCRIPT = Path(__file__).with_name("load.py")
LONGEST, RATE = 900, 15
"""Seconds after which it ends by itself; requests per second of each of its two workers, where nothing else is said."""


def load_name(model: Model) -> str:
    """Of its pod and its ConfigMap."""
    return f"load-{model.name}"


@dataclass
class Traffic:
    """What was counted until the last look."""

    model: Model
    answered: dict[str, int] = field(default_factory=dict)
    """Answers by version."""
    latest: dict[str, float] = field(default_factory=dict)
    """When each version answered last, in seconds since the epoch."""
    failed: int = -1
    failures: list[str] = field(default_factory=list)

    def count(self) -> None:
        lines = kubectl("logs", load_name(self.model), "-n", self.model.namespace, "--tail=1").strip()
        if lines:
            counts = json.loads(lines.splitlines()[-1])
            self.answered, self.latest = counts["answered"], counts["latest"]
            self.failed, self.failures = counts["failed"], counts["failures"]

    @property
    def total(self) -> int:
        return sum(self.answered.values())

    def wait_for_more(self, more: int = 60, seconds: float = 60) -> None:
        """Until that many further requests have been answered."""
        self.count()
        wanted = self.total + more

        def enough() -> bool:
            self.count()
            return self.total >= wanted

        eventually(enough, seconds, f"{more} more answers under load")


@contextmanager
def traffic(model: Model, records: Sequence[Any], image: str, rate: int = RATE) -> Iterator[Traffic]:
    """Steady requests while the block runs, one record each, in turn."""
    apply(*_objects(model, records, image, rate))
    counted = Traffic(model)
    try:
        eventually(lambda: _started(model), 60, "the load's pod to run")
        counted.wait_for_more(20)
        yield counted
        counted.wait_for_more(20)
    finally:
        for kind in ("pod", "configmap"):
            name, options = load_name(model), ("--grace-period=0", "--force", "--ignore-not-found")
            kubectl("delete", kind, name, "-n", model.namespace, *options)


def _started(model: Model) -> bool:
    return get("pod", load_name(model), "-n", model.namespace).get("status", {}).get("phase") == "Running"


def _objects(model: Model, records: Sequence[Any], image: str, rate: int) -> tuple[Object, Object]:
    name = load_name(model)
    metadata = {"name": name, "namespace": model.namespace}
    files = {"load.py": SCRIPT.read_text(), "bodies.json": json.dumps(list(records))}
    url = f"http://{model.name}.{model.namespace}.svc/predict"
    container = {
        "name": "load",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/load/load.py", url, str(LONGEST), str(rate)],
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
        "volumes": [{"name": "load", "configMap": {"name": name}}],
    }
    return (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
    )
