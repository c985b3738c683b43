"""The drift check that somebody requested: one Job for each order, and what came of it.

It never triggers a training.
"""

from dataclasses import dataclass

from heart_api.checks import CheckOrder, CheckStatus, newest_order
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import check_job_name
from heart_api.times import written
from heart_operator.manifests.check_job import build_ordered_check
from heart_operator.plan.blocked import job_text
from heart_operator.plan.jobs import keys
from heart_operator.plan.observed import CheckJob, Observed

ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """What is known of the newest check (None: nobody has requested one), and what to do about Jobs."""

    status: CheckStatus | None = None
    create: tuple[Manifest, ...] = ()
    delete: tuple[ObjectKey, ...] = ()


NO_CHECK = CheckPlan()


def plan_check(observed: Observed) -> CheckPlan:
    """One check at a time: a newer order takes the place of an older one. An ended one stays in the status."""
    model = observed.model
    requested = model.status.requests.check if model.status.requests else None
    order, known = newest_order(model.annotations, requested), model.status.check
    if order is None or (known and known.id > order.id):
        return CheckPlan(known, delete=keys(observed.checks))
    name = check_job_name(model.name, model.uid, order.id)
    others = keys(job for job in observed.checks if job.name != name)
    if known and known.id == order.id and known.phase in ENDED:
        return CheckPlan(known, delete=others)
    if (job := next((job for job in observed.checks if job.name == name), None)) is not None:
        return CheckPlan(of_job(order, job), delete=others)
    if obstacle := find_obstacle(observed, order):
        return CheckPlan(status(order, "Pending", message=obstacle), delete=others)
    assert observed.profile, "find_obstacle has looked"
    job_manifest = build_ordered_check(model, observed.profile, order)
    return CheckPlan(status(order, "Running", job=name), create=(job_manifest,), delete=others)


def find_obstacle(observed: Observed, order: CheckOrder) -> str:
    """Why the check cannot start, and what to do; empty if it can."""
    model, log = observed.model, observed.model.spec.serving.prediction_log
    if model.spec.suspend:
        return "The model is suspended; set spec.suspend to false to resume"
    if observed.profile is None:
        return f"There is no runtime profile {model.spec.runtime}: spec.runtime must name one of an administrator's"
    if log.sink != "PostgreSQL":
        return "The model has no prediction log: set spec.serving.predictionLog.sink to PostgreSQL"
    if unknown := sorted(set(order.where) - set(log.labels)):
        return (
            f"Predictions are not logged with the label {', '.join(unknown)}: add it to"
            " spec.serving.predictionLog.labels"
        )
    if model.status.serving is None:
        return "No version is serving yet: nothing has been predicted"
    return ""


def of_job(order: CheckOrder, job: CheckJob) -> CheckStatus:
    if job.phase == "Running":
        return status(order, "Running", job=job.name, message=job_text(job.name, job.blocked) if job.blocked else "")
    ended = {"job": job.name, "finished_at": written(job.finished or job.created)}
    if job.result and job.result.drift:
        return status(order, "Succeeded", drift=job.result.drift, message=job.result.drift.message, **ended)
    why = job.failure.message if job.failure else f"Job {job.name} ended early: {job.why or 'without a reason'}"
    return status(order, "Failed", message=why, **ended)


def status(order: CheckOrder, phase: str, **known: object) -> CheckStatus:
    return CheckStatus.model_validate(
        {
            "id": order.id,
            "by": order.by,
            "since": order.since,
            "until": order.until,
            "where": order.where,
            "phase": phase,
        }
        | known
    )
