"""What is counted: each end of a training or a rollout once, whatever is written how often, and how long it took."""

from heart_api.heartmodel import CandidateStatus, HeartModelStatus, PreviousStatus, RejectedStatus, ServingStatus
from heart_api.names import evaluation_trigger
from heart_api.status import TrainingStatus
from heart_operator.telemetry.delivery import TRIGGERS, ended_rollouts, ended_trainings, kind_of
from tests.support.plan.world import World, bring_up, serving_world

NOW = "2026-01-02T03:04:05Z"
LATER = "2026-01-02T03:34:05Z"
"""Half an hour."""
EMPTY = HeartModelStatus()


def trainings(before: HeartModelStatus, after: HeartModelStatus) -> list[tuple[str, str]]:
    return [(ended.trigger, ended.result) for ended in ended_trainings(before, after)]


def results(before: HeartModelStatus, after: HeartModelStatus) -> list[str]:
    return [ended.result for ended in ended_rollouts(before, after)]


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
    assert trainings(EMPTY, training("Running")) == []
    assert trainings(training("Running"), training("Succeeded")) == [("spec", "succeeded")]
    assert trainings(training("Running"), training("Failed", "abc-def")) == [("retrain", "failed")]
    assert trainings(training("Running"), training("Failed", "abc-s20260102T030000Z")) == [("schedule", "failed")]


def test_the_measurement_of_a_version_registered_by_hand_counts_when_it_ends() -> None:
    assert trainings(training("Succeeded"), evaluation("Running")) == []
    assert trainings(evaluation("Running"), evaluation("Succeeded")) == [("evaluation", "succeeded")]
    assert trainings(evaluation("Running"), evaluation("Failed")) == [("evaluation", "failed")]
    assert trainings(evaluation("Succeeded"), evaluation("Succeeded")) == []


def test_an_end_that_is_known_does_not_count_again() -> None:
    assert trainings(training("Succeeded"), training("Succeeded")) == []
    assert trainings(training("Succeeded"), training("Succeeded", name="j2")) == []
    assert trainings(evaluation("Succeeded", "9"), evaluation("Succeeded", "8")) == []


def test_every_end_counts_once_in_a_models_life() -> None:
    """A version trained, one by hand; back to each, their Jobs still there; and again without the status."""
    ends: list[tuple[str, str]] = []
    before = [EMPTY]

    def count(world: World) -> None:
        ends.extend(trainings(before[0], world.model.status))
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
    rejected = RejectedStatus(version="2", digest="d", reason="CanaryAnalysisFailed", message="m", time=NOW)
    before, after = HeartModelStatus(serving=serving("1")), HeartModelStatus(serving=serving("1"), rejected=(rejected,))
    assert results(EMPTY, before) == ["promoted"]
    assert results(before, after) == ["rejected"]
    assert results(after, after) == []


def test_a_way_back_is_no_promotion() -> None:
    """Rejecting what serves, and the return to the version before, are one rollback, however many writes it takes."""
    previous = PreviousStatus(version="1", digest="d", warm_until=NOW)
    rejected = RejectedStatus(version="2", digest="d", reason="RolledBack", message="m", time=NOW)
    bad = HeartModelStatus(serving=serving("2"), previous=previous)
    noted = bad.model_copy(update={"rejected": (rejected,)})
    back = HeartModelStatus(serving=serving("1"), rejected=(rejected,))
    assert results(bad, back) == ["rolled_back"]
    assert results(bad, noted) + results(noted, back) == ["rolled_back"]


def test_a_version_that_fails_its_gates_has_no_rollout_that_ended() -> None:
    before = HeartModelStatus(serving=serving("1"))
    for reason in ("GateFailed", "InsufficientEvidence", "NotServable"):
        entry = RejectedStatus(version="2", digest="d", reason=reason, message="m", time=NOW)
        (ended,) = ended_rollouts(before, before.model_copy(update={"rejected": (entry,)}))
        assert (ended.result, ended.time_to_restore) == ("gate_failed", None)


def test_a_version_that_loses_an_experiment_is_no_failed_change() -> None:
    """Its days of traffic are no time to restore."""
    candidate = CandidateStatus(version="2", digest="d", since=NOW)
    before = HeartModelStatus(serving=serving("1"), candidate=candidate)
    entry = RejectedStatus(version="2", digest="d", reason="ExperimentFailed", message="m", time=LATER)
    (ended,) = ended_rollouts(before, before.model_copy(update={"rejected": (entry,)}))
    assert (ended.result, ended.time_to_restore) == ("experiment_lost", None)


def test_lead_time_runs_from_the_training_to_the_promotion() -> None:
    trained = TrainingStatus(job="j", trigger="t", phase="Succeeded", started_at=NOW, version="2")
    after = HeartModelStatus(serving=ServingStatus(version="2", digest="d", since=LATER), training=trained)
    (ended,) = ended_rollouts(HeartModelStatus(serving=serving("1")), after)
    assert (ended.result, ended.lead_time) == ("promoted", 1800)


def test_without_its_training_lead_time_runs_from_the_rollout() -> None:
    """The Job's record is of a later one by now."""
    begun = HeartModelStatus(candidate=CandidateStatus(version="2", digest="d", since=NOW), training=job("Succeeded"))
    after = HeartModelStatus(serving=ServingStatus(version="2", digest="d", since=LATER))
    assert [ended.lead_time for ended in ended_rollouts(begun, after)] == [1800]
    assert [ended.lead_time for ended in ended_rollouts(EMPTY, after)] == [None]


def test_time_to_restore_runs_from_the_first_traffic_of_what_failed() -> None:
    entry = RejectedStatus(version="3", digest="d", reason="CanaryAnalysisFailed", message="m", time=LATER)
    begun = HeartModelStatus(
        serving=serving("2"), candidate=CandidateStatus(version="3", digest="d", since=NOW), previous=warm("1")
    )
    (rejected,) = ended_rollouts(begun, HeartModelStatus(serving=serving("2"), rejected=(entry,)))
    assert (rejected.result, rejected.time_to_restore) == ("rejected", 1800)
    back = HeartModelStatus(serving=ServingStatus(version="1", digest="d", since=LATER))
    (rolled_back,) = ended_rollouts(begun, back)
    assert (rolled_back.result, rolled_back.time_to_restore, rolled_back.lead_time) == ("rolled_back", 1800, None)


def warm(version: str) -> PreviousStatus:
    return PreviousStatus(version=version, digest="d", warm_until=LATER)


def test_a_training_has_a_duration_when_both_ends_are_known() -> None:
    running = HeartModelStatus(training=TrainingStatus(job="j", trigger="t", phase="Running", started_at=NOW))
    assert running.training
    for finished, seconds in ((LATER, 1800), (None, None), ("2026-01-02T03:04:00Z", 0)):
        over = running.training.model_copy(update={"phase": "Succeeded", "finished_at": finished})
        assert [ended.seconds for ended in ended_trainings(running, HeartModelStatus(training=over))] == [seconds]


def test_every_kind_of_trigger_is_known_before_it_is_met() -> None:
    """Their series start at 0."""
    found = {kind_of(trigger) for trigger in ("abc", "abc-def", "abc-s20260102T030000Z", evaluation_trigger("8", "m"))}
    assert found <= set(TRIGGERS)
