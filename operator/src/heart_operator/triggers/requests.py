"""Writes a request into the status of a HeartModel: the newest of each kind, and never an older one over a newer."""

from collections.abc import Callable
from datetime import datetime, timedelta

from heart_api.checks import new_id
from heart_api.heartmodel import HeartModelStatus
from heart_api.kube.kinds import HEART_MODEL
from heart_api.kube.objects import parse_status
from heart_api.kube.values import Manifest
from heart_api.status import RequestsStatus
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import Conflict

ATTEMPTS = 5
"""How often a write is tried while others write the same object."""
STAMP = "%Y%m%dT%H%M%SZ"
Change = Callable[[RequestsStatus], RequestsStatus]


class Suspended(Exception):
    """Nothing is done for a suspended HeartModel."""


async def record(cluster: Cluster, namespace: str, name: str, change: Change) -> RequestsStatus:
    """The requests as they are stored now. Writes nothing where `change` changes nothing.

    Raises Suspended, or an ApiError: NotFound, or Conflict when others kept writing.
    """
    for attempt in range(ATTEMPTS):
        raw = await cluster.get(HEART_MODEL, namespace, name)
        if (raw.get("spec") or {}).get("suspend"):
            raise Suspended
        status = parse_status(raw)
        before = status.requests or RequestsStatus()
        after = change(before)
        if after == before:
            return before
        try:
            await cluster.replace(HEART_MODEL, with_requests(raw, status, after), "status")
        except Conflict:
            if attempt + 1 == ATTEMPTS:
                raise
        else:
            return after
    raise AssertionError("the last attempt returns or raises")


def with_requests(raw: Manifest, status: HeartModelStatus, requests: RequestsStatus) -> Manifest:
    return {**raw, "status": status.model_copy(update={"requests": requests}).dump()}


def next_id(now: datetime, unique: str, before: str) -> str:
    """An id that sorts behind the one before, whatever the clocks say."""
    found = new_id(now, unique)
    if found > before:
        return found
    try:
        known = datetime.strptime(before.partition("-")[0], STAMP)
    except ValueError:
        return found
    return new_id(known + timedelta(seconds=1), unique)
