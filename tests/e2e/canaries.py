"""Canaries on the node: small models whose versions people retrain, register by hand, and take back."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from mlflow import MlflowClient

from heart_api.names import Annotation
from heart_model.model import read_package
from heart_model.onnxfile import inspect_onnx
from heart_trainer.by_hand import Rows, package_and_register, read_rows
from heart_trainer.fit.onnx_export import attach_package
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.registry import create_version
from heart_trainer.mlflow.tracking import log_model
from heart_trainer.package.reference_rows import reference_rows
from tests.e2e.kit import HTTP, TRAINING, Model, Object, declare, eventually, read, run_kubectl
from tests.e2e.traffic import Traffic
from tests.support.trainer.faulty_models import Fault, with_fault

FEATURES = [
    {"name": "age", "type": "number", "minimum": 0, "maximum": 120},
    {"name": "sex", "type": "category", "values": [0, 1]},
    {"name": "oldpeak", "type": "number", "minimum": 0, "maximum": 10},
]
USUAL = [{"age": 41 + 3 * i, "sex": i % 2, "oldpeak": i % 4} for i in range(10)]
OLD = [{"age": 101 + i, "sex": i % 2, "oldpeak": i % 4} for i in range(10)]
"""Within the contract; nobody in the dataset is older than 95."""
EVERY_SECOND, ONE_IN_SEVEN, ONE_IN_TWENTY = 100.5, 107.5, 109.5
"""Ages above which so many of USUAL and OLD together are."""
CONNECTION_AGE = 12
"""Seconds after which serving has closed every connection: 10, give or take a fifth."""


def cohort(namespace: str, name: str, *, replicas: int = 1, **rollout: Any) -> Object:
    """A HeartModel that is trained in seconds, with looks every five. Its Jobs find room on a node of two cores."""
    analysis = {"interval": "5s", "minRequests": 30, "failureLimit": 1, "maxLatencyP95": "2s"}
    spec = {
        "dataset": {"uri": "builtin://heart-synthetic?rows=300&seed=3"},
        "target": {"name": "num", "positiveAbove": 0},
        "features": FEATURES,
        "versionsFromOutside": "Adopt",
        "training": {
            "algorithms": ["logistic-regression"],
            "tuning": {"trials": 0},
            "crossValidation": {"folds": 2},
            "seed": 1,
            "resources": {"requests": {"cpu": "50m", "memory": "384Mi"}},
        },
        "serving": {"replicas": replicas},
        "rollout": {"analysis": analysis | rollout.pop("analysis", {}), "readyDeadline": "90s", **rollout},
    }
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "heartops.dev/v1alpha1", "kind": "HeartModel", "metadata": meta, "spec": spec}


@dataclass(frozen=True)
class Watched:
    """A HeartModel that is looked at often."""

    model: Model
    proxy: str

    @property
    def status(self) -> Object:
        return self.model.status

    @property
    def candidate(self) -> Object:
        return self.status.get("candidate") or {}

    @property
    def serving(self) -> str:
        return self.status.get("serving", {}).get("version", "")

    def until(self, check: Callable[[Object], Any], seconds: float, what: str) -> Any:
        """The first true value of `check(status)`."""
        return eventually(lambda: check(self.status), seconds, f"{self.model.name}: {what}", every=0.3)

    def until_serving(self, version: str, seconds: float) -> float:
        """The time from which on only that version's pods get requests."""
        self.until(lambda status: status.get("serving", {}).get("version") == version, seconds, f"version {version}")
        eventually(lambda: answering(self.model) == {version}, 60, f"only version {version} behind the Service", 0.3)
        return time.time()

    def until_asked(self, version: str, seconds: float) -> Object:
        """The candidate once it gets requests."""

        def asked(status: Object) -> Object:
            found = status.get("candidate") or {}
            return found if found.get("version") == version and found.get("actualWeight") else {}

        found: Object = self.until(asked, seconds, f"requests for version {version}")
        return found

    def until_rejected(self, version: str, seconds: float) -> Object:
        """Its entry in status.rejected."""

        def rejected(status: Object) -> Object:
            return next((entry for entry in status.get("rejected", []) if entry["version"] == version), {})

        found: Object = self.until(rejected, seconds, f"the refusal of version {version}")
        return found


def brought_up(manifest: Object, proxy: str) -> Watched:
    model = declare(manifest)
    model.wait_serving("1", TRAINING)
    return Watched(model, proxy)


def check_load(load: Traffic, gone: str = "", since: float = 0) -> None:
    """Every request was answered, and the version that went answered none once its connections were closed."""
    load.wait_for_more(40)
    assert load.failures == []
    assert load.failed == 0
    assert load.latest.get(gone, 0) <= since + CONNECTION_AGE


def answering(model: Model) -> set[str]:
    """Versions whose pods the model's Service reaches."""
    path = f"apis/discovery.k8s.io/v1/namespaces/{model.namespace}/endpointslices"
    slices = read(path, labelSelector=f"kubernetes.io/service-name={model.name}")["items"]
    ends = [end for each in slices for end in each.get("endpoints") or [] if end["conditions"].get("ready")]
    return {end["targetRef"]["name"].removeprefix(f"{model.name}-v").split("-")[0] for end in ends}


def heart(model: Model, action: str, *words: str) -> str:
    """`kubectl heart ACTION`, as a person types it; what it prints."""
    done = run_heart(model, action, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_heart(model: Model, action: str, *words: str) -> subprocess.CompletedProcess[str]:
    return run_kubectl("heart", action, model.name, "-n", model.namespace, *words)


def tell_as(model: Model, who: str, command: str) -> subprocess.CompletedProcess[str]:
    """The annotations of a command, in somebody's name."""
    said = (f"{Annotation.COMMAND}={command}", f"{Annotation.COMMAND_BY}={who}")
    return run_kubectl("annotate", "--overwrite", "heartmodel", model.name, "-n", model.namespace, *said)


def retrained(watched: Watched, version: str, seconds: float, **training: Any) -> None:
    """Another version by another seed."""
    watched.model.patch(training=training)
    watched.until(lambda status: status["training"].get("version") == version, seconds, f"training of {version}")


def artifact(model: Model, proxy: str) -> bytes:
    """The ONNX file that serves."""
    digest = model.status["serving"]["digest"].removeprefix("sha256:")
    return HTTP.get(f"{model.management(proxy)}/artifacts/{digest}").raise_for_status().content


def rows_of(manifest: Object, folder: Path) -> Rows:
    path = folder / f"{manifest['metadata']['name']}.yaml"
    path.write_text(yaml.safe_dump(manifest))
    return read_rows(path)


def register(uri: str, manifest: Object, clean: bytes, fault: Fault, folder: Path) -> str:
    """By hand: the version that serves with a fault in it; the new version's number."""
    return package_and_register(with_fault(clean, fault), rows_of(manifest, folder), uri)


def register_unchecked(uri: str, manifest: Object, clean: bytes, fault: Fault, folder: Path) -> str:
    """The same by somebody's own script, which looks at nothing."""
    faulty, rows = with_fault(clean, fault), rows_of(manifest, folder)
    package = read_package(inspect_onnx(clean))
    package = package.model_copy(update={"reference": reference_rows(faulty, rows.table)})
    name, store = rows.request.registry_name, Store(uri)
    with store.run(store.experiment(name), "by-hand", {}) as run_id:
        model_id = log_model(store, run_id, attach_package(faulty, package), rows.table)
        return create_version(store, name, run_id, model_id, tags={})


def aliases(mlflow: MlflowClient, model: Model) -> dict[str, str]:
    found = mlflow.get_registered_model(model.name).aliases
    return {alias: str(version) for alias, version in found.items()}
