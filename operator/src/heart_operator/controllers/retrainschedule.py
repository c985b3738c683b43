"""One look at the schedules of one model: observe → plan → record → carry out → report → look again."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import Counter

from heart_api.kube.kinds import JOB, RETRAIN_SCHEDULE
from heart_api.kube.objects import owned
from heart_api.kube.schedules import parse_schedule_status
from heart_api.kube.values import Manifest, ModelKey, ObjectKey
from heart_api.names import ScheduleReason
from heart_operator.controllers.executor import NameTaken
from heart_operator.controllers.status import not_ready, put_status, tell
from heart_operator.controllers.workqueue import WorkQueue
from heart_operator.kube.client import Cluster
from heart_operator.kube.errors import ApiError, Conflict, NotFound, NotLeading, Refused
from heart_operator.observe.retrainschedule import ScheduleObserver, SeenSchedule, UnreadableSchedule
from heart_operator.plan.actions import Event
from heart_operator.plan.schedule.observed import SchedulePlan
from heart_operator.plan.schedule.schedule import plan_retrain_schedule
from heart_operator.telemetry.schedules import ScheduleMetrics

log = logging.getLogger(__name__)


class ScheduleReconciler:
    """Brings the schedules of one model to where they should be. Raises when a look has to be tried again."""

    def __init__(
        self,
        cluster: Cluster,
        observer: ScheduleObserver,
        queue: WorkQueue[ModelKey],
        metrics: ScheduleMetrics,
        errors: Counter,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cluster = cluster
        self._observer = observer
        self._queue = queue
        self._metrics = metrics
        self._errors = errors
        self._now = now

    async def __call__(self, key: ModelKey) -> None:
        """Every schedule is looked at, whatever becomes of the others; then the first failure is raised."""
        schedules = await self._observer.observe(key)
        self._metrics.keep_only(key, [found.raw["metadata"]["name"] for found in schedules])
        failures = []
        for found in schedules:
            try:
                await self._look(key, found)
            except NotLeading:
                raise
            except Exception as error:
                self._say(key, found.raw["metadata"]["name"], error)
                failures.append(error)
        if failures:
            raise failures[0]

    def _say(self, key: ModelKey, name: str, error: Exception) -> None:
        """When it is tried again is the queue's business."""
        where = f"{key.namespace}/{name} (RetrainSchedule)"
        if isinstance(error, Conflict):
            log.info("%s is looked at again: %s", where, error)
            return
        self._errors.inc()
        if isinstance(error, ApiError | NameTaken):
            log.warning("%s is tried again: %s", where, error)
        else:
            log.error("%s is tried again", where, exc_info=error)

    async def _look(self, key: ModelKey, found: SeenSchedule | UnreadableSchedule) -> None:
        if isinstance(found, UnreadableSchedule):
            await self._report_problem(found.raw, ScheduleReason.INVALID_SPEC, found.message)
            return
        plan = plan_retrain_schedule(found.observed, self._now())
        try:
            await self._carry_out(found, plan)
        except (Refused, NameTaken) as error:
            await self._report_problem(found.raw, ScheduleReason.APPLY_FAILED, str(error))
            raise
        self._metrics.show(found.observed.schedule, plan.status)
        if plan.requeue_after is not None:
            self._queue.add_after(key, plan.requeue_after)

    async def _carry_out(self, found: SeenSchedule, plan: SchedulePlan) -> None:
        raw = await self._act(found, plan)
        raw = await put_status(self._cluster, RETRAIN_SCHEDULE, raw, plan.status.dump())
        for event in plan.events:
            await tell(self._cluster, RETRAIN_SCHEDULE, raw, event)

    async def _act(self, found: SeenSchedule, plan: SchedulePlan) -> Manifest:
        """Facts before the actions that depend on them; returns the schedule as stored."""
        if not plan.create and not plan.delete:
            return found.raw
        raw = await put_status(self._cluster, RETRAIN_SCHEDULE, found.raw, plan.facts.dump())
        for manifest in plan.create:
            await self._create(found, manifest)
        for key in plan.delete:
            await self._delete(found, key)
        return raw

    async def _create(self, found: SeenSchedule, manifest: Manifest) -> None:
        """Once: a Job of that name that is ours is this very look, begun before a crash."""
        meta = manifest["metadata"]
        try:
            await self._cluster.create(JOB, manifest)
        except Conflict:
            living = await self._cluster.get(JOB, meta["namespace"], meta["name"])
            if not owned(living, found.observed.schedule.uid):
                raise NameTaken(f"Job {meta['name']} exists and does not belong to this schedule; delete it") from None
        else:
            log.info("%s/%s: created Job/%s", meta["namespace"], found.observed.schedule.name, meta["name"])

    async def _delete(self, found: SeenSchedule, key: ObjectKey) -> None:
        schedule = found.observed.schedule
        uid = next(job.uid for job in found.observed.checks if job.name == key.name)
        try:
            await self._cluster.delete(JOB, schedule.namespace, key.name, uid)
        except NotFound:
            return

    async def _report_problem(self, raw: Manifest, reason: str, message: str) -> None:
        """Ready=False for what no plan could say: an unreadable spec, or a request that the API server refuses."""
        generation, status = raw["metadata"].get("generation"), parse_schedule_status(raw)
        conditions = not_ready(status.conditions, reason, message, generation, self._now())
        update = {"conditions": conditions, "observed_generation": generation}
        stored = await put_status(self._cluster, RETRAIN_SCHEDULE, raw, status.model_copy(update=update).dump())
        if stored is not raw:
            await tell(self._cluster, RETRAIN_SCHEDULE, stored, Event("Warning", reason, message))
