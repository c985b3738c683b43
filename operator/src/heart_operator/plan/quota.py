"""Quotas of a namespace, from the runtime profile: which models and schedules count, and when a training may start.

The oldest models and schedules of a namespace are those within the quota. A tenant may choose among profiles, so every
profile's quota counts all of the namespace's objects, whatever profile they use.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from heart_api.profile import RuntimeProfile
from heart_api.times import written

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class StartedTraining:
    """A training that counts against the hour's quota."""

    job: str
    at: datetime
    pending: bool = False
    """Its Job is planned and may not exist yet."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a namespace uses."""

    count: int = 1
    """Its HeartModels, or RetrainSchedules."""
    older: int = 0
    """Those that are older than the one that is planned."""
    trainings: tuple[StartedTraining, ...] = ()
    """Started within the last hour, oldest first."""
    taken: Mapping[str, str] = field(default_factory=dict)
    """Addresses (plan.claims) that older models have, and their names."""


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True)
class QuotaWait:
    """What waits for a quota."""

    quota: Literal["models", "schedules", "trainingsPerHour"]
    message: str
    until: datetime | None = None
    """None: until somebody deletes something, or an administrator raises the quota."""


def models_wait(namespace: str, runtime: str, profile: RuntimeProfile | None, usage: Usage) -> QuotaWait | None:
    limit = profile.quota.models if profile else None
    return None if limit is None or usage.older < limit else too_many("models", namespace, runtime, usage, limit)


def schedules_wait(namespace: str, runtime: str, profile: RuntimeProfile | None, usage: Usage) -> QuotaWait | None:
    limit = profile.quota.schedules if profile else None
    return None if limit is None or usage.older < limit else too_many("schedules", namespace, runtime, usage, limit)


def too_many(
    quota: Literal["models", "schedules"], namespace: str, runtime: str, usage: Usage, limit: int
) -> QuotaWait:
    kind = {"models": "HeartModels", "schedules": "RetrainSchedules"}[quota]
    return QuotaWait(
        quota,
        f"Namespace {namespace} has {usage.count} {kind}, its quota is {limit}, and {usage.older} are older than this"
        f" one; delete another, or ask an administrator to raise runtimes.{runtime}.quota.{quota}",
    )


def training_wait(
    namespace: str, runtime: str, profile: RuntimeProfile | None, usage: Usage, job: str, now: datetime
) -> QuotaWait | None:
    """None: the training of this Job may start now.

    Every creation of a Job counts, also of one that somebody deleted; the one that is planned already counts once.
    """
    limit = profile.quota.trainings_per_hour if profile else None
    if limit is None:
        return None
    counted = [
        entry.at for entry in usage.trainings if entry.at > now - HOUR and not (entry.pending and entry.job == job)
    ]
    if len(counted) < limit:
        return None
    until = counted[-limit] + HOUR
    return QuotaWait(
        "trainingsPerHour",
        f"Namespace {namespace} has started {len(counted)} trainings within an hour and its quota is {limit}; the"
        f" training waits until {written(until)} at least (runtimes.{runtime}.quota.trainingsPerHour)",
        until,
    )
