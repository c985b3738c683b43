"""When a model is reconciled again although nothing in the cluster changes."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heart_api.heartmodel import (
    HeartModelStatus,
    PreviousStatus,
)
from heart_api.times import written
from heart_operator.plan.decision import Decision
from heart_operator.plan.observed import ObservedJob
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.quota import QuotaWait, Usage
from heart_operator.plan.selection.evaluation_job import EvaluationPlan
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.status.requeue import FOLLOW_SECONDS, LEAST_SECONDS, POLL_SECONDS, requeue_after
from heart_operator.plan.training.training import TrainingPlan
from tests.support.plan.decisions import (
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    V2,
    condition,
    decision,
    deployment,
    progress,
    trained,
    training,
)


def again(seen: Decision) -> float | None:
    return requeue_after(seen, seen.observed.model.status)


def test_a_model_at_rest_is_not_reconciled_by_time() -> None:
    assert again(decision()) is None
    later = decision(rollout={"deadline": NOW + MINUTE})
    assert again(later) == 60
    assert again(replace(later, observed=decision({"suspend": True}).observed)) is None


@pytest.mark.parametrize(
    ("deadline", "seconds"), [(timedelta(0), LEAST_SECONDS), (SECOND, 1.0), (-HOUR, LEAST_SECONDS)]
)
def test_no_two_reconciles_follow_each_other_at_once(deadline: timedelta, seconds: float) -> None:
    assert again(decision(rollout={"deadline": NOW + deadline})) == seconds


def test_the_nearest_moment_counts() -> None:
    warm = PreviousStatus(version="0", digest="d", warm_until=written(NOW + 2 * MINUTE))
    assert again(decision(rollout={"previous": warm})) == 120
    assert again(decision(rollout={"previous": warm, "deadline": NOW + MINUTE})) == 60
    candidate = progress(analysis={"time": written(NOW - 10 * SECOND)}).dump()
    spec = {"rollout": {"analysis": {"interval": "40s"}}}
    assert again(decision(spec, {"candidate": candidate})) == 30


def test_the_next_analysis_is_that_of_the_candidate_to_be() -> None:
    """The status that is about to be written counts, not the one that was read."""
    spec = {"rollout": {"analysis": {"interval": "40s"}}}
    facts = HeartModelStatus(candidate=progress(analysis={"time": written(NOW - 10 * SECOND)}))
    assert requeue_after(decision(spec), facts) == 30


@pytest.mark.parametrize(("older", "seconds"), [(0, 60.0), (20, 62.0), (10_000, 120.0)])
def test_models_that_wait_for_one_moment_take_turns(older: int, seconds: float) -> None:
    wait = QuotaWait("trainingsPerHour", "one an hour", until=NOW + MINUTE)
    plan, usage = replace(trained(wanted=True), wait=wait), Usage(older=older)
    assert again(decision(training=plan, observed={"usage": usage})) == pytest.approx(seconds)
    for_good = replace(plan, wait=replace(wait, until=None))
    assert again(decision(training=for_good, observed={"usage": usage})) is None


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"obstacle": Obstacle("RegistryUnavailable", "")}, True),
        ({"obstacle": Obstacle("RegistryLost", "")}, True),
        ({"obstacle": Obstacle("RegistryNameTaken", "")}, True),
        ({"obstacle": Obstacle("InvalidSpec", "")}, False),
        ({"gate": None}, True),
        ({"gate": None, "selection": Selection()}, False),
        ({"rollout": {"candidate": V2, "action": "Hold"}}, True),
        ({"rollout": {"candidate": V2, "action": "Go"}}, False),
        ({"rollout": {"action": "Hold"}}, False),
        ({"training": trained("Failed", finishedAt=written(NOW - timedelta(seconds=29)))}, True),
        ({"training": trained("Failed", finishedAt=written(NOW - timedelta(seconds=30)))}, False),
        ({"training": trained("Failed")}, False),
        ({"training": trained("Succeeded", finishedAt=written(NOW))}, False),
        ({"training": TrainingPlan(None, False)}, False),
        ({"evaluation": EvaluationPlan(training("Failed", finishedAt=written(NOW)))}, True),
    ],
)
def test_when_the_registry_is_read_again(changes: dict[str, Any], needed: bool) -> None:
    assert again(decision(**changes)) == (POLL_SECONDS if needed else None)
    assert POLL_SECONDS == 30


def job(created: datetime, phase: Any = "Running", *, waiting: bool = True) -> ObservedJob[Any, Any]:
    return ObservedJob("j", "u", "t", created, phase, waiting=waiting)


@pytest.mark.parametrize(
    ("observed", "seconds"),
    [
        ({"jobs": (job(NOW),)}, 5),
        ({"evaluations": (job(NOW - 3 * MINUTE),)}, 30),
        ({"jobs": (job(NOW, waiting=False),)}, None),
        ({"jobs": (job(NOW, "Failed"),)}, None),
    ],
)
def test_a_job_without_a_pod_is_observed_again(observed: dict[str, Any], seconds: float | None) -> None:
    assert again(decision(observed=observed)) == seconds


@pytest.mark.parametrize(
    ("status", "created", "seconds"),
    [
        ({}, NOW, 5),
        ({}, NOW - 3 * MINUTE, 5),
        ({"conditions": [condition("Ready", "x", since=written(NOW - HOUR)).dump()]}, NOW - MINUTE, 5),
        ({"conditions": [condition("Ready", "x", since=written(NOW - HOUR)).dump()]}, NOW - 3 * MINUTE, 30),
        ({"conditions": [condition("Ready", "x", since=written(NOW - MINUTE)).dump()]}, NOW - 3 * MINUTE, 5),
        ({"conditions": [condition("Available", "x", since=written(NOW - HOUR)).dump()]}, NOW - HOUR, 5),
    ],
)
def test_pods_that_are_not_ready_are_observed_again(status: dict[str, Any], created: datetime, seconds: float) -> None:
    seen = (deployment(ready=1, replicas=2, created=created), deployment("9", 0, 2, created=NOW))
    assert again(decision(None, status, deployments=seen)) == seconds
    assert again(decision(None, status, deployments=(deployment(ready=2, replicas=2, created=created),))) is None


@pytest.mark.parametrize(
    ("phase", "sites", "seconds"), [("Running", [], FOLLOW_SECONDS), ("Running", None, None), ("Succeeded", [], None)]
)
def test_a_training_at_sites_is_followed(phase: str, sites: Any, seconds: float | None) -> None:
    record = training(phase, sites=None if sites is None else tuple(sites))
    assert requeue_after(decision(), HeartModelStatus(training=record)) == seconds
    assert requeue_after(decision(), HeartModelStatus()) is None
