"""Kubernetes objects → the values that decisions use. No I/O."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from heart_operator.api.drift import CheckOutcome
from heart_operator.api.handover import TrainingFailure, TrainingOutcome, TrainingResult
from heart_operator.api.heartmodel import HeartModel, HeartModelStatus, TrainingStatus
from heart_operator.api.names import Annotation, Label
from heart_operator.plan.values import Manifest, ObservedJob, TrainingJob, VersionDeployment

MAX_WORDS = 300
"""Characters of Kubernetes' own words that are passed on."""
Outcome = TypeVar("Outcome", TrainingOutcome, CheckOutcome)


class InvalidSpec(Exception):
    """A stored HeartModel that this version cannot read; the message names the field's path."""


def parse_model(raw: Manifest) -> HeartModel:
    """Raises InvalidSpec. An unreadable status counts as an empty one: it can always be worked out again."""
    meta = raw["metadata"]
    try:
        return HeartModel.model_validate(
            {
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "generation": meta.get("generation", 1),
                "annotations": meta.get("annotations") or {},
                "spec": raw.get("spec") or {},
                "status": parse_status(raw),
            }
        )
    except ValidationError as error:
        raise InvalidSpec(spell(error)) from None


def parse_status(raw: Manifest) -> HeartModelStatus:
    try:
        return HeartModelStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return HeartModelStatus()


def spell(error: ValidationError) -> str:
    """`spec.features.0.type: …; …`: where and what, and never the value."""
    return "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_input=False))


def owned(item: Manifest, uid: str) -> bool:
    """Whether this very model (not a namesake that was deleted) owns the object, and it is not going away."""
    owners = item["metadata"].get("ownerReferences") or []
    return any(owner["uid"] == uid for owner in owners) and "deletionTimestamp" not in item["metadata"]


def moment(stamp: str) -> datetime:
    """metav1.Time."""
    return datetime.fromisoformat(stamp)


def condition(item: Manifest, *types: str) -> dict[str, Any] | None:
    """The first condition of one of the types that is True."""
    conditions: list[dict[str, Any]] = (item.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] in types and entry["status"] == "True"), None)


def job_end(job: Manifest) -> dict[str, Any] | None:
    """The condition that says how a Job ended; None: it runs."""
    return condition(job, "Complete", "Failed")


def is_finished(job: Manifest) -> bool:
    return job_end(job) is not None


def job_phase(job: Manifest) -> Literal["Running", "Succeeded", "Failed"]:
    end = job_end(job)
    return "Running" if end is None else "Succeeded" if end["type"] == "Complete" else "Failed"


def end_time(job: Manifest) -> datetime | None:
    end = job_end(job)
    return moment(end["lastTransitionTime"]) if end else None


def parse_job(job: Manifest, pods: Iterable[Manifest] = (), known: TrainingStatus | None = None) -> TrainingJob:
    """A Job with what its pods left. `known` is the recorded training, which outlives pods."""
    meta = job["metadata"]
    outcome, words = last_words(pods, TrainingOutcome)
    return ObservedJob(
        name=meta["name"],
        uid=meta["uid"],
        trigger=(meta.get("annotations") or {}).get(Annotation.TRIGGER, ""),
        created=moment(meta["creationTimestamp"]),
        phase=job_phase(job),
        finished=end_time(job),
        result=outcome.result or recorded_result(meta["name"], known),
        failure=outcome.failure,
        why=why_failed(job, words),
    )


def why_failed(job: Manifest, words: str) -> str:
    """What Kubernetes says of a Job that failed: `words` of its pods, else of the Job itself."""
    end = job_end(job)
    return "" if end is None or end["type"] == "Complete" else words or end_in_words(end)


def end_in_words(end: dict[str, Any]) -> str:
    return ": ".join(filter(None, (end.get("reason"), end.get("message"))))[:MAX_WORDS]


def recorded_result(job: str, known: TrainingStatus | None) -> TrainingResult | None:
    """The result of the Job as the status has it."""
    if known is None or known.job != job:
        return None
    given = (known.version, known.run_id, known.artifact_sha256, known.evaluation_sha256)
    version, run_id, artifact, evaluation = given
    if version is None or run_id is None or artifact is None or evaluation is None:
        return None
    return TrainingResult(version=version, run_id=run_id, artifact_sha256=artifact, evaluation_sha256=evaluation)


def last_words(pods: Iterable[Manifest], kind: type[Outcome]) -> tuple[Outcome, str]:
    """Termination message of the newest pod that left one, and the reason of the newest pod that ended badly."""
    newest = sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], reverse=True)
    ends = [end for pod in newest for end in container_ends(pod)]
    outcomes = [outcome for end in ends if (outcome := parse_outcome(end.get("message", ""), kind))]
    words = next((end["reason"] for end in ends if end.get("reason") not in (None, "Completed", "Error")), "")
    pod_words = next((reason for pod in newest if (reason := (pod.get("status") or {}).get("reason"))), "")
    return outcomes[0] if outcomes else kind(), words or pod_words


def container_ends(pod: Manifest) -> list[dict[str, Any]]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return [end for status in statuses if (end := (status.get("state") or {}).get("terminated"))]


def parse_outcome(message: str, kind: type[Outcome]) -> Outcome | None:
    """None for anything that is not an outcome: a container may die before it writes one."""
    try:
        outcome = kind.model_validate_json(message)
    except ValidationError:
        return None
    return outcome if outcome.result or outcome.failure else None


def lost_outcome() -> TrainingFailure:
    """For a Job that succeeded though nobody can read its result any more."""
    return TrainingFailure(
        reason="TrainingInterrupted",
        message="The training ended but its pod was removed before its result was read; "
        f"start another one with the annotation {Annotation.RETRAIN}",
    )


def parse_deployment(item: Manifest, pods: Iterable[Manifest] = ()) -> VersionDeployment:
    """A version's Deployment; `pods` only where some of them are not ready."""
    meta, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    pods = list(pods)
    annotations, labels = meta.get("annotations") or {}, meta.get("labels") or {}
    seen = status.get("observedGeneration", 0) >= meta.get("generation", 1)
    return VersionDeployment(
        name=meta["name"],
        uid=meta["uid"],
        version=labels.get(Label.MODEL_VERSION, ""),
        digest=annotations.get(Annotation.DIGEST, ""),
        trigger=annotations.get(Annotation.TRIGGER, ""),
        run_id=annotations.get(Annotation.RUN_ID, ""),
        created=moment(meta["creationTimestamp"]),
        replicas=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        up_to_date=seen and status.get("updatedReplicas", 0) == status.get("replicas", 0),
        problem=next((words for pod in pods if (words := pod_problem(pod))), ""),
        evaluation_sha256=annotations.get(Annotation.EVALUATION, ""),
        crashes=sum(map(restarts, pods)),
    )


def restarts(pod: Manifest) -> int:
    """How often a pod's server ended; its init container may try as often as it likes."""
    return sum(entry.get("restartCount", 0) for entry in (pod.get("status") or {}).get("containerStatuses") or [])


def is_ready(item: Manifest) -> bool:
    """Whether every pod that a Deployment should have is ready."""
    ready: int = (item.get("status") or {}).get("readyReplicas", 0)
    wanted: int = item["spec"].get("replicas", 1)
    return ready >= wanted


def pod_problem(pod: Manifest) -> str:
    """Why a pod does not start, in Kubernetes' words; empty while it is only starting."""
    status = pod.get("status") or {}
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        if words := waiting_words(container) or dying_words(container):
            return words
    for entry in status.get("conditions") or []:
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            return end_in_words(entry)
    return ""


def waiting_words(container: dict[str, Any]) -> str:
    """`CrashLoopBackOff in fetch: …` with what the container said when it died last."""
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason: str = waiting.get("reason", "")
    if reason in ("", "ContainerCreating", "PodInitializing"):
        return ""
    died = (container.get("lastState") or {}).get("terminated") or {}
    said = died.get("message") or died.get("reason") or waiting.get("message") or ""
    return f"{reason} in {container['name']}: {said.strip()}".rstrip(": ")[:MAX_WORDS]


def dying_words(container: dict[str, Any]) -> str:
    """`OOMKilled in server` while a container that died begins anew."""
    states = container.get("state") or {}, container.get("lastState") or {}
    died: dict[str, Any] = next((state["terminated"] for state in states if state.get("terminated")), {})
    if container.get("ready") or died.get("exitCode", 0) == 0:
        return ""
    said: str = died.get("message", "").strip()
    return f"{died.get('reason', 'Error')} in {container['name']}: {said}".rstrip(": ")[:MAX_WORDS]
