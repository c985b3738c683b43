"""What ended between two recorded states of a model, with the times of DORA's four key metrics. Pure.

A deployment is a version that becomes the stable one. It failed if it was taken back after it had traffic: rejected
during its rollout, or rolled back after its promotion. A version that an experiment did not find better has not failed:
to be compared for days was its purpose, and there is nothing to restore.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from heart_api.heartmodel import HeartModelStatus, RejectedStatus
from heart_api.names import Reason, evaluated_version
from heart_api.status import TrainingStatus
from heart_api.times import read
from heart_operator.plan.training.requests import CAUSES, requests_of

Result = Literal["promoted", "rejected", "rolled_back", "gate_failed", "experiment_lost"]
"""rejected: during its rollout; gate_failed: before one began; experiment_lost: by the outcomes of its users."""
RESULTS: tuple[Result, ...] = get_args(Result)
BEFORE_A_ROLLOUT = (Reason.GATE_FAILED, Reason.INSUFFICIENT_EVIDENCE, Reason.NOT_SERVABLE)
TRIGGERS = (*(cause.lower() for cause in CAUSES.values()), "spec", "retrain", "evaluation")
PHASES = ("succeeded", "failed")


@dataclass(frozen=True, slots=True)
class EndedTraining:
    """A training or evaluation Job that ended."""

    trigger: str
    """Why it ran: one of TRIGGERS, as identities would make endless series."""
    result: str
    """One of PHASES."""
    seconds: float | None
    """From the creation of the Job to its end; None: not known."""


@dataclass(frozen=True, slots=True)
class EndedRollout:
    """A version that became the stable one, or will not."""

    result: Result
    lead_time: float | None = None
    """Of a promotion: seconds since its training or evaluation Job was created, else since its rollout started."""
    time_to_restore: float | None = None
    """Of a failed deployment: seconds from its rollout (rolled_back: from its promotion) until it was taken
    back."""


def ended_trainings(before: HeartModelStatus, after: HeartModelStatus) -> list[EndedTraining]:
    """Each training or evaluation that ended between the two.

    Only one that was recorded as running: an older Job that answers today's question again has been counted.
    """
    records = (before.training, after.training), (before.evaluation, after.evaluation)
    return [
        EndedTraining(kind_of(new.trigger), new.phase.lower(), seconds_between(new.started_at, new.finished_at))
        for old, new in records
        if old and new and old.job == new.job and old.phase == "Running" and new.phase != "Running"
    ]


def kind_of(trigger: str) -> str:
    """Why it was trained or measured."""
    if evaluated_version(trigger):
        return "evaluation"
    if requests := requests_of(trigger):
        return CAUSES[requests[0][0]].lower()
    return "retrain" if "-" in trigger else "spec"


def ended_rollouts(before: HeartModelStatus, after: HeartModelStatus) -> list[EndedRollout]:
    """Each version that was promoted, rejected or rolled back between the two."""
    return [*changes_of_stable(before, after), *rejections(before, after)]


def changes_of_stable(before: HeartModelStatus, after: HeartModelStatus) -> Iterator[EndedRollout]:
    served, serves = before.serving, after.serving
    if serves is None or (served and served.version == serves.version):
        return
    if is_return(before, serves.version):
        since = served.since if served else None
        yield EndedRollout("rolled_back", time_to_restore=seconds_between(since, serves.since))
    else:
        started = start_of(serves.version, before, after)
        yield EndedRollout("promoted", lead_time=seconds_between(started, serves.since))


def rejections(before: HeartModelStatus, after: HeartModelStatus) -> Iterator[EndedRollout]:
    """Without that of the serving version: its rollback counts when the other one serves."""
    served = before.serving.version if before.serving else None
    known = {(entry.version, entry.reason, entry.time) for entry in before.rejected}
    for entry in after.rejected:
        if (entry.version, entry.reason, entry.time) not in known and entry.version != served:
            yield rejection(before, entry)


def rejection(before: HeartModelStatus, entry: RejectedStatus) -> EndedRollout:
    if entry.reason in BEFORE_A_ROLLOUT:
        return EndedRollout("gate_failed")
    if entry.reason == Reason.EXPERIMENT_FAILED:
        return EndedRollout("experiment_lost")
    candidate = before.candidate
    since = candidate.since if candidate and candidate.version == entry.version else None
    return EndedRollout("rejected", time_to_restore=seconds_between(since, entry.time))


def start_of(version: str, before: HeartModelStatus, after: HeartModelStatus) -> str | None:
    """When the work on the version started."""
    jobs: tuple[TrainingStatus | None, ...] = (after.training, before.training, after.evaluation, before.evaluation)
    started = next((job.started_at for job in jobs if job and job.version == version and job.started_at), None)
    candidate = before.candidate
    return started or (candidate.since if candidate and candidate.version == version else None)


def is_return(before: HeartModelStatus, version: str | None) -> bool:
    """Whether the version is the one that was kept warm for this."""
    return before.previous is not None and before.previous.version == version


def seconds_between(start: str | None, end: str | None) -> float | None:
    """None if one of them is not known; clocks that disagree make no negative durations."""
    if not start or not end:
        return None
    return max(0.0, (read(end) - read(start)).total_seconds())
