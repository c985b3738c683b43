"""Which Jobs are ours (docs/decisions/0014-which-jobs-are-believed.md). No I/O.

Owner references, labels and annotations are easily copied. A Job is ours if its uid is in the status of its owner,
which no tenant may write; or if it runs exactly what would be built for it today. The latter covers a crash between
creating the Job and recording it, and a lost status.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from heart_api.drift import CHECK_REQUEST, CheckRequest
from heart_api.handover import Env, EvaluationRequest, JobRequest, TrainingRequest
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import Annotation, evaluated_version
from heart_api.profile import RuntimeProfile
from heart_api.retrainschedule import RetrainSchedule
from heart_operator.manifests import check_job, training_job
from heart_operator.manifests.common import env
from heart_operator.manifests.evaluation_job import build_evaluation_job
from heart_operator.manifests.training_job import build_training_job
from heart_operator.observe.jobs import attempt_of, scheduled_time, stated
from heart_operator.observe.pod_templates import by_name, same_template

MOST_FOREIGN = 20
"""Foreign Jobs that one reconcile removes; the others follow."""
Rebuild = Callable[[Manifest], Manifest | None]
"""From a living Job to the one that would be built in its place today; None: none would."""


@dataclass(frozen=True, slots=True)
class SortedJobs:
    """Jobs with our owner reference."""

    ours: tuple[Manifest, ...]
    foreign: tuple[Manifest, ...]
    """They claim to be ours and are not: nothing that they report is believed."""


def sort_jobs(jobs: Iterable[Manifest], owner: Manifest, rebuild: Rebuild) -> SortedJobs:
    """`owner`: the HeartModel or RetrainSchedule as the API server returned it."""
    known = recorded_uids(owner)
    ours, foreign = list[Manifest](), list[Manifest]()
    for job in jobs:
        mine = known is None or job["metadata"]["uid"] in known or is_rebuilt(job, rebuild)
        (ours if mine else foreign).append(job)
    return SortedJobs(tuple(ours), tuple(foreign))


def recorded_uids(owner: Manifest) -> frozenset[str] | None:
    """Uids of the Jobs that the status names; None if an operator wrote it that did not record them yet."""
    status = owner.get("status") or {}
    if "jobs" not in status and "observedGeneration" in status:
        return None
    return frozenset(str(entry.get("uid")) for entry in status.get("jobs") or ())


def is_rebuilt(job: Manifest, rebuild: Rebuild) -> bool:
    """Whether the Job runs what would be built for it today."""
    try:
        wanted = rebuild(job)
        return wanted is not None and same_template(pod_of(wanted), pod_of(job))
    except (ValidationError, LookupError, TypeError, ValueError):
        return False  # not even the form of one of ours


def rebuild_for_model(model: HeartModel, profile: RuntimeProfile | None) -> Rebuild:
    """Training and evaluation Jobs.

    The Job's own name counts, for an adopted Job has that of an earlier uid. So does the version that it compares with,
    which may have changed: the gate looks at the one in the evaluation.
    """

    def rebuild(job: Manifest) -> Manifest | None:
        trigger = stated(job, Annotation.TRIGGER)
        version = evaluated_version(trigger)
        variable, kind = (
            (Env.EVALUATION_REQUEST, EvaluationRequest) if version else (Env.TRAINING_REQUEST, TrainingRequest)
        )
        if profile is None or not trigger:
            return None
        given: JobRequest = kind.model_validate_json(variable_of(job, training_job.CONTAINER, variable))
        built = (
            build_evaluation_job(model, profile, trigger, version, given.serving)
            if version
            else build_training_job(model, profile, trigger, given.serving, attempt_of(job))
        )
        return with_job_name(built, variable, job["metadata"]["name"])

    return rebuild


def rebuild_for_schedule(
    schedule: RetrainSchedule, model: HeartModel | None, profile: RuntimeProfile | None
) -> Rebuild:
    """Check Jobs; the version that they are about may have been replaced since, and is the Job's own."""

    def rebuild(job: Manifest) -> Manifest | None:
        time = scheduled_time(job)
        if model is None or profile is None or model.status.serving is None or time is None:
            return None
        given = CheckRequest.model_validate_json(variable_of(job, check_job.CONTAINER, CHECK_REQUEST))
        about = model.status.serving.model_copy(update=given.serving.model_dump())
        then = model.model_copy(update={"status": model.status.model_copy(update={"serving": about})})
        return check_job.build_check_job(schedule, then, profile, time)

    return rebuild


def pod_of(job: Manifest) -> Manifest:
    pod: Manifest = job["spec"]["template"]["spec"]
    return pod


def variable_of(job: Manifest, container: str, variable: str) -> str:
    """The value that the container gets; `$$` stands for `$` in a manifest. Raises KeyError."""
    value: str = by_name(by_name(pod_of(job)["containers"])[container]["env"])[variable]["value"]
    return value.replace("$$", "$")


def with_job_name(built: Manifest, variable: str, name: str) -> Manifest:
    """The Job with another name in its request."""
    pod = pod_of(built)
    (container,) = pod["containers"]
    kind = EvaluationRequest if variable == Env.EVALUATION_REQUEST else TrainingRequest
    request = kind.model_validate_json(variable_of(built, container["name"], variable))
    text = training_job.request_json(request.model_copy(update={"job": name}))
    variables = [env({variable: text})[0] if entry["name"] == variable else entry for entry in container["env"]]
    spec = built["spec"]
    changed = {**pod, "containers": [{**container, "env": variables}]}
    return {**built, "spec": {**spec, "template": {**spec["template"], "spec": changed}}}
