"""What Jobs of ours have measured of versions that somebody registered by hand.

The trigger of such a Job says what was asked: `evaluate-<version>-<hash>[-<hash of a person's retry>]`. The first hash
covers the registration, the spec's question and the version to compare with. What was measured for another question
counts for nothing.
"""

from collections.abc import Iterable

from heart_operator.api.heartmodel import HeartModel, TrainingStatus
from heart_operator.api.names import Reason, evaluated_version, evaluation_job_name, evaluation_trigger, short_hash
from heart_operator.plan.failures import failure_of
from heart_operator.plan.times import written
from heart_operator.plan.triggers import spec_trigger
from heart_operator.plan.values import Observed, RegisteredVersion, TrainingJob
from heart_operator.plan.versions import Version

AGAIN = "`kubectl heart retry` measures the version again, and so does a change of the spec's data or contract"


def question(model: HeartModel, registered: RegisteredVersion, stable: Version | None) -> str:
    """What has to be answered: the trigger without a person's retry."""
    against = stable.version if stable else ""
    return evaluation_trigger(registered.version, str(registered.created), spec_trigger(model), against)


def answers(trigger: str, asked: str) -> bool:
    return trigger == asked or trigger.startswith(f"{asked}-")


def is_current(observed: Observed, version: Version, stable: Version | None) -> bool:
    """Whether what a Job of ours measured of this version is what would be asked today; True for a trained version."""
    registered = observed.registry.versions.get(version.version)
    if registered is None or evaluated_version(version.trigger) is None:
        return True
    return answers(version.trigger, question(observed.model, registered, stable))


def wanted_trigger(
    observed: Observed,
    jobs: tuple[TrainingJob, ...],
    known: TrainingStatus | None,
    registered: RegisteredVersion,
    stable: Version | None,
) -> str:
    """A measurement that succeeded counts for good; after a failure a person's retry asks for another one."""
    asked = question(observed.model, registered, stable)
    past = [record for record in records(observed, jobs, known) if answers(record.trigger, asked)]
    done = [record.trigger for record in past if record.phase == "Succeeded"]
    wanted = f"{asked}-{retry}" if (retry := retried(observed.model, registered.version)) else asked
    open_ = [record.trigger for record in past if record.trigger == wanted or wanted == asked]
    return next(iter(done + open_), wanted)


def retried(model: HeartModel, version: str) -> str:
    """The hash of a person's wish to try this version again; empty: there is none."""
    command = model.status.command
    asked = command is not None and command.done and (command.action, command.version) == ("retry", version)
    return short_hash(command.id) if command and asked else ""


def records(
    observed: Observed, jobs: tuple[TrainingJob, ...], known: TrainingStatus | None
) -> Iterable[TrainingStatus]:
    """What is known of measurements, newest first: the record, the Jobs, Deployments whose Job is gone."""
    if known:
        yield known
    for job in sorted(jobs, key=lambda job: (job.created, job.name), reverse=True):
        if not is_lost(job):
            yield of_job(job)
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


def find_record(
    observed: Observed,
    jobs: tuple[TrainingJob, ...],
    known: TrainingStatus | None,
    registered: RegisteredVersion,
    trigger: str,
) -> TrainingStatus | None:
    """The record once it is final, else what the Job says, else the registry's memory of a refusal."""
    found = [record for record in records(observed, jobs, known) if record.trigger == trigger]
    final = [record for record in found if record.phase != "Running"]
    return next(iter(final or found), of_tag(observed, trigger) if is_tagged(registered, trigger) else None)


def is_tagged(registered: RegisteredVersion, trigger: str) -> bool:
    """Whether the registry remembers that this question was answered with NotServable (`rejections.tag_of`)."""
    return registered.rejected == f"{Reason.NOT_SERVABLE}:{trigger}"


def of_job(job: TrainingJob) -> TrainingStatus:
    status = TrainingStatus(
        job=job.name,
        trigger=job.trigger,
        phase=job.phase,
        started_at=written(job.created),
        version=evaluated_version(job.trigger),
    )
    if job.phase == "Running":
        return status
    ended = {"finished_at": written(job.finished or job.created)}
    if job.result:
        return status.model_copy(update=ended | {"phase": "Succeeded", **job.result.model_dump()})
    reason, message = failure_of(job, "Evaluation", AGAIN)
    if job.failure and reason == Reason.NOT_SERVABLE:
        message = job.failure.message
    return status.model_copy(update=ended | {"phase": "Failed", "reason": reason, "message": message})


def of_tag(observed: Observed, trigger: str) -> TrainingStatus:
    """A refusal that survived the loss of status and Job; tags are only ever used to refuse."""
    return TrainingStatus(
        job=job_name(observed, trigger),
        trigger=trigger,
        phase="Failed",
        version=evaluated_version(trigger),
        reason=Reason.NOT_SERVABLE,
        message=f"it was refused before, says its tag in the registry. {AGAIN}",
    )


def is_lost(job: TrainingJob) -> bool:
    """It ended well and its pod was removed before anybody read the result: measuring again costs a minute."""
    return job.phase == "Succeeded" and job.result is None


def job_name(observed: Observed, trigger: str) -> str:
    return evaluation_job_name(observed.model.name, observed.model.uid, trigger)
