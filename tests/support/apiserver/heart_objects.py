"""Objects around one HeartModel as the API server returns them, for what reads and shows them."""

import hashlib
from typing import Any

from heart_api.names import Annotation, Label

NAMESPACE = "clinic"
NAME = "heart"
SPEC: dict[str, Any] = {
    "dataset": {"uri": "builtin://heart-synthetic"},
    "target": {"name": "num", "positiveAbove": 0},
    "features": [{"name": "age", "type": "number"}],
}
Object = dict[str, Any]


def sha(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def heart_model(
    status: Object | None = None, spec: Object | None = None, annotations: dict[str, str] | None = None
) -> Object:
    return {
        "apiVersion": "heartops.dev/v1alpha1",
        "kind": "HeartModel",
        "metadata": {
            "namespace": NAMESPACE,
            "name": NAME,
            "uid": "u-1",
            "generation": 4,
            "annotations": annotations or {},
        },
        "spec": SPEC | (spec or {}),
        "status": status or {},
    }


def condition(type_: str, status: str, reason: str, message: str, since: str = "2026-11-21T07:00:00Z") -> Object:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}


def serving(version: str = "6", **changes: Any) -> Object:
    found = {"version": version, "digest": sha(version), "since": "2026-11-18T04:00:00Z"}
    return found | {"replicas": 2, "readyReplicas": 2, "url": f"http://{NAME}.{NAMESPACE}.svc"} | changes


def candidate(version: str = "7", **changes: Any) -> Object:
    return {"version": version, "digest": sha(version), "since": "2026-11-21T07:56:30Z"} | changes


def previous(version: str = "5", **changes: Any) -> Object:
    return {"version": version, "digest": sha(version), "warmUntil": "2026-11-21T08:48:00Z"} | changes


def rejected(version: str, reason: str, message: str, time: str = "2026-11-21T07:58:00Z") -> Object:
    return {"version": version, "digest": sha(version), "reason": reason, "message": message, "time": time}


def served(version: str, from_: str, until: str | None = None, **changes: Any) -> Object:
    found = {"version": version, "digest": sha(version), "from": from_, "reason": "Promoted", "by": "heartops"}
    return found | ({"until": until} if until else {}) | changes


def deployment(version: str, replicas: int = 2, ready: int | None = None) -> Object:
    return {
        "metadata": {
            "name": f"{NAME}-v{version}",
            "uid": f"u-{version}",
            "creationTimestamp": "2026-11-20T08:00:00Z",
            "labels": {Label.MODEL: NAME, Label.MODEL_VERSION: version},
            "annotations": {Annotation.DIGEST: sha(version)},
        },
        "spec": {"replicas": replicas},
        "status": {"readyReplicas": replicas if ready is None else ready, "replicas": replicas},
    }


def pod(version: str, suffix: str, *, ready: bool = True, restarts: int = 0, waiting: Object | None = None) -> Object:
    container = {"name": "server", "ready": ready, "restartCount": restarts, "state": {}}
    if waiting:
        container["state"] = {"waiting": waiting}
    return {
        "metadata": {
            "name": f"{NAME}-v{version}-{suffix}",
            "namespace": NAMESPACE,
            "creationTimestamp": "2026-11-21T07:56:30Z",
            "labels": {Label.MODEL: NAME, Label.MODEL_VERSION: version},
        },
        "status": {"containerStatuses": [container]},
    }


def event(reason: str, message: str, time: str, type_: str = "Normal") -> Object:
    return {"type": type_, "reason": reason, "message": message, "lastTimestamp": time, "metadata": {}}


def retrain_schedule(status: Object, name: str = "nightly", model: str = NAME, **spec: Any) -> Object:
    return {
        "apiVersion": "heartops.dev/v1alpha1",
        "kind": "RetrainSchedule",
        "metadata": {
            "namespace": NAMESPACE,
            "name": name,
            "uid": f"u-{name}",
            "creationTimestamp": "2026-11-01T00:00:00Z",
        },
        "spec": {"modelName": model, "schedule": "0 3 * * *", "drift": {}} | spec,
        "status": status,
    }
