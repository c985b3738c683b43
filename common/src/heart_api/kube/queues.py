"""Why a Job waits in a queue of Kueue. No I/O."""

from collections.abc import Iterable

from heart_api.kube.objects import MAX_TEXT
from heart_api.kube.values import Manifest
from heart_api.names import Label

JOB_UID = "kueue.x-k8s.io/job-uid"
"""Label of a Workload: uid of the Job or TrainJob that it stands for."""


def queue_of(job: Manifest) -> str:
    """The queue that a suspended Job waits in; empty: it waits in none."""
    queue: str = ((job.get("metadata") or {}).get("labels") or {}).get(Label.QUEUE, "")
    return queue if (job.get("spec") or {}).get("suspend") else ""


def queue_reason(workloads: Iterable[Manifest]) -> str:
    """What Kueue says of the newest Workload: its quota, or the checks that come after; empty if it says nothing."""
    newest = max(workloads, key=lambda found: str(found["metadata"]["creationTimestamp"]), default=None)
    conditions = ((newest or {}).get("status") or {}).get("conditions") or ()
    said = {entry["type"]: entry.get("message") or "" for entry in conditions if entry["status"] == "False"}
    return (said.get("QuotaReserved") or said.get("Admitted") or "")[:MAX_TEXT].rstrip(". ")
