"""What keeps HeartOps' own Jobs and Deployments from running: which objects they are, the cause, advice. No I/O.

The operator and `kubectl heart` read the objects, each with permissions of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from heart_api.kube.blocked import find_blocked, is_being_replaced
from heart_api.kube.kinds import Kind
from heart_api.kube.objects import condition, condition_text
from heart_api.kube.values import Blocked, Manifest
from heart_api.names import PART_OF, Label

SELECTOR = f"{Label.PART_OF}={PART_OF},!{Label.MODEL},!{Label.SITE}"
"""Objects of the chart, and none of a model or site."""
ADVICE = {
    "Quota": "Raise the namespace's ResourceQuota, or lower the component's resources in the chart's values",
    "LimitRange": "Change the namespace's LimitRange, or set the component's resources in the chart's values within it",
    "Scheduling": "Lower the component's resources in the chart's values, or add a node that has room",
    "VolumeMissing": "Create it, or see whether the Job that makes it has run",
    "ConfigMissing": "Create it, or see whether the Job that makes it has run",
    "OutOfMemory": "Raise the component's memory limit in the chart's values",
    "Crash": "See `kubectl logs`",
    "InitContainer": "See `kubectl logs -c` with the init container's name",
    "ImagePull": "Check images and imagePullSecrets in the chart's values",
}
"""Where the advice to a model's owner does not fit."""


@dataclass(frozen=True, slots=True)
class BlockedComponent:
    """A Job or Deployment of the installation that cannot run, or has failed for good."""

    kind: Kind
    item: Manifest
    blocked: Blocked

    @property
    def name(self) -> str:
        name: str = self.item["metadata"]["name"]
        return name

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.name} cannot run ({self.blocked.cause}): {self.blocked}"


def explain_component(
    kind: Kind, item: Manifest, pods: Iterable[Manifest], events: Iterable[Manifest], now: datetime
) -> list[BlockedComponent]:
    """The item with the reason why its pods do not run, as `find_blocked` finds it; empty while they only start."""
    found = find_blocked(item, pods, events)
    if found is None or is_being_replaced(found, now):
        return []
    return [BlockedComponent(kind, item, replace(found, advice=ADVICE.get(found.cause, found.advice)))]


def failed_jobs(kind: Kind, jobs: Sequence[Manifest]) -> list[BlockedComponent]:
    """Jobs that failed for good: Kubernetes does not try them again. A younger Job of the component replaces one."""
    oldest_first = sorted(jobs, key=lambda job: str(job["metadata"]["creationTimestamp"]))
    newest = {_component(job): job for job in oldest_first}
    return [BlockedComponent(kind, job, failed) for job in newest.values() if (failed := _failure(job))]


JOB_FAILED = "JobFailed"
"""The cause of a Job that will not be tried again."""


def _failure(job: Manifest) -> Blocked | None:
    ended = condition(job, "Failed")
    advice = f"See `kubectl logs job/{job['metadata']['name']}`; delete the Job and run `helm upgrade` to try again"
    return Blocked(JOB_FAILED, condition_text(ended), advice) if ended else None


def _component(job: Manifest) -> str:
    """The Job's own name where it has no component, so that nothing replaces it."""
    labels = job["metadata"].get("labels") or {}
    return str(labels.get(Label.COMPONENT) or job["metadata"]["name"])


def selector_of(deployment: Manifest) -> str:
    """The label selector of a Deployment's pods."""
    labels: dict[str, str] = deployment["spec"]["selector"].get("matchLabels") or {}
    return ",".join(f"{name}={value}" for name, value in labels.items())
