"""What was decided between two recorded states of a model: facts for receivers outside, each with an id. Pure."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from heart_api.checks import CheckStatus
from heart_api.heartmodel import HeartModel, HeartModelStatus, TrainingStatus
from heart_api.names import Annotation, Condition, Reason
from heart_api.outbox import MAX_VALUE, Erasure, EventType
from heart_api.status import DriftSummary
from heart_api.times import written

IDENTITY = uuid.UUID("6f1c0f9e-5d3b-5f0a-9a55-8c1a5e3f7d10")
"""Namespace of the ids (RFC 9562, version 5)."""
TAKE_PART = ("Active", "Completed")
"""States of a site that answers, or has answered to the end."""
GATE_REASONS = (Reason.GATE_PASSED, Reason.GATE_FAILED, Reason.INSUFFICIENT_EVIDENCE)


@dataclass(frozen=True, slots=True)
class Made:
    """A decision, or the beginning or end of a Job."""

    id: str
    type: EventType
    time: str
    data: Mapping[str, str]


def decisions(model: HeartModel, after: HeartModelStatus, now: datetime) -> Iterator[Made]:
    """In the order in which they come about."""
    before = model.status
    yield from jobs(model, before.training, after.training, site_names(after), evaluates=False)
    yield from jobs(model, before.evaluation, after.evaluation, "", evaluates=True)
    yield from gated(model, after, now)
    yield from approved(model, after)
    yield from rejected(model, after)
    yield from served(model, after)
    yield from drifted(model, after)


def made(model: HeartModel, type_: EventType, time: str, *key: str, **data: str | None) -> Made:
    """`key`: what tells this decision from others of its type."""
    id_ = uuid.uuid5(IDENTITY, "\0".join((model.uid, type_, *key)))
    about = {"namespace": model.namespace, "name": model.name, "registryName": model.registry_name}
    return Made(str(id_), type_, time, about | {name: value for name, value in data.items() if value})


def jobs(
    model: HeartModel, before: TrainingStatus | None, after: TrainingStatus | None, sites: str, *, evaluates: bool
) -> Iterator[Made]:
    """A training or evaluation that started or ended. One that is only remembered again has been told of.

    `sites`: of a federated training.
    """
    if after is None:
        return
    same = before is not None and before.job == after.job
    about = {"job": after.job, "run": run_id(model, after.job), "dataset": dataset(model), "sites": sites}
    kind = "evaluation" if evaluates else "training"
    if after.phase == "Running" and not same:
        yield made(model, "training-started", after.started_at or "", after.job, kind=kind, **about)
    if after.phase == "Running" or before is None or not same or before.phase != "Running":
        return
    ended = after.finished_at or after.started_at or ""
    if after.phase == "Failed":
        failed: EventType = "evaluation-failed" if evaluates else "training-failed"
        yield made(model, failed, ended, after.job, kind=kind, reason=after.reason, message=after.message, **about)
        return
    done: EventType = "evaluated" if evaluates else "trained"
    version = {"version": after.version, "digest": after.artifact_sha256, "mlflowRun": after.run_id}
    yield made(model, done, ended, after.job, kind=kind, **version, **about)


def run_id(model: HeartModel, job: str) -> str:
    """Of OpenLineage: the same for the beginning and the end of a Job."""
    return str(uuid.uuid5(IDENTITY, f"{model.uid}\0run\0{job}"))


def dataset(model: HeartModel) -> str:
    """The address without user, password and query, which may hold credentials; of a federated model its own name."""
    if model.spec.dataset is None:
        return f"federation://{model.namespace}/{model.name}"
    address = urlsplit(model.spec.dataset.uri)
    within = f"#{address.fragment}" if address.fragment else ""
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}{within}"


def site_names(after: HeartModelStatus) -> str:
    """The sites whose data a federated training is made from: `namespace/name`, as many as a value has room for.

    Those that took part; while none has joined, those that are ready to.
    """
    training = after.training
    parts = [entry.site for entry in (training.sites if training else None) or () if entry.state in TAKE_PART]
    names = parts or [entry.site for entry in after.sites or () if entry.state == "Ready"]
    text = ",".join(sorted(names))
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE].rpartition(",")[0]


def gated(model: HeartModel, after: HeartModelStatus, now: datetime) -> Iterator[Made]:
    """The verdict of the gates, when it changes."""
    old = next((entry for entry in model.status.conditions if entry.type == Condition.GATE_PASSED), None)
    new = next((entry for entry in after.conditions if entry.type == Condition.GATE_PASSED), None)
    if new is None or new.reason not in GATE_REASONS:
        return
    if old and (old.reason, old.message) == (new.reason, new.message):
        return
    verdict = {"verdict": new.reason, "message": new.message}
    trigger = after.training.trigger if after.training else ""
    yield made(model, "gated", written(now), new.reason, new.message, trigger, **verdict)


def approved(model: HeartModel, after: HeartModelStatus) -> Iterator[Made]:
    """A person's promotion of a version that waited for it."""
    old, new = model.status.command, after.command
    if new is None or not new.done or (old and old.id == new.id) or not new.action.startswith("promote"):
        return
    yield made(model, "approved", new.time, new.id, version=new.version, by=new.by, message=new.reason)


def rejected(model: HeartModel, after: HeartModelStatus) -> Iterator[Made]:
    known = {(entry.version, entry.reason, entry.time) for entry in model.status.rejected}
    for entry in after.rejected:
        if (entry.version, entry.reason, entry.time) not in known:
            about = {"version": entry.version, "digest": entry.digest, "reason": entry.reason}
            yield made(
                model,
                "rejected",
                entry.time,
                entry.version,
                entry.digest,
                entry.time,
                message=entry.message,
                **about,
            )


def served(model: HeartModel, after: HeartModelStatus) -> Iterator[Made]:
    """Each version that began to serve: promoted, or returned to."""
    known = {(entry.version, entry.from_) for entry in model.status.history}
    for entry in after.history:
        if (entry.version, entry.from_) in known:
            continue
        type_: EventType = "rolled-back" if entry.reason == Reason.ROLLED_BACK else "promoted"
        about = {"version": entry.version, "digest": entry.digest, "by": entry.by, "message": entry.message}
        yield made(model, type_, entry.from_, entry.version, entry.from_, **about)


def drifted(model: HeartModel, after: HeartModelStatus) -> Iterator[Made]:
    """Drift that a schedule's check found, or one that a person requested."""
    if is_found(model.status.drift, after.drift) and after.drift:
        serving = after.serving.version if after.serving else None
        found = {"version": serving, "schedule": after.drift.schedule, "share": number(after.drift.share)}
        yield made(model, "drift", after.drift.time, after.drift.schedule, after.drift.time, **found)
    if has_ended(model.status.check, after.check) and after.check and after.check.drift:
        drift = after.check.drift
        where = ",".join(f"{name}={value}" for name, value in sorted(after.check.where.items()))
        found = {"version": drift.version, "check": after.check.id, "by": after.check.by, "where": where}
        yield made(
            model,
            "drift",
            drift.time,
            after.check.id,
            share=number(drift.share),
            message=drift.message,
            **found,
        )


def is_found(before: DriftSummary | None, after: DriftSummary | None) -> bool:
    if after is None or after.verdict != "Drift":
        return False
    return before is None or (before.time, before.schedule, before.verdict) != (
        after.time,
        after.schedule,
        after.verdict,
    )


def has_ended(before: CheckStatus | None, after: CheckStatus | None) -> bool:
    """With drift, just now."""
    if after is None or after.drift is None or after.drift.verdict != "Drift":
        return False
    return before is None or before.id != after.id or before.drift is None


def number(share: float | None) -> str | None:
    return None if share is None else f"{share:g}"


def erased(model: HeartModel, erasure: Erasure) -> Made:
    """How much was erased from the prediction log, and by whom; never whom it was about."""
    by = model.annotations.get(Annotation.ERASED_BY, "")
    rows = {"predictions": str(erasure.predictions), "outcomes": str(erasure.outcomes)}
    return made(model, "erased", erasure.time, erasure.id, by=by, **rows)
