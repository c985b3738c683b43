"""What the Jobs have in common: one pod at a time, which fails for good only by what trying again cannot mend."""

from collections.abc import Mapping
from typing import Any

from heart_api.federation import IDENTITY
from heart_api.handover import EXIT_PERMANENT
from heart_api.kube.values import Manifest
from heart_api.owntrainer import PREPARE

CONTAINER = "trainer"


def build_job(
    meta: Mapping[str, Any], labels: Mapping[str, str], pod: Mapping[str, Any], *, retries: int, seconds: int
) -> Manifest:
    """`meta`: the Job's metadata; `labels` and `pod`: the pod's, which has the Job's annotations."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": meta,
        "spec": {
            "completions": 1,
            "parallelism": 1,
            "backoffLimit": retries,
            "activeDeadlineSeconds": seconds,
            "podFailurePolicy": failure_policy(*first_containers(pod)),
            "template": {
                "metadata": {"labels": labels, "annotations": meta["annotations"]},
                "spec": pod,
            },
        },
    }


def failure_policy(*first: str) -> dict[str, Any]:
    """Bad data is not tried again; an evicted pod does not count as a try. `first`: containers of ours before the
    trainer's."""
    codes = [{"containerName": name, "operator": "In", "values": [EXIT_PERMANENT]} for name in (CONTAINER, *first)]
    return {
        "rules": [
            *({"action": "FailJob", "onExitCodes": each} for each in codes),
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def first_containers(pod: Mapping[str, Any]) -> list[str]:
    """Containers of ours that run before the trainer's and end."""
    return [entry["name"] for entry in pod.get("initContainers", ()) if entry["name"] in (PREPARE, IDENTITY)]
