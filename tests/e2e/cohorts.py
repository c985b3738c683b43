"""The synthetic cohort as Parquet files on a volume, and a model that is trained on them in chunks."""

import base64
import io
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from heart_trainer.data.sources.cohort import COLUMNS, heart_cohort
from tests.e2e.kit import Model, Object, apply, declare, items, kubectl

CLAIM, LOADER = "cohort", "loader"
CATEGORIES = {"cp": [1, 2, 3, 4], "restecg": [0, 1, 2], "slope": [1, 2, 3], "thal": [3, 6, 7]}
GROUP = 250_000
"""Rows that are made at a time."""


def writer_of_claim(namespace: str, image: str) -> Callable[[str, bytes], None]:
    """Creates the claim and a pod that mounts it; what is returned writes a file into the claim."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM, "namespace": namespace},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "4Gi"}}},
    }
    apply(claim, loader(namespace, image))
    kubectl("wait", f"pod/{LOADER}", "-n", namespace, "--for=condition=Ready", "--timeout=120s")

    def write(path: str, content: bytes) -> None:
        words = ("sh", "-c", f"mkdir -p $(dirname /data/{path}) && base64 -d > /data/{path}")
        kubectl("exec", "-i", LOADER, "-n", namespace, "--", *words, stdin=base64.b64encode(content).decode())

    return write


def loader(namespace: str, image: str) -> Object:
    container = {
        "name": "loader",
        "image": image,
        "command": ["sleep", "3600"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    profile = {"seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True, "runAsUser": 65532}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": LOADER, "namespace": namespace},
        "spec": {
            "securityContext": {**profile, "fsGroup": 65532},
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}],
        },
    }


def parquet(rows: int, seed: int = 0) -> bytes:
    """The synthetic cohort in row groups."""
    stream = io.BytesIO()
    writer = None
    for start in range(0, rows, GROUP):
        frame: pd.DataFrame = heart_cohort(min(GROUP, rows - start), seed=seed + start)
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(stream, table.schema)
        writer.write_table(table, row_group_size=max(rows // 8, 1000))
    assert writer is not None
    writer.close()
    return stream.getvalue()


def large_model(namespace: str, name: str, uri: str, training: Object) -> Object:
    features = [
        {"name": each, "type": "category", "values": CATEGORIES[each]}
        if each in CATEGORIES
        else {"name": each, "type": "number", "required": False}
        for each in COLUMNS
    ]
    spec = {
        "dataset": {"uri": uri, "format": "parquet"},
        "target": {"name": "num", "positiveAbove": 0},
        "features": features,
        "training": {"algorithms": ["xgboost"], "tuning": {"trials": 0}, "timeoutSeconds": 1200, **training},
        "gates": {"checks": [{"metric": "roc_auc", "min": 0.7}]},
        "serving": {"replicas": 1},
        "rollout": {"readyDeadline": "4m", "steps": []},
    }
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "heartops.dev/v1alpha1", "kind": "HeartModel", "metadata": meta, "spec": spec}


def jobs(model: Model) -> list[Object]:
    selector = f"heartops.dev/model={model.name},app.kubernetes.io/component=training"
    return items("jobs", "-n", model.namespace, "-l", selector)


def two_workers(namespace: str, name: str, **spec: Any) -> Object:
    scale = {"mode": "Distributed", "workers": 2}
    requests = {"cpu": "200m", "memory": "512Mi"}
    resources = {"requests": requests, "limits": {"cpu": "1", "memory": "2Gi"}}
    training = {"scale": scale, "resources": resources}
    manifest = large_model(namespace, name, f"pvc://{CLAIM}/small/", training)
    manifest["spec"] |= spec
    return manifest


def trained_in_two_gibibytes(
    namespace: str, name: str, path: str, seconds: int, measured: Callable[[str], None]
) -> None:
    """A pod that took more would be killed: its limit is the kernel's to keep."""
    resources = {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
    training = {"scale": {"mode": "External"}, "resources": resources, "timeoutSeconds": seconds}
    model = declare(large_model(namespace, name, f"pvc://{CLAIM}/{path}", training))
    model.wait_serving("1", seconds)
    (job,) = jobs(model)
    limit = job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    assert limit == "2Gi"
    status = job["status"]
    measured(f"{path} in a pod of {limit}: {status['startTime']} to {status['completionTime']}")
