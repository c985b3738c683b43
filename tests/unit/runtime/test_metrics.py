"""What is counted: each end of a training or a rollout once, whatever is written how often."""

from heart_operator.api.heartmodel import (
    CandidateStatus,
    HeartModelStatus,
    PreviousStatus,
    RejectedStatus,
    ServingStatus,
    TrainingStatus,
)
from heart_operator.metrics import Metrics, ended_rollouts, ended_trainings, tracks

NOW = "2026-01-02T03:04:05Z"
EMPTY = HeartModelStatus()


def training(phase: str, trigger: str = "abc", job: str = "j1") -> HeartModelStatus:
    return HeartModelStatus(training=TrainingStatus.model_validate({"job": job, "trigger": trigger, "phase": phase}))


def serving(version: str) -> ServingStatus:
    return ServingStatus(version=version, digest="d", since=NOW)


def test_a_training_counts_when_it_ends() -> None:
    assert ended_trainings(EMPTY, training("Running")) == []
    assert ended_trainings(training("Running"), training("Succeeded")) == [("spec", "succeeded")]
    assert ended_trainings(training("Running"), training("Failed", "abc-def")) == [("retrain", "failed")]


def test_an_end_that_is_known_does_not_count_again() -> None:
    assert ended_trainings(training("Succeeded"), training("Succeeded")) == []
    assert ended_trainings(training("Succeeded"), training("Succeeded", job="j2")) == [("spec", "succeeded")]


def test_rollouts_end_in_promotion_or_rejection() -> None:
    refused = RejectedStatus(version="2", digest="d", reason="GateFailed", message="m", time=NOW)
    before, after = HeartModelStatus(serving=serving("1")), HeartModelStatus(serving=serving("1"), rejected=(refused,))
    assert ended_rollouts(EMPTY, before) == ["promoted"]
    assert ended_rollouts(before, after) == ["rejected"]
    assert ended_rollouts(after, after) == []


def test_roles_of_a_deleted_model_leave_no_series() -> None:
    metrics = Metrics()
    status = HeartModelStatus(
        serving=serving("2"),
        candidate=CandidateStatus(version="3", digest="d", since=NOW),
        previous=PreviousStatus(version="1", digest="d", warm_until=NOW),
    )
    assert tracks(status) == {"1": "previous", "2": "stable", "3": "candidate"}
    metrics.show("clinic", "heart", status)
    labels = {"namespace": "clinic", "model": "heart", "version": "3", "track": "candidate"}
    assert metrics.registry.get_sample_value("heartops_model_track", labels) == 1
    metrics.show("clinic", "heart", status.model_copy(update={"candidate": None}))
    assert metrics.registry.get_sample_value("heartops_model_track", labels) is None
    metrics.forget("clinic", "heart")
    labels |= {"version": "2", "track": "stable"}
    assert metrics.registry.get_sample_value("heartops_model_track", labels) is None
