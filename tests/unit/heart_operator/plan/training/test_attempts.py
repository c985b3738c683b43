"""Trainings on several pods: a lost pod ends an attempt, and the operator starts the next one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.handover import TrainingFailure, TrainingResult
from heart_api.heartmodel import HeartModelStatus, TrainingStatus
from heart_api.names import Annotation, training_job_name
from heart_api.profile import Quota
from heart_operator.plan.observed import Observed, ObservedJob, Registry, TrainingJob
from heart_operator.plan.training.attempts import another_attempt, latest_attempt
from heart_operator.plan.training.training import TrainingPlan, plan_training
from heart_operator.plan.training.triggers import spec_trigger
from tests.support.plan.world import MONITORING, PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPEC: dict[str, Any] = {
    "dataset": {"uri": "pvc://data/rows/", "format": "parquet"},
    "training": {"algorithms": ["xgboost"], "scale": {"mode": "Distributed", "workers": 2}, "backoffLimit": 2},
}
TRIGGER = spec_trigger(heart_model(SPEC))


def name(attempt: int) -> str:
    return training_job_name("heart", "u-1", TRIGGER, attempt)


def job(attempt: int, phase: Any = "Failed", lost: bool = True, **changes: Any) -> TrainingJob:
    created = NOW - timedelta(minutes=10 - attempt)
    values = {"name": name(attempt), "uid": f"j-{attempt}", "trigger": TRIGGER, "created": created, "phase": phase}
    return ObservedJob(**(values | {"attempt": attempt, "lost": lost and phase == "Failed"} | changes))


def running(attempt: int) -> TrainingStatus:
    return TrainingStatus(job=name(attempt), trigger=TRIGGER, phase="Running")


def planned(*jobs: TrainingJob, status: TrainingStatus | None = None, **changes: Any) -> TrainingPlan:
    model = heart_model(SPEC, status=HeartModelStatus(training=status or running(0)))
    values: dict[str, Any] = {"model": model, "profile": PROFILE, "profiles": ("default",), "deployments": ()}
    values |= {"jobs": jobs, "kinds": MONITORING, "registry": Registry(), "children": {}}
    return plan_training(Observed(**(values | changes)), None, may_start=True, now=NOW)


def created(plan: TrainingPlan) -> list[tuple[str, str]]:
    """(name, attempt)"""
    return [
        (made["metadata"]["name"], made["spec"]["template"]["metadata"]["annotations"][Annotation.ATTEMPT])
        for made in plan.create
    ]


def test_the_first_attempt_is_number_zero() -> None:
    assert created(planned()) == [(name(0), "0")]


def test_a_lost_pod_starts_the_next_attempt_under_another_name() -> None:
    plan = planned(job(0))
    assert created(plan) == [(name(1), "1")]
    assert plan.status is not None
    assert (plan.status.phase, plan.status.job) == ("Running", name(1)), "the training has not failed"


def test_while_an_attempt_runs_no_other_starts() -> None:
    plan = planned(job(0), job(1, "Running"), status=running(1))
    assert not plan.create
    assert plan.status is not None
    assert (plan.status.phase, plan.status.job) == ("Running", name(1))


def test_the_attempts_are_bounded_by_the_backoff_limit() -> None:
    plan = planned(job(0), job(1), job(2, why="OOMKilled"), status=running(2))
    assert not plan.create
    assert plan.status is not None
    assert plan.status.phase == "Failed"
    assert "OOMKilled" in str(plan.status.message)
    assert plan.status.job == name(2)


def test_bad_data_is_not_tried_again() -> None:
    failure = TrainingFailure(reason="DataInvalid", message="part-1.parquet, row group 3 of 3: broken")
    plan = planned(job(0, lost=False, failure=failure))
    assert not plan.create
    assert plan.status is not None
    assert (plan.status.phase, plan.status.reason) == ("Failed", "DataInvalid")


def test_a_later_attempt_that_succeeds_is_the_training() -> None:
    result = TrainingResult(version="3", run_id="r", artifact_sha256=sha("3"), evaluation_sha256=sha("e"))
    plan = planned(job(0), job(1, "Succeeded", result=result), status=running(1))
    assert plan.status is not None
    assert (plan.status.phase, plan.status.version) == ("Succeeded", "3")


def test_equal_worlds_plan_equal_attempts_whatever_the_order_of_the_listing() -> None:
    assert planned(job(1, "Running"), job(0)) == planned(job(0), job(1, "Running"))


def test_a_status_that_was_lost_changes_nothing() -> None:
    """The attempts are counted from the Jobs that exist."""
    jobs = (job(0), job(1))
    without = planned(*jobs, model=heart_model(SPEC))
    assert created(without) == created(planned(*jobs, status=running(1))) == [(name(2), "2")]


def test_an_attempt_waits_for_the_quota_like_any_training() -> None:
    from heart_operator.plan.quota import StartedTraining, Usage

    profile = PROFILE.model_copy(update={"quota": Quota(trainings_per_hour=1)})
    usage = Usage(trainings=(StartedTraining(name(0), NOW - timedelta(minutes=10)),))
    plan = planned(job(0), profile=profile, usage=usage)
    assert not plan.create
    assert plan.wait is not None


def test_other_jobs_have_one_attempt() -> None:
    alone = replace(job(0), lost=False)
    assert another_attempt(alone, 10) is None
    assert latest_attempt((alone, job(1)), "another trigger") is None


@pytest.mark.parametrize(("limit", "following"), [(0, None), (1, 1)])
def test_no_retry_is_no_second_attempt(limit: int, following: int | None) -> None:
    assert another_attempt(job(0), limit) == following


def test_another_number_of_workers_is_another_training() -> None:
    three = {**SPEC, "training": {**SPEC["training"], "scale": {"mode": "Distributed", "workers": 3}}}
    assert spec_trigger(heart_model(three)) != TRIGGER
