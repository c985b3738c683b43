"""What is reported about a resource: its status, in one write, and the events that follow it."""

import logging
from dataclasses import replace
from datetime import UTC, datetime

from heart_api.heartmodel import ConditionStatus, HeartModelStatus
from heart_api.kube.kinds import EVENT, HEART_MODEL, Kind
from heart_api.kube.objects import parse_status
from heart_api.kube.values import Manifest
from heart_api.names import FIELD_MANAGER, Condition, short_hash
from heart_api.times import written
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError, Conflict, Refused
from heart_operator.observe.heartmodel import Seen
from heart_operator.plan.actions import Event, Plan

log = logging.getLogger(__name__)


class Reporter:
    """Writes statuses and events."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def record(self, seen: Seen, facts: HeartModelStatus) -> Seen:
        """Write the facts before anything depends on them; the conditions in them are still the old ones."""
        return await self._write_status(seen, facts)

    async def report(self, seen: Seen, plan: Plan) -> None:
        """Conditions last, when what they say has been done; events after they are stored."""
        reported = await self._write_status(seen, plan.status)
        for event in plan.events:
            await tell(self._cluster, HEART_MODEL, reported.raw, event)

    async def report_problem(self, raw: Manifest, reason: str, message: str) -> None:
        """Ready=False for what no plan could say: an unreadable spec, or a request that the API server refuses."""
        generation, status = raw["metadata"].get("generation"), parse_status(raw)
        conditions = not_ready(status.conditions, reason, message, generation, datetime.now(UTC))
        update = {"conditions": conditions, "observed_generation": generation}
        stored = await put_status(self._cluster, HEART_MODEL, raw, status.model_copy(update=update).dump())
        if stored is not raw:
            await tell(self._cluster, HEART_MODEL, stored, Event("Warning", reason, message))

    async def _write_status(self, seen: Seen, status: HeartModelStatus) -> Seen:
        stored = await put_status(self._cluster, HEART_MODEL, seen.raw, status.dump())
        model = seen.observed.model.model_copy(update={"status": status})
        return Seen(stored, replace(seen.observed, model=model))


async def put_status(cluster: Cluster, kind: Kind, raw: Manifest, status: Manifest) -> Manifest:
    """The object as stored; nothing is written when it has this status already.

    Refused when the cluster's CRD is older than we are and has no place for a part of it: an operator that forgets
    what it did does it again.
    """
    if raw.get("status") == status:
        return raw
    try:
        return await cluster.replace(kind, {**raw, "status": status}, "status")
    except Refused as error:
        if "unknown field" not in str(error):
            raise
        crd = f"{kind.plural}.{kind.group}"
        raise Refused(f"The CRD {crd} is not this operator's: apply those of its release (crds/). {error}") from None


async def tell(cluster: Cluster, kind: Kind, raw: Manifest, event: Event) -> None:
    """An event is told once per state of the object; that it cannot be told stops nothing."""
    try:
        await cluster.create(EVENT, event_of(kind, raw, event, datetime.now(UTC)))
    except Conflict:
        return
    except ApiError as error:
        log.warning("An event was not stored: %s", error)


def not_ready(
    conditions: tuple[ConditionStatus, ...], reason: str, message: str, generation: int | None, now: datetime
) -> tuple[ConditionStatus, ...]:
    """The conditions with Ready=False; the time of the last transition stays when it was False before."""
    old = next((entry for entry in conditions if entry.type == Condition.READY), None)
    since = old.last_transition_time if old and old.status == "False" else written(now)
    new = ConditionStatus(
        type=Condition.READY,
        status="False",
        reason=reason,
        message=message,
        last_transition_time=since,
        observed_generation=generation,
    )
    return tuple(new if entry is old else entry for entry in conditions) if old else (*conditions, new)


def event_of(kind: Kind, raw: Manifest, event: Event, now: datetime) -> Manifest:
    """A core/v1 Event about the object. Its name follows from the object's state, so that it is told once."""
    meta = raw["metadata"]
    unique = short_hash(meta["uid"], meta["resourceVersion"], event.type, event.reason, event.message, length=16)
    stamp = written(now)
    about = {name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{meta['name']}.{unique}", "namespace": meta["namespace"]},
        "involvedObject": {"apiVersion": kind.api_version, "kind": kind.kind, **about},
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1024],
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
