"""Evaluations of versions that were registered by hand.

The trigger of such a Job is `evaluate-<version>-<hash>[-v<other version>][-<hash of a retry>]`. The hash covers the
registration and the relevant part of the spec; the other version is the one that served, for the comparison. The result
for another trigger is ignored.
"""

from collections.abc import Iterable

from heart_api.heartmodel import RejectedStatus, TrainingStatus
from heart_api.names import Reason, evaluated_version, evaluation_job_name, evaluation_trigger, short_hash
from heart_api.times import written
from heart_operator.plan.blocked import pending
from heart_operator.plan.jobs import newest_first
from heart_operator.plan.observed import Observed, RegisteredVersion, TrainingJob
from heart_operator.plan.training.failures import failure_of
from heart_operator.plan.training.triggers import spec_trigger
from heart_operator.plan.versions import Version, serving_version_name

AGAIN = "`kubectl heart retry` evaluates the version again, and so does a change to the spec's data or contract"
TAG = f"{Reason.NOT_SERVABLE}:"
"""Start of the value of `rejections.tag_of` for such a rejection; the trigger follows."""


# --- questions ------------------------------------------------------------------------------------------


def question(observed: Observed, registered: RegisteredVersion) -> str:
    """What has to be answered, whoever serves: enough for whether the version can be served at all."""
    return evaluation_trigger(registered.version, str(registered.created), spec_trigger(observed.model))


def comparison(observed: Observed, registered: RegisteredVersion) -> str:
    """The question with the version to compare with, if another one serves."""
    serving = serving_version_name(observed)
    asked = question(observed, registered)
    return f"{asked}-v{serving}" if serving and serving != registered.version else asked


def retried(observed: Observed, version: str) -> str:
    """The hash of a user's retry of this version; empty if there is none."""
    command = observed.model.status.command
    asked = command is not None and command.done and (command.action, command.version) == ("retry", version)
    return short_hash(command.id) if command and asked else ""


def answers(trigger: str, asked: str) -> bool:
    return trigger == asked or trigger.startswith(f"{asked}-")


# --- what counts ----------------------------------------------------------------------------------------


def is_current(observed: Observed, version: Version) -> bool:
    """True if the evaluation of this version is the one that would be requested today; True for a trained version."""
    registered = observed.registry.versions.get(version.version)
    if registered is None or evaluated_version(version.trigger) is None:
        return True
    return answers(version.trigger, comparison(observed, registered))


def without_outdated(observed: Observed, rejected: tuple[RejectedStatus, ...]) -> tuple[RejectedStatus, ...]:
    """The rejections without those as NotServable that were for another contract, another version of this number, or
    before a user's retry."""
    return tuple(entry for entry in rejected if entry.reason != Reason.NOT_SERVABLE or stands(observed, entry))


def stands(observed: Observed, entry: RejectedStatus) -> bool:
    registered = observed.registry.versions.get(entry.version)
    return registered is None or is_not_servable(observed, registered, entry.gates_hash or "")


def is_not_servable(observed: Observed, registered: RegisteredVersion, trigger: str) -> bool:
    """Whether NotServable in answer to `trigger` still holds."""
    retry = retried(observed, registered.version)
    return answers(trigger, question(observed, registered)) and (not retry or trigger.endswith(f"-{retry}"))


def tagged(registered: RegisteredVersion) -> str | None:
    """The trigger in the tag of a version rejected as NotServable; tags are used only to reject."""
    tag = registered.rejected or ""
    return tag.removeprefix(TAG) if tag.startswith(TAG) else None


# --- records --------------------------------------------------------------------------------------------


def find_record(
    observed: Observed, jobs: tuple[TrainingJob, ...], known: TrainingStatus | None, registered: RegisteredVersion
) -> TrainingStatus | None:
    """What is known of today's question: a measurement that succeeded, else what became of the newest."""
    found = [record for record in records(observed, jobs, known, registered) if counts(observed, registered, record)]
    if done := [record for record in found if record.phase == "Succeeded"]:
        return done[0]
    newest = [record for record in found if record.trigger == found[0].trigger]
    # A record says Running until it has heard of its Job's end; until then the Job itself knows more.
    return min(
        newest, key=lambda record: (running := record.phase == "Running", running and record is known), default=None
    )


def counts(observed: Observed, registered: RegisteredVersion, record: TrainingStatus) -> bool:
    if record.reason == Reason.NOT_SERVABLE:
        return is_not_servable(observed, registered, record.trigger)
    retry = retried(observed, registered.version)
    if record.phase == "Failed" and retry and not record.trigger.endswith(f"-{retry}"):
        return False
    return answers(record.trigger, comparison(observed, registered))


def records(
    observed: Observed, jobs: tuple[TrainingJob, ...], known: TrainingStatus | None, registered: RegisteredVersion
) -> Iterable[TrainingStatus]:
    """All that is left of measurements: the record, Jobs (newest first), Deployments, the registry's memory."""
    if known:
        yield known
    yield from (of_job(job) for job in newest_first(jobs) if not is_lost(job))
    for entry in observed.deployments:
        if evaluated_version(entry.trigger) and entry.evaluation_sha256:
            yield TrainingStatus(
                job=job_name(observed, entry.trigger),
                trigger=entry.trigger,
                phase="Succeeded",
                run_id=entry.run_id,
                version=entry.version,
                artifact_sha256=entry.digest,
                evaluation_sha256=entry.evaluation_sha256,
            )
    if trigger := tagged(registered):
        yield of_tag(observed, trigger)


def of_job(job: TrainingJob) -> TrainingStatus:
    version, started = evaluated_version(job.trigger), written(job.created)
    status = TrainingStatus(job=job.name, trigger=job.trigger, phase=job.phase, started_at=started, version=version)
    if job.phase == "Running":
        return status.model_copy(update=pending(job, Reason.EVALUATION_PENDING))
    ended = {"finished_at": written(job.finished or job.created)}
    if job.result:
        return status.model_copy(update=ended | {"phase": "Succeeded", **job.result.model_dump()})
    reason, message = failure_of(job, "Evaluation", AGAIN)
    if job.failure and reason == Reason.NOT_SERVABLE:
        message = job.failure.message
    return status.model_copy(update=ended | {"phase": "Failed", "reason": reason, "message": message})


def of_tag(observed: Observed, trigger: str) -> TrainingStatus:
    """A rejection that survived the loss of status and Job."""
    return TrainingStatus(
        job=job_name(observed, trigger),
        trigger=trigger,
        phase="Failed",
        version=evaluated_version(trigger),
        reason=Reason.NOT_SERVABLE,
        message=f"it was rejected before, according to its tag in the registry. {AGAIN}",
    )


def is_lost(job: TrainingJob) -> bool:
    """The Job succeeded but its pod was removed before the result was read: evaluating again costs a minute."""
    return job.phase == "Succeeded" and job.result is None


def job_name(observed: Observed, trigger: str) -> str:
    return evaluation_job_name(observed.model.name, observed.model.uid, trigger)
