"""When a RetrainSchedule starts a training, when it does not, and what it says of it. It begins on 1 January 2026."""

from datetime import timedelta

import pytest

from heart_api.drift import CheckFailure
from heart_api.heartmodel import CandidateStatus, ConditionStatus
from heart_api.times import read, written
from heart_operator.plan.actions import SchedulePlan
from heart_operator.plan.schedule.schedule import plan_retrain_schedule
from tests.support.plan.schedules import ScheduledWorld, drift_found, quality_found, retrain_schedule, scheduled_world
from tests.support.plan.world import START, Crash

DRIFT = {"drift": {"schedule": "0 */6 * * *"}}


def trainings(world: ScheduledWorld) -> int:
    return sum(world.jobs_created.values())


# --- ticks ---------------------------------------------------------------------------------------


def test_a_scheduled_time_trains_once_and_its_version_takes_over() -> None:
    world = scheduled_world()
    assert world.status.next_schedule_time == "2026-01-01T03:00:00Z"
    world.until("2026-01-01T02:59:59Z")
    world.rest()
    assert trainings(world) == 1
    world.until("2026-01-01T03:00:00Z")
    world.rest()
    assert trainings(world) == 2
    assert world.phases == [("s20260101T030000Z", "Training")]
    assert world.status.last_schedule_time == "2026-01-01T03:00:00Z"
    assert world.status.next_schedule_time == "2026-01-02T03:00:00Z"
    assert world.status.active == (world.runs[0].job,)
    world.serve()
    assert world.selected == "2"
    run = world.runs[0]
    assert (run.phase, run.version, run.gate, run.cause) == ("Succeeded", "2", "GatePassed", "Schedule")
    assert world.status.last_successful_time
    assert world.status.active == ()
    assert world.answer("RunSucceeded") == ("True", "RetrainingCompleted")
    world.pass_time(3600)
    world.rest()
    assert trainings(world) == 2


def test_a_new_schedule_does_not_make_up_for_scheduled_times_before_it_was_there() -> None:
    world = scheduled_world()
    world.schedule = retrain_schedule(created="2026-01-01T03:00:30Z")
    world.until("2026-01-01T03:01:00Z")
    world.rest()
    assert trainings(world) == 1
    assert world.status.next_schedule_time == "2026-01-02T03:00:00Z"


def test_of_24_missed_scheduled_times_only_the_latest_runs() -> None:
    world = scheduled_world({"schedule": "0 * * * *"})
    world.until("2026-01-02T00:10:00Z")
    world.rest()
    assert trainings(world) == 2
    assert world.phases == [("s20260102T000000Z", "Training")]
    world.serve()
    assert trainings(world) == 2


def test_a_scheduled_time_that_is_missed_by_more_than_the_deadline_is_given_up_and_said() -> None:
    world = scheduled_world({"schedule": "0 3 * * *", "startingDeadlineSeconds": 600})
    world.until("2026-01-01T03:10:01Z")
    world.rest()
    assert trainings(world) == 1
    assert world.answer("Ready") == ("False", "RunMissed")
    assert world.status.overdue_since == "2026-01-01T03:00:00Z"
    assert world.events.count("RunMissed") == 1
    world.until("2026-01-02T03:00:00Z")
    world.rest()
    assert trainings(world) == 2
    assert world.status.overdue_since is None
    assert world.answer("Ready") == ("True", "Scheduled")


def test_a_training_that_began_after_the_scheduled_time_is_as_good_as_its_own() -> None:
    world = scheduled_world()
    world.until("2026-01-01T03:00:05Z")
    world.retrain("by hand")
    world.reconcile()
    world.rest()
    world.serve()
    assert trainings(world) == 2
    assert world.phases == []


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2026-03-29T00:59:59Z", None),
        ("2026-03-29T01:00:00Z", "s20260329T010000Z"),
        ("2026-10-25T00:30:00Z", "s20261025T003000Z"),
    ],
)
def test_half_past_two_in_berlin_when_the_clocks_change(when: str, expected: str | None) -> None:
    """In spring it does not exist (the run begins at three), in autumn it comes twice (the first counts)."""
    spec = {"schedule": "30 2 * * *", "timeZone": "Europe/Berlin"}
    world = scheduled_world(spec)
    world.schedule = retrain_schedule(spec, created=written(read(when) - timedelta(hours=2)))
    world.until(when)
    world.rest()
    assert [run.id for run in world.runs] == ([expected] if expected else [])
    if expected:
        world.serve()
        world.pass_time(3600)
        world.rest()
        assert len(world.runs) == 1, "the second half past two is not another tick"


def test_a_clock_that_jumps_back_repeats_no_scheduled_time() -> None:
    world = scheduled_world()
    world.until("2026-01-01T03:00:10Z")
    world.rest()
    world.serve()
    world.until("2026-01-01T02:59:00Z")
    world.rest()
    world.until("2026-01-01T03:00:00Z")
    world.rest()
    assert trainings(world) == 2


def test_a_clock_that_was_a_year_ahead_does_not_stop_the_schedule() -> None:
    world = scheduled_world()
    world.until("2027-01-01T03:00:00Z")
    world.rest()
    world.serve()
    assert trainings(world) == 2
    world.until("2026-01-02T03:00:00Z")
    world.rest()
    assert trainings(world) == 3
    assert world.runs[0].phase == "Training" or world.runs[1].phase == "Training"


def test_suspension_starts_nothing_and_resuming_runs_at_most_the_latest_scheduled_time() -> None:
    world = scheduled_world({"schedule": "0 * * * *"})
    world.change_schedule(suspend=True)
    world.until("2026-01-01T09:30:00Z")
    world.rest()
    assert trainings(world) == 1
    assert world.status.next_schedule_time is None
    assert world.answer("Ready") == ("True", "Suspended")
    world.change_schedule(suspend=False)
    world.rest()
    assert trainings(world) == 2
    assert world.phases == [("s20260101T090000Z", "Training")]


def test_suspension_withdraws_what_has_not_begun() -> None:
    world = scheduled_world()
    world.change_spec(suspend=True)
    world.until("2026-01-01T03:00:00Z")
    world.rest()
    assert world.phases == [("s20260101T030000Z", "Requested")]
    world.change_schedule(suspend=True)
    world.rest()
    world.change_spec(suspend=False)
    world.rest()
    assert trainings(world) == 1
    assert world.phases == [("s20260101T030000Z", "Missed")]


def test_a_pinned_version_is_retrained_by_no_schedule() -> None:
    world = scheduled_world({"schedule": "0 * * * *"})
    world.merge_spec({"version": 1})
    world.until("2026-01-01T09:30:00Z")
    world.rest()
    assert (trainings(world), world.runs) == (1, ())
    assert (world.status.next_schedule_time, world.status.overdue_since) == (None, None)
    assert world.answer("Ready") == ("True", "VersionPinned")
    assert world.events.count("VersionPinned") == 1
    world.merge_spec({"version": "latest"})
    world.rest()
    assert world.phases == [("s20260101T090000Z", "Training")], "the latest scheduled time, within its deadline"


def test_a_pinned_version_is_checked_for_drift_and_not_retrained() -> None:
    world = scheduled_world(DRIFT)
    world.merge_spec({"version": 1})
    world.until("2026-01-01T06:00:00Z")
    world.rest()
    world.finish_check(drift_found(world.now, "1"))
    world.rest()
    assert world.answer("InputsStable") == ("False", "DriftDetected")
    assert (trainings(world), world.runs) == (1, ())
    assert world.status.next_check_time == "2026-01-01T12:00:00Z"
    world.merge_spec({"version": "latest"})
    world.rest()
    assert trainings(world) == 2


def test_pinning_withdraws_what_has_not_begun() -> None:
    world = scheduled_world()
    world.change_spec(suspend=True)
    world.until("2026-01-01T03:00:00Z")
    world.rest()
    world.merge_spec({"version": 1, "suspend": False})
    world.rest()
    assert trainings(world) == 1
    assert world.phases == [("s20260101T030000Z", "Missed")]


def test_a_model_that_cannot_train_in_time_misses_the_run_and_says_why() -> None:
    world = scheduled_world()
    world.registry_error = "connection refused"
    world.until("2026-01-01T03:00:00Z")
    world.rest()
    assert world.phases == [("s20260101T030000Z", "Requested")]
    assert "MLflow" in world.runs[0].message
    world.pass_time(3601)
    world.rest()
    assert world.phases == [("s20260101T030000Z", "Missed")]
    assert "MLflow" in world.runs[0].message
    world.registry_error = None
    world.rest()
    assert trainings(world) == 1
    assert world.answer("RunSucceeded") == ("False", "RetrainingFailed")


# --- one at a time -------------------------------------------------------------------------------


def test_forbid_waits_for_the_end_of_a_training() -> None:
    world = scheduled_world()
    world.retrain("by hand")
    world.reconcile()
    world.until("2026-01-01T03:00:30Z")
    world.rest()
    assert (trainings(world), world.runs) == (2, ())
    assert world.answer("Ready") == ("True", "Waiting")
    world.finish_job(auc=0.5)
    world.rest()
    assert trainings(world) == 3
    assert world.phases == [("s20260101T030000Z", "Training")]


def test_forbid_gives_up_at_the_deadline() -> None:
    world = scheduled_world()
    world.retrain("by hand")
    world.reconcile()
    world.until("2026-01-01T04:00:01Z")
    world.rest()
    world.finish_job(auc=0.5)
    world.rest()
    assert (trainings(world), world.runs) == (2, ())


def test_forbid_waits_for_a_candidate_on_its_way() -> None:
    plan = with_a_candidate("True", "GatePassed")
    assert plan.facts.runs == ()
    assert "version 7 is being rolled out" in plan.conditions[0].message


def test_a_candidate_whose_gate_lacks_evidence_is_not_waited_for() -> None:
    """Only another training settles it: both would wait for each other."""
    assert len(with_a_candidate("Unknown", "InsufficientEvidence").facts.runs) == 1


def with_a_candidate(status: str, reason: str) -> SchedulePlan:
    """At a tick, while version 7 is the candidate and GatePassed says this."""
    world = scheduled_world()
    world.until("2026-01-01T03:00:00Z")
    since = written(world.now)
    gate = ConditionStatus(type="GatePassed", status=status, reason=reason, last_transition_time=since)
    candidate = CandidateStatus(version="7", digest="sha256:7", since=since)
    told = world.model.status.model_copy(update={"candidate": candidate, "conditions": (gate,)})
    observed = world.observe_schedule()
    assert observed.model
    model = observed.model.model_copy(update={"status": told})
    return plan_retrain_schedule(type(observed)(observed.schedule, model, observed.profile), world.now)


def test_replace_stops_the_run_before() -> None:
    world = scheduled_world({"schedule": "0 * * * *", "concurrencyPolicy": "Replace"})
    world.until("2026-01-01T01:00:00Z")
    world.rest()
    world.until("2026-01-01T02:00:00Z")
    world.rest()
    assert trainings(world) == 3
    assert world.phases == [("s20260101T020000Z", "Training"), ("s20260101T010000Z", "Failed")]
    assert [job.trigger for job in world.jobs.values() if job.phase == "Running"] == [
        world.model.status.training.trigger
    ]
    world.serve()
    assert world.selected == "2"


# --- what became of runs -------------------------------------------------------------------------


def test_a_run_whose_version_fails_the_gate() -> None:
    world = scheduled_world()
    world.until("2026-01-01T03:00:00Z")
    world.rest()
    world.finish_job(auc=0.5)
    world.rest()
    run = world.runs[0]
    assert (run.phase, run.version, run.gate) == ("Failed", "2", "GateFailed")
    assert "0.5" in run.message
    assert world.selected == "1"
    assert world.events.count("RetrainingFailed") == 1


def test_a_run_whose_training_fails() -> None:
    world = scheduled_world()
    world.until("2026-01-01T03:00:00Z")
    world.rest()
    world.fail_job(why="OOMKilled")
    world.rest()
    assert world.runs[0].phase == "Failed"
    assert "memory" in world.runs[0].message
    world.until("2026-01-02T03:00:00Z")
    world.rest()
    assert trainings(world) == 3, "the next tick tries again"


def test_the_history_keeps_what_its_limits_say() -> None:
    world = scheduled_world({"schedule": "0 * * * *", "successfulRunsHistoryLimit": 2, "failedRunsHistoryLimit": 1})
    for hour in range(1, 8):
        world.until(f"2026-01-01T{hour:02}:00:00Z")
        world.rest()
        if hour % 2:
            world.serve()
        else:
            world.fail_job()
            world.rest()
    assert [phase for _, phase in world.phases] == ["Succeeded", "Failed", "Succeeded"]


# --- checks and findings -------------------------------------------------------------------------


def test_a_check_starts_once_per_scheduled_time_and_its_finding_is_kept() -> None:
    world = scheduled_world(DRIFT)
    world.until("2026-01-01T06:00:01Z")
    world.rest()
    world.rest()
    assert len(world.checks_created) == 1
    assert world.answer("Checked") == ("Unknown", "Checking")
    world.finish_check(drift_found(read("2026-01-01T06:00:00Z"), "1", "NoDrift", 0.0))
    world.rest()
    assert world.answer("InputsStable") == ("True", "NoDrift")
    assert world.status.last_drift
    assert world.status.next_check_time == "2026-01-01T12:00:00Z"
    assert trainings(world) == 1
    for scheduled in range(2, 7):
        world.now = START + timedelta(hours=6 * scheduled)
        world.rest()
        world.finish_check(drift_found(world.now, "1", "NoDrift", 0.0))
    world.rest()
    assert len(world.checks_created) == 6
    assert len(world.checks) == 3, "finished checks are removed"


def test_drift_trains_and_the_next_check_is_of_the_new_version() -> None:
    world = scheduled_world(DRIFT)
    world.until("2026-01-01T06:00:00Z")
    world.rest()
    world.finish_check(drift_found(world.now, "1"))
    world.rest()
    assert world.phases == [("d20260101T060000Z", "Training")]
    assert {"DriftDetected", "RetrainRequested"} <= set(world.events)
    world.serve()
    assert world.selected == "2"
    world.pass_time(60)
    world.rest()
    assert trainings(world) == 2, "the finding spoke of version 1"


@pytest.mark.parametrize("verdict", ["NoDrift", "Unconfirmed", "InsufficientSamples"])
def test_no_other_verdict_trains(verdict: str) -> None:
    world = scheduled_world(DRIFT)
    world.until("2026-01-01T06:00:00Z")
    world.rest()
    world.finish_check(drift_found(world.now, "1", verdict))
    world.rest()
    assert trainings(world) == 1


def drifted(world: ScheduledWorld, when: str) -> None:
    """A check at this time finds drift from the version that serves."""
    world.until(when)
    world.rest()
    world.finish_check(drift_found(world.now, world.selected or ""))
    world.rest()


def test_cooldown_and_weekly_budget_bound_what_data_may_ask_for() -> None:
    world = scheduled_world({"drift": {"schedule": "0 */6 * * *"}, "cooldown": "12h", "maxRunsPerWeek": 2})
    drifted(world, "2026-01-01T06:00:00Z")
    world.finish_job(auc=0.5)
    drifted(world, "2026-01-01T12:00:00Z")
    assert trainings(world) == 2
    assert world.answer("Ready") == ("True", "Waiting")
    assert world.plan_schedule().requeue_after == 6 * 3600
    drifted(world, "2026-01-01T18:00:00Z")
    assert trainings(world) == 3
    world.finish_job(auc=0.5)
    for day in range(2, 8):
        drifted(world, f"2026-01-0{day}T12:00:00Z")
    assert trainings(world) == 3, "two a week"
    drifted(world, "2026-01-08T06:00:00Z")
    assert trainings(world) == 4


def test_cooldown_holds_though_the_status_is_lost() -> None:
    world = scheduled_world(DRIFT)
    drifted(world, "2026-01-01T06:00:00Z")
    world.finish_job(auc=0.5)
    world.rest()
    world.wipe_schedule_status()
    drifted(world, "2026-01-01T12:00:00Z")
    assert trainings(world) == 2


def test_a_poor_figure_trains_and_shares_the_budget() -> None:
    world = scheduled_world({"performance": {"below": 0.75}})
    world.until("2026-01-01T06:00:00Z")
    world.rest()
    world.finish_check(quality_found(world.now, "1"))
    world.rest()
    assert world.phases == [("p20260101T060000Z", "Training")]
    assert world.answer("PerformanceAcceptable") == ("False", "PerformanceBelowThreshold")


def test_an_old_finding_does_not_train_when_the_schedule_is_resumed() -> None:
    world = scheduled_world(DRIFT)
    world.until("2026-01-01T06:00:00Z")
    world.rest()
    world.change_schedule(suspend=True)
    world.finish_check(drift_found(world.now, "1"))
    world.rest()
    world.until("2026-01-03T06:00:00Z")
    world.change_schedule(suspend=False)
    world.rest()
    assert trainings(world) == 1


def test_a_check_that_fails_is_reported_and_retried_at_the_next_scheduled_time() -> None:
    world = scheduled_world(DRIFT)
    world.until("2026-01-01T06:00:00Z")
    world.rest()
    world.finish_check(failure=CheckFailure(reason="LogUnavailable", message="the log's database does not answer"))
    world.rest()
    assert world.answer("Checked") == ("False", "CheckFailed")
    assert world.events.count("CheckFailed") == 1
    world.until("2026-01-01T12:00:00Z")
    world.rest()
    assert len(world.checks_created) == 2


def test_a_crash_before_the_job_repeats_the_check() -> None:
    world = scheduled_world(DRIFT)
    world.until("2026-01-01T06:00:00Z")
    world.fuse = 1
    with pytest.raises(Crash):
        world.reconcile_all()
    assert not world.checks_created, "only the status was written"
    world.fuse = None
    world.rest()
    assert len(world.checks_created) == 1


def test_nothing_is_checked_before_a_version_serves() -> None:
    world = ScheduledWorld(schedule=retrain_schedule(DRIFT))
    world.until("2026-01-01T06:00:00Z")
    world.rest()
    assert not world.checks_created


@pytest.mark.parametrize(
    ("spec", "change", "words"),
    [
        (DRIFT, {"serving": {"predictionLog": {"sink": "None"}}}, "spec.serving.predictionLog.sink"),
        (
            {"performance": {"below": 0.75}},
            {"training": {"task": "regression"}},
            "accuracy requires a classification model",
        ),
    ],
)
def test_what_cannot_be_checked_is_reported_and_not_tried(
    spec: dict[str, object], change: dict[str, object], words: str
) -> None:
    world = scheduled_world(spec)
    world.merge_spec(change | {"gates": {}})
    world.until("2026-01-01T06:00:00Z")
    plan = world.plan_schedule()
    checked = next(entry for entry in plan.conditions if entry.type == "Checked")
    assert (checked.status, checked.reason) == ("False", "ChecksUnavailable")
    assert words in checked.message
    assert not plan.create


# --- obstacles -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"schedule": "0 0 30 2 *"}, "spec.schedule: '0 0 30 2 *' is not a cron expression"),
        ({"schedule": "0 3 * * *", "timeZone": "Mars/Olympus"}, "spec.timeZone: unknown time zone"),
        ({"drift": {"schedule": "0 0 30 2 *"}}, "spec.drift.schedule: "),
    ],
)
def test_what_cannot_be_a_time_is_an_invalid_spec(spec: dict[str, object], words: str) -> None:
    world = scheduled_world(spec)
    world.pass_time(10 * 24 * 3600)
    world.rest()
    assert world.answer("Ready") == ("False", "InvalidSpec")
    assert words in world.status.conditions[0].message
    assert trainings(world) == 1


def test_a_schedule_without_its_model_waits_for_it() -> None:
    schedule = retrain_schedule()
    world = scheduled_world()
    plan = plan_retrain_schedule(type(world.observe_schedule())(schedule, None, None), START + timedelta(days=3))
    assert (plan.conditions[0].status, plan.conditions[0].reason) == ("False", "ModelNotFound")
    assert plan.facts.next_schedule_time == "2026-01-04T03:00:00Z"
    assert not plan.facts.runs
