"""One reconcile of a FederationSite: observe once → plan → carry out, in the site's own namespace alone."""

from collections.abc import Callable
from datetime import UTC, datetime

from heart_api.kube.values import SiteKey
from heart_api.names import SiteReason
from heart_operator.controllers.executor import Executor
from heart_operator.controllers.reconciler import DEADLINE, Failures, within
from heart_operator.controllers.status import problem
from heart_operator.observe.observation import Unreadable
from heart_operator.observe.sites import SiteObserver
from heart_operator.plan.federation.site import plan_site
from heart_operator.telemetry.operator import Metrics


class SiteReconciler:
    """Brings one site at a time to what its holder declares."""

    def __init__(
        self,
        observer: SiteObserver,
        executor: Executor,
        requeue: Callable[[SiteKey, float], None],
        metrics: Metrics,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._observer = observer
        self._executor = executor
        self._requeue = requeue
        self._metrics = metrics
        self._now = now

    async def __call__(self, key: SiteKey) -> None:
        """The queue's work; raises what failed, to be retried."""
        failures = Failures(self._metrics.errors)
        with failures.noted(str(key)):
            async with within(DEADLINE):
                await self._reconcile(key)
        failures.raise_first()

    async def _reconcile(self, key: SiteKey) -> None:
        seen = await self._observer.observe(key)
        if seen is None:
            return
        if isinstance(seen, Unreadable):
            unreadable = problem(seen.owner, SiteReason.INVALID_SPEC, seen.message, self._now())
            await self._executor.carry_out(seen.owner, unreadable)
            return
        plan = plan_site(seen.observed, self._now())
        await self._executor.carry_out(seen.owner, plan)
        if plan.requeue_after is not None:
            self._requeue(key, plan.requeue_after)
