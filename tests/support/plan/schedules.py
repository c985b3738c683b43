"""A model with a RetrainSchedule, in memory: plans of both are carried out action by action, and may be cut short."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from heart_api.drift import CheckFailure, CheckResult
from heart_api.driftstatus import DriftStatus
from heart_api.kube.values import Manifest, ObjectKey
from heart_api.names import Annotation
from heart_api.retrainschedule import RetrainSchedule
from heart_api.schedulestatus import PerformanceStatus, RetrainScheduleStatus, RunStatus
from heart_api.times import read, written
from heart_operator.plan.actions import SchedulePlan
from heart_operator.plan.observed import CheckJob, Observed, ObservedJob
from heart_operator.plan.schedule.observed import ScheduleObserved
from heart_operator.plan.schedule.schedule import plan_retrain_schedule
from tests.support.plan.world import START, World


def retrain_schedule(spec: dict[str, Any] | None = None, **changes: Any) -> RetrainSchedule:
    """Every night at three, unless `spec` says otherwise."""
    merged = {"modelName": "heart"} | (spec or {"schedule": "0 3 * * *"})
    found = {"namespace": "clinic", "name": "nightly", "uid": "r-1", "created": written(START), "spec": merged}
    return RetrainSchedule.model_validate(found | changes)


def drift_found(time: datetime, version: str, verdict: str = "Drift", share: float = 0.6) -> CheckResult:
    found = {"time": written(time), "version": version, "verdict": verdict, "share": share, "samples": 200}
    return CheckResult(drift=DriftStatus.model_validate(found | {"message": f"{verdict} at {written(time)}"}))


def quality_found(time: datetime, version: str, verdict: str = "Below", value: float = 0.6) -> CheckResult:
    figures = {"metric": "accuracy", "source": "Feedback", "value": value, "samples": 200, "message": "0.6 < 0.75"}
    found = {"time": written(time), "version": version, "verdict": verdict} | figures
    return CheckResult(performance=PerformanceStatus.model_validate(found))


@dataclass
class ScheduledWorld(World):
    """One schedule besides the model."""

    schedule: RetrainSchedule = field(default_factory=retrain_schedule)
    checks: dict[str, CheckJob] = field(default_factory=dict)
    checks_created: list[str] = field(default_factory=list)

    def observe(self) -> Observed:
        return replace(super().observe(), schedules=(self.schedule,))

    def observe_schedule(self) -> ScheduleObserved:
        return ScheduleObserved(
            schedule=self.schedule,
            model=self.model,
            profile=self.profile,
            trainings=tuple(self.jobs.values()),
            checks=tuple(self.checks.values()),
        )

    def plan_schedule(self) -> SchedulePlan:
        return plan_retrain_schedule(self.observe_schedule(), self.now)

    def reconcile_all(self) -> SchedulePlan:
        """Reconcile the schedule, then the model. Raises Crash when the fuse burns down."""
        plan = self.plan_schedule()
        if plan.create or plan.delete:
            self._record_schedule(plan.facts)
        for manifest in plan.create:
            self._step(self._create_check, manifest)
        for key in plan.delete:
            self._step(self._delete_check, key)
        self._record_schedule(plan.status)
        self.events += [event.reason for event in plan.events]
        self.reconcile()
        return plan

    def rest(self, limit: int = 30) -> None:
        """Reconcile until neither the schedule nor the model has anything left to do."""
        for _ in range(limit):
            plan = self.reconcile_all()
            quiet = not (plan.create or plan.delete or plan.events) and plan.status == self.schedule.status
            if quiet and self.is_at_rest(self.plan()) and self.plan_schedule().status == self.schedule.status:
                return
        raise AssertionError(f"no fixed point after {limit} reconciles: {self.plan_schedule()}")

    def serve(self) -> None:
        """The running training ends well, and its version takes over."""
        self.finish_job()
        self.calm()

    def calm(self) -> None:
        """Pods start and both are reconciled, until all are at rest."""
        for _ in range(6):
            self.rest()
            self.start_pods()
        self.rest()

    # --- what tests inspect -----------------------------------------------------------------------

    @property
    def status(self) -> RetrainScheduleStatus:
        return self.schedule.status

    @property
    def runs(self) -> Sequence[RunStatus]:
        return self.schedule.status.runs

    @property
    def phases(self) -> list[tuple[str, str]]:
        """(id, phase) of each run, newest first."""
        return [(run.id, run.phase) for run in self.runs]

    def answer(self, type_: str) -> tuple[str, str]:
        """Status and reason of a condition of the schedule."""
        found = next(entry for entry in self.status.conditions if entry.type == type_)
        return found.status, found.reason

    def running_check(self) -> CheckJob | None:
        return next((job for job in self.checks.values() if job.phase == "Running"), None)

    # --- people and nodes -------------------------------------------------------------------------

    def until(self, text: str) -> None:
        """Set the clock."""
        self.now = read(text)

    def change_schedule(self, **changes: Any) -> None:
        spec = type(self.schedule.spec).model_validate(self.schedule.spec.dump() | changes)
        self.schedule = self.schedule.model_copy(update={"spec": spec, "generation": self.schedule.generation + 1})

    def wipe_schedule_status(self) -> None:
        self.schedule = self.schedule.model_copy(update={"status": RetrainScheduleStatus()})

    def finish_check(self, result: CheckResult | None = None, failure: CheckFailure | None = None) -> None:
        job = self.running_check()
        assert job
        phase = "Failed" if failure else "Succeeded"
        self.checks[job.name] = replace(job, phase=phase, result=result, failure=failure)

    # --- actions ----------------------------------------------------------------------------------

    def _record_schedule(self, status: RetrainScheduleStatus) -> None:
        stored = RetrainScheduleStatus.model_validate(status.dump())
        if stored != self.schedule.status:
            self._step(self._store_schedule, stored)

    def _store_schedule(self, status: RetrainScheduleStatus) -> None:
        self.schedule = self.schedule.model_copy(update={"status": status})

    def _create_check(self, manifest: Manifest) -> None:
        meta = copy.deepcopy(manifest["metadata"])
        name, scheduled = meta["name"], meta["annotations"][Annotation.SCHEDULED_TIME]
        if name not in self.checks:
            self.checks[name] = ObservedJob(name, f"uid-{name}", scheduled, self.now, "Running")
            self.checks_created.append(name)

    def _delete_check(self, key: ObjectKey) -> None:
        del self.checks[key.name]


def scheduled_world(spec: dict[str, Any] | None = None, **changes: Any) -> ScheduledWorld:
    """Version 1 serves, and the schedule has been looked at."""
    world = ScheduledWorld(schedule=retrain_schedule(spec), **changes)
    world.rest()
    world.serve()
    return world
