"""What starts a training.

A trigger is `<hash of the spec's part>[-<hash of the annotation's value>][-<request of a RetrainSchedule>]…`. It is
derived from the current requests, so that the same requests give the same Job after any restart.
"""

import json
from collections.abc import Iterable
from typing import Any

from heart_api.heartmodel import HeartModel, HeartModelSpec
from heart_api.names import Annotation, short_hash
from heart_operator.plan.jobs import newest_first
from heart_operator.plan.observed import Observed
from heart_operator.plan.training.requests import open_requests
from heart_operator.plan.versions import order

WITHOUT_EFFECT: dict[str, Any] = {
    "resources": True,
    "timeout_seconds": True,
    "backoff_limit": True,
    "tuning": {"parallelism"},
}
"""Fields of `spec.training` that change how long it takes, not what comes out."""


def spec_trigger(model: HeartModel) -> str:
    """Changes with everything that a training depends on.

    Fields at their default are left out, so that a new operator with a new field does not train every model again.
    """
    spec = model.spec
    parts = {
        **source(spec),
        "target": spec.target.model_dump(exclude_defaults=True),
        "features": [feature.model_dump(exclude_defaults=True) for feature in spec.features],
        "training": without_empty(spec.training.model_dump(exclude_defaults=True, exclude=WITHOUT_EFFECT)),
    }
    return short_hash(json.dumps(parts, sort_keys=True))


def without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Less the sections of which nothing is left."""
    return {name: value for name, value in fields.items() if value != {}}


def source(spec: HeartModelSpec) -> dict[str, Any]:
    """Where the rows are. What happens without a site, and how long is waited for one, changes no model."""
    if spec.federation:
        named = spec.federation.model_dump(exclude_defaults=True, include={"selector", "aggregation"})
        return {"federation": named | ({"sites": sorted(spec.federation.sites)} if spec.federation.sites else {})}
    return {"dataset": spec.dataset.model_dump(exclude_defaults=True) if spec.dataset else {}}


def current_trigger(observed: Observed) -> str:
    """The trigger that a training must have to count as done.

    Whatever was last trained for this spec and answers every request still counts: removing the annotation (by a
    tool that applies files) and the end of a scheduled run request nothing.
    """
    model = observed.model
    spec, requests = spec_trigger(model), (*annotation_request(model), *open_requests(observed.schedules, model.name))
    for trigger in past_triggers(observed):
        first, *answered = trigger.split("-")
        if first == spec and set(requests) <= set(answered):
            return trigger
    return "-".join((spec, *requests))


def annotation_request(model: HeartModel) -> tuple[str, ...]:
    """Of a person's annotation, and of the newest request over HTTP."""
    over_http = model.status.requests.retrain if model.status.requests else None
    values = (model.annotations.get(Annotation.RETRAIN), over_http.id if over_http else None)
    return tuple(dict.fromkeys(short_hash(value) for value in values if value))


def is_asked_for(observed: Observed) -> bool:
    """Whether a person, or a caller over HTTP, asks for a training that has not begun, whatever its spec was."""
    answered = {part for trigger in past_triggers(observed) for part in trigger.split("-")[1:]}
    return not answered.issuperset(annotation_request(observed.model))


def past_triggers(observed: Observed) -> Iterable[str]:
    """Newest first, as far as known: status, the running Job, versions newer than the serving one, that one itself (it
    must not give way to an older Job), Jobs, other Deployments."""
    if training := observed.model.status.training:
        yield training.trigger
    yield from (job.trigger for job in observed.jobs if job.phase == "Running")
    serving = observed.stable_version
    yield from triggers_after(observed, serving)
    yield from (deployment.trigger for deployment in observed.deployments if deployment.version == serving)
    yield from (job.trigger for job in newest_first(observed.jobs))
    yield from (deployment.trigger for deployment in observed.deployments)


def triggers_after(observed: Observed, serving: str | None) -> list[str]:
    """Of the versions that are newer than this one, the newest first."""
    of_jobs = [(job.result.version, job.trigger) for job in observed.jobs if job.result]
    found = [*of_jobs, *((deployment.version, deployment.trigger) for deployment in observed.deployments)]
    newer = [entry for entry in found if order(entry[0]) > order(serving or "")]
    return [trigger for _, trigger in sorted(newer, key=lambda entry: order(entry[0]), reverse=True)]
