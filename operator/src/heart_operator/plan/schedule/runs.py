"""What became of each run: read from the HeartModel, which owns trainings, gates and rollouts."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from heart_api.heartmodel import HeartModel, TrainingStatus
from heart_api.names import Condition, Reason
from heart_api.schedulestatus import RunStatus
from heart_api.times import read, written
from heart_operator.plan.schedule.observed import ScheduleObserved
from heart_operator.plan.training.requests import requests_of

ENDED = ("Succeeded", "Failed", "Missed")
STOPPED = "Replaced by another training before it finished"


def follow(observed: ScheduleObserved, run: RunStatus, now: datetime) -> RunStatus:
    """The run as it stands now; one that has ended stays as it is."""
    if run.phase in ENDED:
        return run
    found = advance(observed, run, now)
    ended = found.phase in ENDED
    return found.model_copy(update={"finished_at": written(now)}) if ended and not found.finished_at else found


def advance(observed: ScheduleObserved, run: RunStatus, now: datetime) -> RunStatus:
    model = observed.model
    if model is None:
        return changed(run, phase="Missed", message="The HeartModel was deleted")
    recorded = model.status.training
    if recorded and run.id in requests_of(recorded.trigger):
        return of_training(observed, model, run, recorded)
    if run.phase == "RollingOut" and run.version:
        return of_version(model, run, run.version)
    for job in observed.trainings:
        if run.id in requests_of(job.trigger):
            return changed(run, phase="Training", job=job.name, started_at=written(job.created), message="")
    if run.phase == "Training":
        return changed(run, phase="Failed", message=STOPPED)
    return still_wanted(observed, run, now)


def of_training(observed: ScheduleObserved, model: HeartModel, run: RunStatus, training: TrainingStatus) -> RunStatus:
    """The newest training of the model is this run's."""
    known = changed(run, job=training.job, started_at=run.started_at or training.started_at, message="")
    if training.phase == "Running":
        return changed(known, phase="Training")
    if training.phase == "Failed" or training.version is None:
        return changed(known, phase="Failed", message=training.message or training.reason or "The training failed")
    return of_version(model, changed(known, phase="RollingOut", version=training.version), training.version)


def of_version(model: HeartModel, run: RunStatus, version: str) -> RunStatus:
    """What gate and rollout make of a version."""
    status = model.status
    if status.serving and status.serving.version == version:
        return changed(run, phase="Succeeded", gate=Reason.GATE_PASSED, rollout=f"Serves since {status.serving.since}")
    if any(entry.version == version for entry in status.history):
        return changed(run, phase="Succeeded", gate=Reason.GATE_PASSED, rollout="No longer serving")
    for entry in status.rejected:
        if entry.version == version:
            failed_gate = entry.reason == Reason.GATE_FAILED
            became = {"gate": entry.reason} if failed_gate else {"gate": Reason.GATE_PASSED, "rollout": entry.reason}
            return changed(run, phase="Failed", message=entry.message, **became)
    if status.candidate and status.candidate.version == version:
        weight = f"Candidate, {status.candidate.weight}% of the traffic"
        return changed(run, gate=Reason.GATE_PASSED, rollout=weight, message=status.candidate.waits_for)
    if status.training and status.training.version not in (None, version):
        return changed(run, phase="Failed", message=f"Version {status.training.version} replaced it")
    if (pinned := model.spec.pinned_version) and pinned != version:
        return changed(run, message=f"spec.version names version {pinned}: version {version} is not served")
    return changed(run, gate=reason_of(model, Condition.GATE_PASSED), message=waits_for(model))


def still_wanted(observed: ScheduleObserved, run: RunStatus, now: datetime) -> RunStatus:
    """A request that no training has answered yet: withdrawn by suspension, a pinned version, and the deadline."""
    spec = observed.schedule.spec
    if spec.suspend:
        return changed(run, phase="Missed", message="The schedule was suspended before the training started")
    if observed.model and (pinned := observed.model.spec.pinned_version):
        message = f"spec.version was set to version {pinned} before the training started"
        return changed(run, phase="Missed", message=message)
    why = waits_for(observed.model) if observed.model else ""
    if now > read(run.requested_at) + timedelta(seconds=spec.starting_deadline_seconds):
        late = f"The training did not start within {spec.starting_deadline_seconds} s"
        return changed(run, phase="Missed", message=f"{late}: {why}" if why else late)
    return changed(run, message=why)


def waits_for(model: HeartModel) -> str:
    """The model's message on why its rollout does not proceed."""
    found = next((entry for entry in model.status.conditions if entry.type == Condition.PROGRESSING), None)
    return found.message if found else ""


def reason_of(model: HeartModel, type_: str) -> str | None:
    return next((entry.reason for entry in model.status.conditions if entry.type == type_), None)


def changed(run: RunStatus, **update: Any) -> RunStatus:
    return run.model_copy(update=update)


def kept(runs: Iterable[RunStatus], successful: int, failed: int) -> tuple[RunStatus, ...]:
    """Newest first: what has not ended, and as many ended ones as the history limits allow."""
    left = {"Succeeded": successful, "Failed": failed}
    found = []
    for run in sorted(runs, key=lambda run: (run.requested_at, run.id), reverse=True):
        kind = "Succeeded" if run.phase == "Succeeded" else "Failed"
        if run.phase in ENDED:
            left[kind] -= 1
        if run.phase not in ENDED or left[kind] >= 0:
            found.append(run)
    return tuple(found)
