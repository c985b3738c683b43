"""A training on several pods as a TrainJob of Kubeflow Trainer, for a profile that names a runtime of it.

The runtime (a ClusterTrainingRuntime or TrainingRuntime, the administrator's) has what a TrainJob cannot say: envFrom,
`restartPolicy`, no API token, and the policy `xgboost`, which tells the workers where the first one is.
"""

from typing import Any

from heart_api.kube.kinds import TRAIN_JOB
from heart_api.kube.values import Manifest
from heart_api.profile import TrainJobRuntime

MANAGER = "heartops.dev/operator"
"""Whose the patch of the runtime is; Kueue has one of its own beside it."""
NODE = "node"
"""Kubeflow's name of the replicated Job and of its container."""
COMMAND = ("python3", "-m", "heart_trainer")
"""The image's ENTRYPOINT, named so that a runtime's command does not replace it."""
PATCHED = ("serviceAccountName", "volumes", "imagePullSecrets", "securityContext", "nodeSelector", "tolerations")
"""Fields of a pod that a TrainJob may set."""


def as_train_job(job: Manifest, runtime: TrainJobRuntime) -> Manifest:
    """The TrainJob that runs what the Indexed Job would: the same name, owner, pods and deadline."""
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    wanted: dict[str, Any] = {
        "runtimeRef": {"apiGroup": TRAIN_JOB.group, "kind": runtime.kind, "name": runtime.runtime},
        "activeDeadlineSeconds": spec["activeDeadlineSeconds"],
        "trainer": {
            "image": container["image"],
            "command": list(COMMAND),
            "env": container["env"],
            "numNodes": spec["completions"],
            "resourcesPerNode": container["resources"],
        },
        "runtimePatches": [{"manager": MANAGER, "trainingRuntimeSpec": patch(spec["template"])}],
    }
    if "suspend" in spec:
        wanted["suspend"] = spec["suspend"]
    return {
        "apiVersion": TRAIN_JOB.api_version,
        "kind": TRAIN_JOB.kind,
        "metadata": job["metadata"],
        "spec": wanted,
    }


def patch(template: Manifest) -> dict[str, Any]:
    """What the runtime's pods get of the Job's pod template."""
    pod = template["spec"]
    (container,) = pod["containers"]
    node = {"name": NODE, **{name: container[name] for name in ("volumeMounts", "securityContext")}}
    fields = {name: pod[name] for name in PATCHED if name in pod} | {"containers": [node]}
    job = {"name": NODE, "template": {"spec": {"template": {"metadata": template["metadata"], "spec": fields}}}}
    return {"template": {"spec": {"replicatedJobs": [job]}}}
