"""Which Jobs are ours (docs/decisions/0014-which-jobs-are-believed.md). No I/O.

Owner references, labels and annotations are easily copied. A Job is ours if its uid is in the status of its owner,
which no tenant may write; or if it runs exactly what would be built for it today. The latter covers a crash between
creating the Job and recording it, and a lost status.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from heart_api.checks import read_order
from heart_api.drift import CHECK_REQUEST, CheckRequest
from heart_api.federation import FederatedTrainingRequest
from heart_api.handover import Env, EvaluationRequest, JobRequest, ModelRequest, TrainingRequest
from heart_api.heartmodel import HeartModel, ServingStatus
from heart_api.kube.values import Manifest
from heart_api.names import Annotation, evaluated_version
from heart_api.profile import RuntimeProfile
from heart_api.retrainschedule import RetrainSchedule
from heart_operator.manifests import check_job, training_job
from heart_operator.manifests.common import env
from heart_operator.manifests.coordinator_job import build_coordinator_job
from heart_operator.manifests.evaluation_job import build_evaluation_job
from heart_operator.manifests.job import CONTAINER
from heart_operator.manifests.training_job import build_training_job
from heart_operator.observe.jobs import attempt_of, scheduled_time, stated
from heart_operator.observe.pod_templates import by_name, same_template
from heart_operator.observe.train_jobs import DIGEST, as_job

MOST_FOREIGN = 20
"""Foreign Jobs that one reconcile removes; the others follow."""
CONTAINERS = ("containers", "initContainers")
REQUESTS: dict[str, type[ModelRequest]] = {
    Env.TRAINING_REQUEST: TrainingRequest,
    Env.EVALUATION_REQUEST: EvaluationRequest,
    Env.FEDERATED_REQUEST: FederatedTrainingRequest,
}
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
    known = recorded(owner)
    ours, foreign = list[Manifest](), list[Manifest]()
    for job in jobs:
        mine = known is None or is_recorded(job, known) or is_rebuilt(job, rebuild)
        (ours if mine else foreign).append(job)
    return SortedJobs(tuple(ours), tuple(foreign))


def recorded(owner: Manifest) -> dict[str, str] | None:
    """Uids of the Jobs that the status names, and of TrainJobs the digest of their template; None if an operator wrote
    it that did not record them yet."""
    status = owner.get("status") or {}
    if "jobs" not in status and "observedGeneration" in status:
        return None
    return {str(entry.get("uid")): entry.get("template") or "" for entry in status.get("jobs") or ()}


def is_recorded(job: Manifest, known: dict[str, str]) -> bool:
    """Whether the status names the Job; a TrainJob whose template was edited since is another one."""
    template: str = job.get(DIGEST, "")
    return known.get(job["metadata"]["uid"]) == template


def is_rebuilt(job: Manifest, rebuild: Rebuild) -> bool:
    """Whether the Job runs what would be built for it today."""
    try:
        wanted = rebuild(job)
        return wanted is not None and same_template(pod_of(wanted), pod_of(job))
    except (ValidationError, LookupError, TypeError, ValueError):
        return False  # not even the form of one of ours


def rebuild_for_model(model: HeartModel, profile: RuntimeProfile | None) -> Rebuild:
    """Training and evaluation Jobs, and drift checks that somebody requested.

    The Job's own name counts, for an adopted Job has that of an earlier uid. So does the version that it compares with,
    which may have changed: the gate looks at the one in the evaluation.
    """

    def rebuild(job: Manifest) -> Manifest | None:
        if is_ordered_check(job):
            return rebuilt_check(job, model, profile)
        trigger = stated(job, Annotation.TRIGGER)
        version = evaluated_version(trigger)
        if model.spec.federation:
            return rebuild_coordinator(model, profile, trigger, job)
        variable, kind = (
            (Env.EVALUATION_REQUEST, EvaluationRequest) if version else (Env.TRAINING_REQUEST, TrainingRequest)
        )
        if profile is None or not trigger:
            return None
        given: JobRequest = kind.model_validate_json(variable_of(job, CONTAINER, variable))
        built = (
            build_evaluation_job(model, profile, trigger, version, given.serving)
            if version
            else as_job(build_training_job(model, profile, trigger, given.serving, attempt_of(job)), profile)
        )
        return with_job_name(built, variable, job["metadata"]["name"])

    return rebuild


def rebuild_coordinator(
    model: HeartModel, profile: RuntimeProfile | None, trigger: str, job: Manifest
) -> Manifest | None:
    """The sites are those that the status recorded before the Job was created, not the ones that the Job names."""
    training = model.status.training
    if profile is None or training is None or training.trigger != trigger or training.sites is None:
        return None
    text = variable_of(job, CONTAINER, Env.FEDERATED_REQUEST)
    given = FederatedTrainingRequest.model_validate_json(text)
    built = build_coordinator_job(model, profile, trigger, given.serving, training.sites)
    return with_job_name(built, Env.FEDERATED_REQUEST, job["metadata"]["name"])


def is_ordered_check(job: Manifest) -> bool:
    """Whether the Job is for a drift check that somebody requested."""
    return bool(stated(job, Annotation.CHECK))


def rebuilt_check(job: Manifest, model: HeartModel, profile: RuntimeProfile | None) -> Manifest | None:
    """The Job of the same order; the version that it is about may have been replaced since, and is the Job's own."""
    order = read_order(stated(job, Annotation.CHECK))
    if order is None or profile is None or model.status.serving is None:
        return None
    return check_job.build_ordered_check(serving_as(job, model, model.status.serving), profile, order)


def serving_as(job: Manifest, model: HeartModel, serving: ServingStatus) -> HeartModel:
    """The model as if the version that the check Job is about served."""
    given = CheckRequest.model_validate_json(variable_of(job, CONTAINER, CHECK_REQUEST))
    about = serving.model_copy(update=given.serving.model_dump())
    return model.model_copy(update={"status": model.status.model_copy(update={"serving": about})})


def rebuild_for_schedule(
    schedule: RetrainSchedule, model: HeartModel | None, profile: RuntimeProfile | None
) -> Rebuild:
    """Check Jobs; the version that they are about may have been replaced since, and is the Job's own."""

    def rebuild(job: Manifest) -> Manifest | None:
        time = scheduled_time(job)
        if model is None or profile is None or model.status.serving is None or time is None:
            return None
        then = serving_as(job, model, model.status.serving)
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
    """The Job with another name in its request, in every container that has it."""
    pod = pod_of(built)
    kind = REQUESTS[variable]
    request = kind.model_validate_json(variable_of(built, CONTAINER, variable))
    text = training_job.request_json(request.model_copy(update={"job": name}))
    changed = {
        part: [with_variable(entry, variable, text) for entry in pod[part]] for part in CONTAINERS if part in pod
    }
    spec = built["spec"]
    return {**built, "spec": {**spec, "template": {**spec["template"], "spec": {**pod, **changed}}}}


def with_variable(container: Manifest, variable: str, text: str) -> Manifest:
    variables = [env({variable: text})[0] if entry["name"] == variable else entry for entry in container["env"]]
    return {**container, "env": variables}
