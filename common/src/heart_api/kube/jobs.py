"""How far a Job is. No I/O."""

from typing import Any

from heart_api.kube.objects import condition
from heart_api.kube.values import Manifest


def job_end(job: Manifest) -> dict[str, Any] | None:
    """The condition that says how a Job ended; None: it runs."""
    return condition(job, "Complete", "Failed")


def is_finished(job: Manifest) -> bool:
    """Whether the Job has ended, well or badly."""
    return job_end(job) is not None


def is_waiting(job: Manifest) -> bool:
    """Whether no pod of an unfinished Job is ready, by the Job controller's own count."""
    return not is_finished(job) and not (job.get("status") or {}).get("ready")
