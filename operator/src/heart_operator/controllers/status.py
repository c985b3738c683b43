"""What is reported about a resource: its status, in one write, and the events that follow it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from heart_api.federationsitestatus import FederationSiteStatus
from heart_api.heartmodel import ConditionStatus, HeartModelStatus
from heart_api.kube.kinds import EVENT, FEDERATION_SITE, HEART_MODEL, RETRAIN_SCHEDULE, Kind
from heart_api.kube.objects import parse_status
from heart_api.kube.schedules import parse_schedule_status
from heart_api.kube.sites import parse_site_status
from heart_api.kube.values import Manifest
from heart_api.names import FIELD_MANAGER, Condition, short_hash
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_api.times import written
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError, Conflict, RequestRejected
from heart_operator.observe.observation import Owner
from heart_operator.plan.actions import Event, ResourcePlan
from heart_operator.plan.status.kstatus import set_abnormal

log = logging.getLogger(__name__)

AnyStatus = HeartModelStatus | RetrainScheduleStatus | FederationSiteStatus
PARSERS: Mapping[Kind, Callable[[Manifest], AnyStatus]] = {
    HEART_MODEL: parse_status,
    RETRAIN_SCHEDULE: parse_schedule_status,
    FEDERATION_SITE: parse_site_status,
}
Stored = Callable[[Manifest, AnyStatus], None]
"""Called after a status was written: the object as it was before, and the new status."""


class StatusWriter:
    """Writes the statuses of our kinds, and the events that follow."""

    def __init__(self, cluster: Cluster, stored: Stored = lambda owner, status: None) -> None:
        self._cluster = cluster
        self._stored = stored

    async def write(self, owner: Owner, status: AnyStatus) -> Owner:
        """Return the owner as stored; nothing is written when it already has this status.

        Raises RequestRejected when the installed CRD is older than the operator and lacks a field: without the
        field the operator would forget what it did and repeat it.
        """
        dumped = status.dump()
        if owner.raw.get("status") == dumped:
            return owner
        try:
            raw = await self._cluster.replace(owner.kind, {**owner.raw, "status": dumped}, "status")
        except RequestRejected as error:
            if "unknown field" not in str(error):
                raise
            crd = f"{owner.kind.plural}.{owner.kind.group}"
            raise RequestRejected(
                f"The CRD {crd} belongs to another release: apply the CRDs of this release (crds/). {error}"
            ) from None
        self._stored(owner.raw, status)
        return replace(owner, raw=raw)

    async def report(self, owner: Owner, plan: ResourcePlan[Any]) -> None:
        """Conditions last, when what they say has been done; events after they are stored."""
        reported = await self.write(owner, plan.status)
        for event in plan.events:
            await self.emit(reported, event)

    async def emit(self, owner: Owner, event: Event) -> None:
        """An event is stored once per state of the object; that it cannot be stored stops nothing."""
        try:
            await self._cluster.create(EVENT, event_of(owner, event, datetime.now(UTC)))
        except Conflict:
            return
        except ApiError as error:
            log.warning("%s: the event could not be created: %s", owner, error)


def problem(owner: Owner, reason: str, message: str, now: datetime) -> ResourcePlan[Any]:
    """Set Ready=False for what no plan can report: an unreadable spec, or a request that the API server rejects.

    An event is sent only if the status does not report the same already.
    """
    status: AnyStatus = PARSERS[owner.kind](owner.raw)
    generation = owner.raw["metadata"].get("generation")
    conditions = not_ready(status.conditions, reason, message, generation, now)
    facts = status.model_copy(update={"observed_generation": generation})
    plan: ResourcePlan[Any] = ResourcePlan(facts, conditions=conditions)
    known = owner.raw.get("status") == plan.status.dump()
    return plan if known else replace(plan, events=(Event("Warning", reason, message),))


def not_ready(
    conditions: tuple[ConditionStatus, ...], reason: str, message: str, generation: int | None, now: datetime
) -> tuple[ConditionStatus, ...]:
    """The conditions with Ready=False and Stalled; the time of the last transition stays when it was False before."""
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
    found = tuple(new if entry is old else entry for entry in conditions) if old else (*conditions, new)
    return set_abnormal(found, conditions, Condition.STALLED, new, now)


def event_of(owner: Owner, event: Event, now: datetime) -> Manifest:
    """A core/v1 Event about the object. Its name follows from the object's state, so that it is stored once."""
    meta = owner.raw["metadata"]
    unique = short_hash(meta["uid"], meta["resourceVersion"], event.type, event.reason, event.message, length=16)
    stamp = written(now)
    about = {name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{meta['name']}.{unique}", "namespace": meta["namespace"]},
        "involvedObject": {"apiVersion": owner.kind.api_version, "kind": owner.kind.kind, **about},
        "type": event.type,
        "reason": event.reason,
        "message": event.message[:1024],
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
