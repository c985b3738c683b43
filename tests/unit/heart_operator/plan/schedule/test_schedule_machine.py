"""A schedule and its model under random people, clocks and crashes: one tick or finding, at most one training."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from heart_operator.plan.schedule.observed import scheduled_time_of
from heart_operator.plan.training.requests import OPEN, requests_of
from tests.support.plan.schedules import ScheduledWorld, drift_found, scheduled_world
from tests.support.plan.world import START, Crash

SPEC = {"schedule": "0 * * * *", "drift": {"schedule": "30 * * * *"}, "cooldown": "2h", "maxRunsPerWeek": 3}
STEPS = [timedelta(seconds=20), timedelta(minutes=7), timedelta(minutes=31), timedelta(hours=1), timedelta(hours=25)]


class Scheduling(RuleBasedStateMachine):
    """Everything may happen between two writes; both statuses may vanish."""

    def __init__(self) -> None:
        super().__init__()
        self.world: ScheduledWorld = scheduled_world(SPEC)
        self.begun_anew: Counter[str] = Counter()
        """Requests whose training a person ended by a wish of their own; it may be made once more."""

    # --- the operator --------------------------------------------------------------------------

    @rule(fuse=st.one_of(st.none(), st.integers(0, 8)))
    def operator_reconciles(self, fuse: int | None) -> None:
        self.world.fuse = fuse
        try:
            self.world.reconcile_all()
        except Crash:
            pass
        finally:
            self.world.fuse = None

    @rule()
    def model_alone_is_reconciled(self) -> None:
        self.world.reconcile_all()

    # --- the world -----------------------------------------------------------------------------

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: timedelta) -> None:
        self.world.now += step

    @rule()
    def clock_is_set_back(self) -> None:
        self.world.now -= timedelta(minutes=2)

    @precondition(lambda self: self.world.running_job())
    @rule(good=st.booleans())
    def training_ends(self, good: bool) -> None:
        if good:
            self.world.finish_job()
        else:
            self.world.fail_job()

    @rule()
    def pods_start(self) -> None:
        self.world.start_pods()

    @precondition(lambda self: self.world.running_check())
    @rule(verdict=st.sampled_from(["Drift", "NoDrift"]))
    def check_ends(self, verdict: str) -> None:
        job = self.world.running_check()
        assert job
        self.world.finish_check(drift_found(scheduled_time_of(job), self.world.selected or "", verdict))

    # --- people --------------------------------------------------------------------------------

    @rule(value=st.sampled_from(["a", "b", "c"]))
    def person_asks_for_training(self, value: str) -> None:
        self.excuse_open_runs()
        self.world.retrain(value)

    @rule(seed=st.integers(1, 3))
    def spec_changes(self, seed: int) -> None:
        self.excuse_open_runs()
        self.world.merge_spec({"training": {"seed": seed}})

    @rule(version=st.sampled_from(["latest", 1]))
    def version_is_pinned(self, version: int | str) -> None:
        self.excuse_open_runs()
        self.world.merge_spec({"version": version})

    @rule(suspend=st.booleans())
    def schedule_is_suspended(self, suspend: bool) -> None:
        self.world.change_schedule(suspend=suspend)

    @rule(policy=st.sampled_from(["Forbid", "Replace"]))
    def policy_changes(self, policy: str) -> None:
        self.world.change_schedule(concurrencyPolicy=policy)

    @rule()
    def status_of_the_schedule_is_lost(self) -> None:
        self.world.wipe_schedule_status()

    @rule()
    def status_of_the_model_is_lost(self) -> None:
        self.world.wipe_status()

    def excuse_open_runs(self) -> None:
        self.begun_anew.update(self.unended())

    def unended(self) -> set[str]:
        """Requests that a new wish of a person may be put together with."""
        running = {request for job in self.world.jobs.values() for request in requests_of(job.trigger)}
        return running | {run.id for run in self.world.runs if run.phase in OPEN}

    # --- what must always hold -----------------------------------------------------------------

    @invariant()
    def one_training_for_each_request(self) -> None:
        created: Counter[str] = Counter()
        for trigger, count in self.world.jobs_created.items():
            created.update(dict.fromkeys(requests_of(trigger), count))
        for request, count in created.items():
            assert count <= 1 + self.begun_anew[request], f"{request} trained {count} times"

    @invariant()
    def one_training_at_a_time(self) -> None:
        assert sum(job.phase == "Running" for job in self.world.jobs.values()) <= 2, "a replaced one and its successor"

    @invariant()
    def one_check_at_a_time(self) -> None:
        assert sum(job.phase == "Running" for job in self.world.checks.values()) <= 1
        assert len(self.world.checks_created) == len(set(self.world.checks_created))

    def teardown(self) -> None:
        """Everybody is kind again: the next tick trains, and its version takes over."""
        world = self.world
        world.change_schedule(suspend=False, drift=None)
        world.merge_spec({"version": "latest"})
        world.calm()
        while world.running_job():
            world.finish_job(auc=0.5)
            world.calm()
        world.now = max(world.now, START).replace(minute=0, second=0) + timedelta(hours=2)
        world.rest()
        assert world.running_job(), "the tick did not train"
        world.serve()
        assert world.runs[0].phase == "Succeeded"


TestScheduling = Scheduling.TestCase
TestScheduling.pytestmark = [pytest.mark.timeout(7200)]
