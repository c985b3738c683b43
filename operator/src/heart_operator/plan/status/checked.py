"""Drift checks that ended between two recorded states of a model: runs for OpenLineage, whatever they found. Pure.

Of a model with several schedules the status has one check, the gravest; it is the one that is told.
"""

from collections.abc import Iterator

from heart_api.heartmodel import HeartModel, HeartModelStatus
from heart_operator.plan.status.decisions import Made, made, number, run_id


def checked(model: HeartModel, after: HeartModelStatus) -> Iterator[Made]:
    """A schedule's check, and one that a person requested."""
    before, new = model.status.drift, after.drift
    if new and (before is None or (before.time, before.schedule) != (new.time, new.schedule)):
        serving = after.serving.version if after.serving else None
        about = {"version": serving, "schedule": new.schedule, "verdict": new.verdict, "share": number(new.share)}
        yield run(model, new.time, new.schedule, **about)
    old, asked = model.status.check, after.check
    if asked and asked.drift and (old is None or old.id != asked.id or old.drift is None):
        found = asked.drift
        about = {"version": found.version, "check": asked.id, "verdict": found.verdict, "share": number(found.share)}
        yield run(model, found.time, asked.id, **about)


def run(model: HeartModel, time: str, name: str, **about: str | None) -> Made:
    identity = run_id(model, f"drift-check/{name}/{time}")
    return made(model, "drift-checked", time, name, time, kind="drift-check", run=identity, **about)
