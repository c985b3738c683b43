"""TrainJobs of Kubeflow Trainer as the Jobs that they stand for, so that all else reads one kind. No I/O.

Between a TrainJob and its pods are a JobSet and a Job, which anybody who may create Jobs can imitate. So a pod is
believed for what it runs: exactly what the TrainJob says and nothing besides. The template of a TrainJob can be edited,
unlike a Job's; the status has its digest (docs/decisions/0027-trainjobs.md).
"""

import json
from collections.abc import Iterable
from typing import Any

from heart_api.kube.kinds import TRAIN_JOB
from heart_api.kube.values import Manifest
from heart_api.names import short_hash
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.common import runtime_secrets
from heart_operator.manifests.job import CONTAINER
from heart_operator.manifests.train_job import MANAGER, NODE

DIGEST = "templateDigest"
"""Where a TrainJob that is read as a Job has the digest of its template."""
JOB_SET = "jobset.sigs.k8s.io/jobset-name"
"""Label of a TrainJob's pods: its name."""
INDEX_LABEL = "batch.kubernetes.io/job-completion-index"
DEFAULTED = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}


def is_train_job(job: Manifest) -> bool:
    return bool(job.get("kind") == TRAIN_JOB.kind)


def as_job(found: Manifest, profile: RuntimeProfile | None) -> Manifest:
    """A Job as it is; a TrainJob in the form of a Job whose pods have the container `trainer`.

    The runtime gives the pods our Secrets, for a TrainJob cannot: `profile` says which these have to be.
    """
    if not is_train_job(found):
        return found
    spec, template = found["spec"], own_template(found)
    trainer, pod = spec.get("trainer") or {}, template.get("spec") or {}
    mounts: Manifest = next((entry for entry in pod.get("containers") or () if entry.get("name") == NODE), {})
    container = {
        **{name: trainer[name] for name in ("image", "command", "args") if trainer.get(name)},
        "name": CONTAINER,
        "env": by_name(trainer.get("env") or ()),
        "envFrom": runtime_secrets(profile) if profile else [],
        "volumeMounts": mounts.get("volumeMounts") or [],
        **DEFAULTED,
    }
    fields = {name: pod[name] for name in ("serviceAccountName", "volumes") if name in pod}
    return {
        **{name: found[name] for name in ("apiVersion", "kind", "metadata")},
        DIGEST: template_digest(found),
        "spec": {
            "completionMode": "Indexed",
            "completions": trainer.get("numNodes"),
            "suspend": bool(spec.get("suspend")),
            "template": {
                "metadata": template.get("metadata") or {},
                "spec": {**fields, "automountServiceAccountToken": False, "containers": [container]},
            },
        },
        "status": status_of(found),
    }


def status_of(found: Manifest) -> Manifest:
    """The conditions have a Job's types; its child Jobs count as ready once all their pods are."""
    status = found.get("status") or {}
    ready = sum(int(entry.get("ready") or 0) for entry in status.get("jobsStatus") or ())
    return {"conditions": status.get("conditions") or [], "ready": ready}


def own_template(found: Manifest) -> dict[str, Any]:
    """What we gave to the runtime's pods; empty if that is gone."""
    for entry in found["spec"].get("runtimePatches") or ():
        if entry.get("manager") == MANAGER:
            jobs = entry["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]
            template: dict[str, Any] = jobs[0]["template"]["spec"]["template"]
            return template
    return {}


def template_digest(found: Manifest) -> str:
    """Of all that decides what the pods run; not of what Kueue and Trainer add."""
    spec = found["spec"]
    parts = [spec.get("runtimeRef"), spec.get("trainer"), own_template(found)]
    return short_hash(json.dumps(parts, sort_keys=True), length=16)


def as_pod_of_job(pod: Manifest, job: Manifest) -> Manifest | None:
    """A pod of the TrainJob as a Job's would be, less the variables and the port by which its workers find each other.

    None: it has a container that takes the trainer's place.
    """
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if any(entry["name"] == CONTAINER for part in ("containers", "initContainers") for entry in spec.get(part) or ()):
        return None
    containers = [as_trainer(entry, job) if entry["name"] == NODE else entry for entry in spec.get("containers") or ()]
    statuses = [renamed(entry) for entry in status.get("containerStatuses") or ()]
    owner = {"uid": job["metadata"]["uid"], "controller": True}
    return {
        **pod,
        "metadata": {**pod["metadata"], "ownerReferences": [owner]},
        "spec": {**spec, "containers": containers},
        "status": {**status, "containerStatuses": statuses},
    }


def renamed(status: Manifest) -> Manifest:
    return {**status, "name": CONTAINER} if status["name"] == NODE else status


def as_trainer(container: Manifest, job: Manifest) -> Manifest:
    kept = {name: value for name, value in container.items() if name != "ports"}
    added = injected(job["metadata"]["name"], job["spec"]["completions"])
    variables = [entry for entry in container.get("env") or () if not is_added(entry, added)]
    return {**kept, "name": CONTAINER, "env": by_name(variables)}


def injected(name: str, workers: int) -> dict[str, str]:
    """The variables that Trainer's policy for XGBoost adds, except for the worker's own number."""
    return {
        "DMLC_TRACKER_URI": f"{name}-{NODE}-0-0.{name}",
        "DMLC_TRACKER_PORT": "29500",
        "DMLC_NUM_WORKER": str(workers),
    }


def is_added(entry: Manifest, added: dict[str, str]) -> bool:
    """Whether Trainer or the Job controller added this very variable."""
    if entry["name"] in ("DMLC_TASK_ID", "JOB_COMPLETION_INDEX"):
        path = ((entry.get("valueFrom") or {}).get("fieldRef") or {}).get("fieldPath", "")
        return path in (f"metadata.annotations['{INDEX_LABEL}']", f"metadata.labels['{INDEX_LABEL}']")
    return entry["name"] in added and entry.get("value") == added[entry["name"]]


def by_name(entries: Iterable[Manifest]) -> list[Manifest]:
    return sorted(entries, key=lambda entry: str(entry["name"]))
