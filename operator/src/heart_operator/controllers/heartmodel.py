"""One look at one model: observe → plan → record → carry out → report → tell the registry → look again.

The registry is told last: when MLflow is down, what serves and what is reported do not wait for it.
"""

import logging
from datetime import UTC, datetime
from typing import Protocol

from heart_api.kube.values import ModelKey
from heart_api.names import Reason
from heart_operator.controllers.executor import Actions, NameTaken
from heart_operator.controllers.status import Reporter
from heart_operator.controllers.workqueue import WorkQueue
from heart_operator.kube.errors import ApiUnavailable, Conflict, NotLeading, Refused
from heart_operator.mlflow.calls import RegistryUnavailable
from heart_operator.observe.heartmodel import Observer, Seen, Unreadable
from heart_operator.plan.actions import Plan
from heart_operator.plan.observed import Observed
from heart_operator.telemetry.operator import Metrics

log = logging.getLogger(__name__)


class Decide(Protocol):
    """The pure decision."""

    def __call__(self, observed: Observed, now: datetime) -> Plan: ...


class Reconciler:
    """Brings one model at a time to what its spec declares. Raises when it has to be tried again."""

    def __init__(
        self,
        observer: Observer,
        decide: Decide,
        actions: Actions,
        reporter: Reporter,
        queue: WorkQueue[ModelKey],
        metrics: Metrics,
    ) -> None:
        self._decide = decide
        self._observer = observer
        self._actions = actions
        self._reporter = reporter
        self._queue = queue
        self._metrics = metrics

    async def __call__(self, key: ModelKey) -> None:
        """The queue's work. What fails is said here; when it is tried again is the queue's business."""
        try:
            with self._metrics.duration.time():
                await self._reconcile(key)
        except (Conflict, NotLeading) as error:
            log.info("%s is looked at again: %s", key, error)
            raise
        except (ApiUnavailable, RegistryUnavailable, Refused, NameTaken) as error:
            self._metrics.errors.inc()
            log.warning("%s is tried again: %s", key, error)
            raise
        except Exception:
            self._metrics.errors.inc()
            log.exception("%s is tried again", key)
            raise

    async def _reconcile(self, key: ModelKey) -> None:
        seen = await self._observer.observe(key)
        if seen is None:
            self._metrics.forget(key.namespace, key.name)
        elif isinstance(seen, Unreadable):
            await self._reporter.report_problem(seen.raw, Reason.INVALID_SPEC, seen.message)
        else:
            await self._act(key, seen, self._decide(seen.observed, datetime.now(UTC)))

    async def _act(self, key: ModelKey, seen: Seen, plan: Plan) -> None:
        try:
            if acts(plan):
                seen = await self._record(seen, plan)
            await self._actions.carry_out(seen.observed, plan)
            await self._reporter.report(seen, plan)
        except (Refused, NameTaken) as error:
            await self._reporter.report_problem(seen.raw, Reason.APPLY_FAILED, str(error))
            raise
        self._metrics.count_changes(seen.observed.model.status, plan.facts)
        self._metrics.show(key.namespace, key.name, plan.facts)
        await self._actions.tell_registry(seen.observed, plan)
        if plan.requeue_after is not None:
            self._queue.add_after(key, plan.requeue_after)

    async def _record(self, seen: Seen, plan: Plan) -> Seen:
        """Facts before the actions that depend on them; without actions the report writes both at once."""
        before = seen.observed.model.status
        seen = await self._reporter.record(seen, plan.facts)
        self._metrics.count_changes(before, plan.facts)
        return seen


def acts(plan: Plan) -> bool:
    return any((plan.create, plan.apply, plan.scale, plan.delete, plan.registry))
