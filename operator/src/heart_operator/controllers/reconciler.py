"""One reconcile: observe once → plan and carry out each schedule → plan and carry out the model → tell the registry."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from prometheus_client import Counter

from heart_api.heartmodel import HeartModelStatus
from heart_api.kube.kinds import HEART_MODEL, RETRAIN_SCHEDULE
from heart_api.kube.values import Manifest, ModelKey
from heart_api.names import Reason
from heart_api.retrainschedule import RetrainSchedule
from heart_api.schedulestatus import RetrainScheduleStatus
from heart_operator.controllers.executor import Executor, NameTaken
from heart_operator.controllers.status import problem
from heart_operator.controllers.workqueue import WorkQueue
from heart_operator.kube.errors import ApiError, Conflict, NotLeading
from heart_operator.lineage.deliverer import Deliverer
from heart_operator.mlflow.backend import server_address
from heart_operator.mlflow.calls import RegistryUnavailable
from heart_operator.observe.observation import Observation, SeenModel, SeenSchedule, Unobserved, Unreadable
from heart_operator.observe.observer import Observer
from heart_operator.observe.usage import NamespaceUsage, is_training
from heart_operator.plan.actions import Plan, ResourcePlan
from heart_operator.plan.claims import addresses
from heart_operator.plan.observed import Observed
from heart_operator.plan.schedule.schedule import plan_retrain_schedule
from heart_operator.plan.selection.selection import Selection
from heart_operator.telemetry.operator import Metrics

log = logging.getLogger(__name__)

DEADLINE = 60.0
"""Seconds for one reconcile: however slow a tenant's objects are to read, a worker is free again after this."""


class DeadlineExceeded(Exception):
    """A reconcile took too long; what it has written stays, and the next one continues from there."""


class Decide(Protocol):
    """The pure plan of a model."""

    def __call__(self, observed: Observed, selection: Selection, now: datetime) -> Plan: ...


class Reconciler:
    """Brings one model and its schedules at a time to what their specs declare."""

    def __init__(
        self,
        observer: Observer,
        decide: Decide,
        executor: Executor,
        queue: WorkQueue[Any],
        metrics: Metrics,
        usage: NamespaceUsage,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        deadline: float = DEADLINE,
        deliverer: Deliverer | None = None,
    ) -> None:
        self._deliverer = deliverer
        self._usage = usage
        self._deadline = deadline
        self._observer = observer
        self._decide = decide
        self._executor = executor
        self._queue = queue
        self._metrics = metrics
        self._now = now

    async def __call__(self, key: ModelKey) -> None:
        """The queue's work. Neither a schedule nor the model stops another; raises the first failure, to be retried.

        Schedules first: the model answers in the same reconcile what they have just been recorded to request.
        """
        failures = Failures(self._metrics.errors)
        with self._metrics.duration.time(), failures.noted(str(key)):
            async with within(self._deadline):
                seen = await self._observer.observe(key)
                self._count(key, seen)
                stored = await self._schedules(key, seen, failures)
                if isinstance(seen.model, SeenModel):
                    observed, plan = self._plan(key, seen.model, stored)
                    await self._executor.carry_out(seen.model.owner, plan)
                    self._carried_out(key, plan)
                    self._tell(key, observed, plan)
                    await self._executor.tell_registry(observed, plan)
                    self._requeue(key, plan)
                elif seen.model:
                    await self._executor.carry_out(seen.model.owner, self._unreadable(seen.model))
                else:
                    self._metrics.forget(key.namespace, key.name)
                    if self._deliverer:
                        self._deliverer.forget(key)
        failures.raise_first()

    def _count(self, key: ModelKey, seen: Observation) -> None:
        """What was found of the model, for the quotas and the queue."""
        self._metrics.blocked.keep_only(key, owners_of(seen))
        self._metrics.quota.keep_only(key, owners_of(seen))
        if seen.model is None:
            self._usage.remove(HEART_MODEL, key.namespace, key.name)
            self._queue.prioritize(key, urgent=False)
        else:
            created = seen.model.owner.raw["metadata"].get("creationTimestamp", "")
            self._usage.add(HEART_MODEL, key.namespace, key.name, created)

    def _plan(self, key: ModelKey, seen: SeenModel, stored: Mapping[str, RetrainSchedule]) -> tuple[Observed, Plan]:
        """The model's plan. The trainings in it count at once: another worker may plan for the same namespace next."""
        now = self._now()
        self._usage.confirm(key.namespace, {job.name for job in seen.observed.jobs})
        self._usage.place(key.namespace, key.name, addresses(seen.observed.model))
        usage = self._usage.of(HEART_MODEL, key.namespace, key.name, now)
        observed = replace(with_stored(seen.observed, stored), usage=usage, **self._told(key))
        plan = self._decide(observed, seen.selection, now)
        for job in training_jobs(plan.create):
            self._usage.reserve(key.namespace, job, now)
        self._metrics.blocked.show(key, seen.owner.uid, plan.blocked)
        self._metrics.quota.show(key, seen.owner.uid, plan.waits)
        self._queue.prioritize(key, urgent=is_in_flight(plan.facts))
        return observed, plan

    def _told(self, key: ModelKey) -> dict[str, Any]:
        """Who is told of decisions, and what they have acknowledged."""
        if self._deliverer is None:
            return {}
        return {"destinations": self._deliverer.destinations, "delivered": self._deliverer.delivered(key)}

    def _tell(self, key: ModelKey, observed: Observed, plan: Plan) -> None:
        """Offer what is stored in the outbox; nothing waits for its delivery."""
        if self._deliverer and observed.profile:
            address = server_address(observed.profile, key.namespace)
            self._deliverer.offer(key, address, observed.model.registry_name, plan.status.outbox)

    def _carried_out(self, key: ModelKey, plan: Plan) -> None:
        self._usage.confirm(key.namespace, training_jobs(plan.create))
        self._metrics.show(key.namespace, key.name, plan.facts)

    async def _schedules(self, key: ModelKey, seen: Observation, failures: "Failures") -> dict[str, RetrainSchedule]:
        """Carry out each schedule's plan; those for which that succeeded, as they are stored now, by their uid."""
        self._metrics.schedules.keep_only(key, [found.owner.name for found in seen.schedules])
        stored = {}
        for found in seen.schedules:
            with failures.noted(str(found.owner)):
                plan = self._plan_schedule(found)
                self._metrics.blocked.show(key, found.owner.uid, plan.blocked)
                self._metrics.quota.show(key, found.owner.uid, plan.waits)
                await self._executor.carry_out(found.owner, plan)
                if isinstance(found, SeenSchedule):
                    stored[found.owner.uid] = found.observed.schedule.model_copy(update={"status": plan.status})
                    self._metrics.schedules.show(found.observed.schedule, plan.status)
                self._requeue(key, plan)
        return stored

    def _plan_schedule(self, found: SeenSchedule | Unreadable | Unobserved) -> ResourcePlan[RetrainScheduleStatus]:
        if isinstance(found, Unobserved):
            raise found.error
        if isinstance(found, Unreadable):
            return self._unreadable(found)
        now = self._now()
        usage = self._usage.of(RETRAIN_SCHEDULE, found.owner.namespace, found.owner.name, now)
        return plan_retrain_schedule(replace(found.observed, usage=usage), now)

    def _unreadable(self, found: Unreadable) -> ResourcePlan[Any]:
        return problem(found.owner, Reason.INVALID_SPEC, found.message, self._now())

    def _requeue(self, key: ModelKey, plan: ResourcePlan[Any]) -> None:
        if plan.requeue_after is not None:
            self._queue.add_after(key, plan.requeue_after)


class Failures:
    """What failed in one reconcile: logged where it happens, raised at the end."""

    def __init__(self, errors: Counter) -> None:
        self._errors = errors
        self._first: Exception | None = None

    @contextmanager
    def noted(self, what: str) -> Iterator[None]:
        """Log and keep what the block raises; NotLeading ends the whole reconcile."""
        try:
            yield
        except NotLeading:
            raise
        except Exception as error:
            self._first = self._first or error
            self._log(what, error)

    def raise_first(self) -> None:
        if self._first:
            raise self._first

    def _log(self, what: str, error: Exception) -> None:
        """Handle an error. A conflict is not one: the next reconcile starts from the newer object."""
        if isinstance(error, Conflict):
            log.info("%s: retrying: %s", what, error)
            return
        self._errors.inc()
        if isinstance(error, ApiError | RegistryUnavailable | NameTaken | DeadlineExceeded):
            log.warning("%s: retrying: %s", what, error)
        else:
            log.error("%s: retrying", what, exc_info=error)


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raises DeadlineExceeded when the block has not ended by then; what it waits for is cancelled."""
    try:
        async with asyncio.timeout(seconds) as deadline:
            yield
    except TimeoutError:
        if deadline.expired():
            raise DeadlineExceeded(f"the reconcile did not end within {seconds:g} s") from None
        raise


def training_jobs(created: Iterable[Manifest]) -> list[str]:
    """Names of the Jobs among these objects that train a version."""
    return [item["metadata"]["name"] for item in created if is_training(item)]


def is_in_flight(status: HeartModelStatus) -> bool:
    """A training or a rollout is under way: what is due then must not wait behind models that only changed."""
    return status.candidate is not None or bool(status.training and status.training.phase == "Running")


def owners_of(seen: Observation) -> set[str]:
    """Uids of the model and of its schedules."""
    return {found.owner.uid for found in (seen.model, *seen.schedules) if found}


def with_stored(observed: Observed, stored: Mapping[str, RetrainSchedule]) -> Observed:
    """The observation with the schedules' statuses that this reconcile has recorded."""
    return replace(observed, schedules=tuple(stored.get(found.uid, found) for found in observed.schedules))
