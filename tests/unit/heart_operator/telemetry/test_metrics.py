"""What is counted: each end of a training or a rollout once, whatever is written how often."""

from heart_api.heartmodel import (
    CandidateStatus,
    HeartModelStatus,
    PreviousStatus,
    RejectedStatus,
    ServingStatus,
    TrainingStatus,
)
from heart_api.names import evaluation_trigger
from heart_operator.telemetry.operator import Metrics, ended_rollouts, ended_trainings, tracks
from tests.support.plan.world import World, bring_up, serving_world

NOW = "2026-01-02T03:04:05Z"
EMPTY = HeartModelStatus()


def job(phase: str, trigger: str = "abc", name: str = "j1") -> TrainingStatus:
    return TrainingStatus.model_validate({"job": name, "trigger": trigger, "phase": phase})


def training(phase: str, trigger: str = "abc", name: str = "j1") -> HeartModelStatus:
    return HeartModelStatus(training=job(phase, trigger, name))


def evaluation(phase: str, version: str = "8") -> HeartModelStatus:
    """Beside a training that ended long ago."""
    found = job(phase, evaluation_trigger(version, "m"), f"evaluate-{version}")
    return HeartModelStatus(training=job("Succeeded"), evaluation=found)


def serving(version: str) -> ServingStatus:
    return ServingStatus(version=version, digest="d", since=NOW)


def test_a_training_counts_when_it_ends() -> None:
    assert ended_trainings(EMPTY, training("Running")) == []
    assert ended_trainings(training("Running"), training("Succeeded")) == [("spec", "succeeded")]
    assert ended_trainings(training("Running"), training("Failed", "abc-def")) == [("retrain", "failed")]
    assert ended_trainings(training("Running"), training("Failed", "abc-s20260102T030000Z")) == [("schedule", "failed")]


def test_the_measurement_of_a_version_registered_by_hand_counts_when_it_ends() -> None:
    assert ended_trainings(training("Succeeded"), evaluation("Running")) == []
    assert ended_trainings(evaluation("Running"), evaluation("Succeeded")) == [("evaluation", "succeeded")]
    assert ended_trainings(evaluation("Running"), evaluation("Failed")) == [("evaluation", "failed")]
    assert ended_trainings(evaluation("Succeeded"), evaluation("Succeeded")) == []


def test_an_end_is_counted_where_prometheus_looks() -> None:
    metrics = Metrics()
    metrics.count_changes(evaluation("Running"), evaluation("Failed"))
    labels = {"trigger": "evaluation", "result": "failed"}
    assert metrics.registry.get_sample_value("heartops_trainings_total", labels) == 1


def test_an_end_that_is_known_does_not_count_again() -> None:
    assert ended_trainings(training("Succeeded"), training("Succeeded")) == []
    assert ended_trainings(training("Succeeded"), training("Succeeded", name="j2")) == []
    assert ended_trainings(evaluation("Succeeded", "9"), evaluation("Succeeded", "8")) == []


def test_every_end_counts_once_in_a_models_life() -> None:
    """A version trained, one by hand; back to each, their Jobs still there; and again without the status."""
    ends: list[tuple[str, str]] = []
    before = [EMPTY]

    def count(world: World) -> None:
        ends.extend(ended_trainings(before[0], world.model.status))
        before[0] = world.model.status

    world = serving_world(watchers=[count])
    assert ends == [("spec", "succeeded")]
    world.register_by_hand()
    bring_up(world)
    world.finish_evaluation()
    bring_up(world)
    assert ends[1:] == [("evaluation", "succeeded")]
    for version in ("1", "2", "latest"):
        world.change_spec(version=version)
        bring_up(world)
    world.register_by_hand()
    bring_up(world)
    world.reject_evaluation()
    bring_up(world)
    world.wipe_status()
    bring_up(world)
    assert ends[2:] == [("evaluation", "failed")]


def test_rollouts_end_in_promotion_or_rejection() -> None:
    rejected = RejectedStatus(version="2", digest="d", reason="GateFailed", message="m", time=NOW)
    before, after = HeartModelStatus(serving=serving("1")), HeartModelStatus(serving=serving("1"), rejected=(rejected,))
    assert ended_rollouts(EMPTY, before) == ["promoted"]
    assert ended_rollouts(before, after) == ["rejected"]
    assert ended_rollouts(after, after) == []


def test_a_way_back_is_no_promotion() -> None:
    """Rejecting what serves, and the return to the version before, are one rollback, however many writes it takes."""
    previous = PreviousStatus(version="1", digest="d", warm_until=NOW)
    rejected = RejectedStatus(version="2", digest="d", reason="RolledBack", message="m", time=NOW)
    bad = HeartModelStatus(serving=serving("2"), previous=previous)
    noted = bad.model_copy(update={"rejected": (rejected,)})
    back = HeartModelStatus(serving=serving("1"), rejected=(rejected,))
    assert ended_rollouts(bad, back) == ["rolled_back"]
    assert ended_rollouts(bad, noted) + ended_rollouts(noted, back) == ["rolled_back"]


def candidate(**analysis: object) -> HeartModelStatus:
    """Half-way, with ordinary traffic."""
    track = {"requests": 300, "outputs": {"0.20": 150, "0.80": 150}}
    found = {"time": NOW, "verdict": "Passed", "stable": track, "candidate": track} | analysis
    mirror = {"compared": 8, "different": 2}
    status = {"version": "3", "digest": "d", "since": NOW, "weight": 10, "actualWeight": 25}
    return HeartModelStatus.model_validate({"candidate": status | {"analysis": found, "mirror": mirror}})


def test_what_a_candidate_does() -> None:
    metrics = Metrics()

    def value(name: str, **more: str) -> float | None:
        labels = {"namespace": "clinic", "model": "heart", "version": "3"} | more
        return metrics.registry.get_sample_value(name, labels)

    metrics.show("clinic", "heart", candidate(consecutive_failures=1))
    assert value("heartops_candidate_weight", kind="desired") == 10
    assert value("heartops_candidate_weight", kind="actual") == 25
    assert value("heartops_analysis_verdict", verdict="Passed") == 1
    assert value("heartops_analysis_consecutive_failures") == 1
    assert value("heartops_prediction_shift") == 0
    assert value("heartops_mirror_different_share") == 0.25
    other = {"requests": 300, "outputs": {"0.20": 30, "0.80": 270}}
    metrics.show("clinic", "heart", candidate(verdict="Failed", candidate=other))
    assert value("heartops_analysis_verdict", verdict="Passed") is None
    assert value("heartops_analysis_verdict", verdict="Failed") == 1
    assert (value("heartops_prediction_shift") or 0) > 0.5
    metrics.forget("clinic", "heart")
    assert value("heartops_candidate_weight", kind="desired") is None


def test_what_is_not_known_of_a_candidate_has_no_series() -> None:
    metrics = Metrics()
    metrics.show("clinic", "heart", HeartModelStatus(candidate=CandidateStatus(version="3", digest="d", since=NOW)))
    names = {family.name for family in metrics.registry.collect() if family.samples}
    assert "heartops_candidate_weight" in names
    assert not {"heartops_analysis_verdict", "heartops_prediction_shift", "heartops_mirror_different_share"} & names


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
