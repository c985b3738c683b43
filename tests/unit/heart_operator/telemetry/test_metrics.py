"""What is shown of the models that are there: roles of their versions, and what a candidate does."""

from heart_api.heartmodel import CandidateStatus, HeartModelStatus, PreviousStatus, ServingStatus
from heart_operator.telemetry.operator import Metrics, tracks

NOW = "2026-01-02T03:04:05Z"


def serving(version: str) -> ServingStatus:
    return ServingStatus(version=version, digest="d", since=NOW)


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


def test_both_arms_of_an_experiment_with_their_bounds() -> None:
    arm = {"count": 200, "mean": 0.8, "low": 0.7, "high": 0.9}
    found = {"since": NOW, "stable": arm, "candidate": {"count": 3}, "difference": 0.05, "low": -0.1, "high": 0.2}
    status = {"version": "3", "digest": "d", "since": NOW, "experiment": found}
    metrics = Metrics()
    metrics.show("clinic", "heart", HeartModelStatus.model_validate({"candidate": status}))

    def value(name: str, **more: str) -> float | None:
        labels = {"namespace": "clinic", "model": "heart", "version": "3"} | more
        return metrics.registry.get_sample_value(f"heartops_experiment_{name}", labels)

    figures = [value("arm", arm="stable", part=part) for part in ("value", "low", "high", "count")]
    assert figures == [0.8, 0.7, 0.9, 200]
    assert (value("arm", arm="candidate", part="count"), value("arm", arm="candidate", part="value")) == (3, None)
    assert [value("difference", part=part) for part in ("value", "low", "high")] == [0.05, -0.1, 0.2]
    assert value("verdict", verdict="Running") == 1


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
