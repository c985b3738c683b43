"""Reports what keeps HeartOps' own Jobs and Deployments from running: a metric, an event on the object, a log line."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Never

from heart_api.kube.installation import BlockedComponent
from heart_api.kube.values import ModelKey
from heart_operator.controllers.status import StatusWriter
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError
from heart_operator.observe.installation import find_blocked_components
from heart_operator.observe.observation import Owner
from heart_operator.plan.actions import Event
from heart_operator.plan.observed import BlockedWorkload
from heart_operator.telemetry.blocked import BlockedCollector

PAUSE_SECONDS = 10.0
REASON = "PodsPending"

log = logging.getLogger(__name__)


class InstallationWatch:
    """Looks at the operator's own namespace: few objects, whatever the number of models."""

    def __init__(
        self,
        cluster: Cluster,
        namespace: str,
        collector: BlockedCollector,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster, self._namespace, self._collector, self._now = cluster, namespace, collector, now
        self._events = StatusWriter(cluster)
        # What the last check found, and whether the one before had: pods of an installation wait for each other.
        self._before: dict[tuple[str, str], bool] = {}
        self.blocked: tuple[BlockedWorkload, ...] = ()

    async def keep(self) -> Never:
        while True:
            await self.check()
            await asyncio.sleep(PAUSE_SECONDS)

    async def check(self) -> None:
        """Report once; while the API server does not answer, what was found last stands."""
        try:
            found = await find_blocked_components(self._cluster, self._namespace, self._now())
        except ApiError as error:
            log.warning("The installation's Jobs and Deployments cannot be read: %s", error)
            return
        self.blocked = tuple(BlockedWorkload(entry.kind.kind, entry.name, entry.blocked.cause) for entry in found)
        self._collector.show(ModelKey(self._namespace, ""), "installation", self.blocked)
        seen = self._before
        self._before = {identity(entry): identity(entry) in seen for entry in found}
        for entry in found:
            if seen.get(identity(entry)) is False:
                await self._report(entry)

    async def _report(self, entry: BlockedComponent) -> None:
        owner = Owner(entry.kind, entry.item, {})
        log.warning("%s", entry)
        await self._events.emit(owner, Event("Warning", REASON, str(entry)))


def identity(entry: BlockedComponent) -> tuple[str, str]:
    """An event is repeated only for another cause."""
    return entry.item["metadata"]["uid"], entry.blocked.cause
