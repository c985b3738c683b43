"""Canaries: traffic in steps, evidence, people, and the way back."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from heart_operator.plan.observed import AnalysisSample
from tests.support.plan.samples import BAD, GOOD, SILENT, answers
from tests.support.plan.world import Crash, World, bring_up, serving_world, watch

STEPS = [{"setWeight": 10}, {"pause": {"duration": "5m"}}, {"setWeight": 50}, {"pause": {"duration": "5m"}}]
ANALYSIS = {"interval": "30s", "minRequests": 50, "failureLimit": 1}


def canary_world(sample: AnalysisSample = GOOD, **rollout: Any) -> World:
    """Version 1 serves, version 2 has passed its gate; nobody has looked since."""
    world = serving_world()
    world.merge_spec({"rollout": {"steps": STEPS, "analysis": ANALYSIS} | rollout, "serving": {"replicas": 3}})
    world.start_pods()
    bring_up(world)
    world.sample = sample
    train(world, "x")
    return world


def train(world: World, value: str, **kind: Any) -> str:
    world.retrain(value)
    world.settle()
    version = world.finish_job(**kind)
    world.settle()
    return version


def submit(world: World, action: str, version: str, by: str = "alice", reason: str = "") -> None:
    """`kubectl heart ACTION`, and the operator looks."""
    world.submit(action, version, by, reason)
    world.settle()


def candidate(world: World) -> Any:
    assert world.model.status.candidate
    return world.model.status.candidate


def test_a_good_version_goes_through_the_steps_and_takes_over() -> None:
    world = canary_world()
    assert world.deployment("2").replicas == 1, "one pod of four is the nearest to 10%"
    assert world.answering == {"1"}, "nobody sees a version that is not ready"
    world.start_pods()
    world.settle()
    assert world.answering == {"1", "2"}
    assert (candidate(world).weight, candidate(world).actual_weight) == (10, 25)
    assert world.condition("Ready") == ("False", "Paused")
    assert world.condition("Available") == ("True", "Serving")
    watch(world, 270)
    assert candidate(world).step == 1
    watch(world, 60)
    assert candidate(world).step == 3
    assert world.deployment("2").replicas == 3
    assert (candidate(world).weight, candidate(world).actual_weight) == (50, 50)
    assert world.deployment("1").replicas == 3, "the serving version keeps its pods"
    watch(world, 330)
    assert world.selected == "2"
    assert world.answering == {"2"}
    assert world.model.status.candidate is None
    assert world.model.status.previous
    assert world.model.status.previous.version == "1"
    assert world.condition("Ready") == ("True", "Serving")
    assert world.condition("RolloutSucceeded") == ("True", "Promoted")
    assert world.model.status.history[-1].reason == "Promoted"


def test_a_bad_version_is_taken_back_by_itself_and_stays_rejected() -> None:
    world = canary_world(BAD)
    world.start_pods()
    world.settle()
    assert world.answering == {"1", "2"}
    watch(world, 90)
    assert world.selected == "1"
    assert world.answering == {"1"}
    assert world.running_versions == {"1"}
    (entry,) = world.model.status.rejected
    assert (entry.version, entry.reason) == ("2", "CanaryAnalysisFailed")
    assert "error" in entry.message
    assert world.condition("RolloutSucceeded") == ("False", "CanaryAnalysisFailed")
    assert world.condition("Ready") == ("True", "Serving"), "latest that is not refused"
    assert "CanaryAnalysisFailed" in world.events
    assert world.tags == {"2": "CanaryAnalysisFailed"}
    watch(world, 600)
    assert world.running_versions == {"1"}, "a re-sync of the same spec does not try it again"
    world.wipe_status()
    watch(world, 600)
    assert world.running_versions == {"1"}, "the registry's tag remembers it"


def test_one_failed_interval_is_tolerated() -> None:
    """failureLimit 1: the second in a row ends it."""
    world = canary_world(BAD)
    world.start_pods()
    world.settle()
    watch(world, 30)
    assert candidate(world).analysis.consecutive_failures == 1
    world.sample = SILENT
    watch(world, 300)
    assert world.answering == {"1", "2"}
    world.sample = BAD
    watch(world, 30)
    assert world.answering == {"1"}


@pytest.mark.parametrize(
    ("sample", "said"),
    [(SILENT, "requests: 0"), (AnalysisSample(error="Prometheus is down"), "Prometheus is down")],
)
def test_without_evidence_nothing_is_promoted(sample: AnalysisSample, said: str) -> None:
    world = canary_world(sample)
    watch(world, 7200)
    assert world.selected == "1"
    assert candidate(world).step == 1
    assert candidate(world).phase == "Held"
    assert said in world.message("Progressing")
    assert not world.model.status.rejected
    writes = world.writes
    watch(world, 600)
    assert world.writes == writes, "waiting is quiet"


@pytest.mark.parametrize(("choice", "serves"), [("Promote", "2"), ("Rollback", "1")])
def test_the_spec_may_decide_without_evidence(choice: str, serves: str) -> None:
    world = canary_world(SILENT, analysis=ANALYSIS | {"onInconclusive": choice})
    watch(world, 900)
    assert world.selected == serves
    assert world.answering == {serves}


def test_a_pause_without_end_waits_for_a_person() -> None:
    world = canary_world(steps=[{"setWeight": 20}, {"pause": {}}])
    watch(world, 3600)
    assert candidate(world).phase == "Paused"
    assert "kubectl heart promote" in world.message("Progressing")
    submit(world, "promote", "2", reason="looks fine")
    watch(world, 60)
    assert world.selected == "2"
    assert (world.model.status.history[-1].by, world.model.status.history[-1].message) == ("alice", "looks fine")
    assert "CommandExecuted" in world.events


def test_manual_approval_names_version_and_digest() -> None:
    world = serving_world()
    world.merge_spec({"approval": "Manual"})
    world.sample = GOOD
    train(world, "x")
    watch(world, 120)
    assert world.selected == "1"
    assert world.condition("Progressing") == ("Unknown", "AwaitingApproval")
    assert world.deployment("2").ready == 2, "its pods wait ready"
    submit(world, "promote", "1")
    assert world.selected == "1"
    assert world.model.status.command
    assert not world.model.status.command.done
    assert "CommandFailed" in world.events
    submit(world, "promote", "2")
    assert world.selected == "2"


def test_the_first_version_needs_approval_too() -> None:
    world = World()
    world.merge_spec({"approval": "Manual"})
    world.settle()
    world.finish_job()
    bring_up(world)
    assert world.selected is None
    submit(world, "promote", "1")
    assert world.selected == "1"


def test_a_person_aborts_pauses_and_skips() -> None:
    world = canary_world()
    world.start_pods()
    world.settle()
    submit(world, "pause", "2")
    watch(world, 3600)
    assert candidate(world).step == 1
    submit(world, "resume", "2")
    watch(world, 60)
    assert candidate(world).step == 3
    submit(world, "abort", "2", reason="wrong data")
    assert world.answering == {"1"}
    (entry,) = world.model.status.rejected
    assert entry.reason == "Aborted"
    assert entry.message == "by alice: wrong data"
    submit(world, "retry", "2")
    watch(world, 60)
    assert candidate(world).version == "2"
    submit(world, "promote-full", "2")
    watch(world, 60)
    assert world.selected == "2"
    assert world.tags.get("2", "") == ""


def test_a_command_is_carried_out_once() -> None:
    world = canary_world()
    world.start_pods()
    world.settle()
    submit(world, "promote", "2")
    watch(world, 120)
    assert candidate(world).step == 3, "the first pause was cut short, the second one was not"


def test_a_person_rolls_back_at_once() -> None:
    world = serving_world()
    train(world, "x")
    bring_up(world)
    assert world.selected == "2"
    submit(world, "rollback", "2", reason="complaints")
    assert world.answering == {"1"}
    assert world.running_versions == {"1"}
    last = world.model.status.history[-1]
    assert (last.version, last.reason, last.by, last.message) == ("1", "RolledBack", "alice", "complaints")
    watch(world, 3600)
    assert world.selected == "1"


def test_a_rollback_after_the_window_starts_the_pods_first() -> None:
    world = serving_world()
    train(world, "x")
    bring_up(world)
    world.pass_time(4000)
    world.settle()
    assert world.running_versions == {"2"}
    submit(world, "rollback", "2")
    assert world.answering == {"2"}, "something answers all the time"
    bring_up(world)
    assert world.answering == {"1"}
    assert world.running_versions == {"1"}


def test_a_version_that_turns_bad_after_its_promotion_is_taken_back() -> None:
    world = serving_world()
    world.merge_spec({"rollout": {"steps": [], "analysis": ANALYSIS}})
    train(world, "x")
    bring_up(world)
    assert world.selected == "2"
    world.sample = GOOD
    watch(world, 300)
    assert world.selected == "2"
    world.sample = AnalysisSample(stable=answers(300, errors=150))
    watch(world, 90)
    assert world.answering == {"1"}
    assert world.condition("RolloutSucceeded") == ("False", "RolledBack")
    assert world.model.status.history[-1].reason == "RolledBack"


def test_a_hotfix_of_a_bad_version_is_measured_against_the_proven_one() -> None:
    """Bad B, hotfix C, rollback: back to A."""
    world = canary_world(BAD)
    watch(world, 120)
    assert world.answering == {"1"}
    train(world, "hotfix")
    watch(world, 120)
    assert world.answering == {"1"}
    assert {entry.version for entry in world.model.status.rejected} == {"2", "3"}
    world.sample = GOOD
    train(world, "better")
    watch(world, 900)
    assert world.selected == "4"


def test_a_crashing_canary_goes() -> None:
    world = canary_world(SILENT)
    world.start_pods()
    world.settle()
    world.crash("2", times=2)
    world.settle()
    assert world.answering == {"1"}
    assert world.model.status.rejected[0].reason == "Crashing"


def test_an_outage_of_the_registry_stops_progress_and_not_the_way_back() -> None:
    world = canary_world()
    world.start_pods()
    world.settle()
    world.registry_error = "connection refused"
    watch(world, 3600)
    assert candidate(world).step == 1
    assert world.answering == {"1", "2"}
    world.sample = BAD
    watch(world, 600)
    assert world.answering == {"1"}
    world.registry_error = None
    watch(world, 60)
    assert world.tags == {"2": "CanaryAnalysisFailed"}


def test_the_warm_version_goes_before_a_canary_shares_the_service() -> None:
    """The Service of a replica-ratio canary selects every pod of the model."""
    world = serving_world()
    train(world, "x")
    bring_up(world)
    assert world.running_versions == {"1", "2"}
    world.merge_spec({"rollout": {"steps": STEPS, "analysis": ANALYSIS}})
    world.sample = GOOD
    train(world, "y")
    for _ in range(12):
        world.start_pods()
        world.reconcile()
        assert world.answering <= {"2", "3"}, "the version before the serving one answers again"
    assert world.answering == {"2", "3"}


def test_the_version_that_serves_is_read_from_the_world() -> None:
    world = canary_world()
    world.start_pods()
    world.settle()
    world.wipe_status()
    world.settle()
    assert world.selected == "1"
    watch(world, 900)
    assert world.selected == "2"


# --- spec.version ----------------------------------------------------------------------------------


def test_a_number_pins_and_going_back_is_immediate_while_warm() -> None:
    world = serving_world()
    train(world, "x")
    bring_up(world)
    world.merge_spec({"version": 1})
    world.settle()
    assert world.answering == {"1"}
    assert world.model.status.previous
    assert world.model.status.previous.version == "2", "and forward again is as quick"
    world.settle()
    assert world.condition("RolloutSucceeded") == ("True", "RolledBack"), "nobody promoted it again"
    train(world, "y")
    bring_up(world)
    assert world.selected == "1", "a newer version does not move what is pinned"
    world.merge_spec({"version": "latest"})
    bring_up(world)
    assert world.selected == "3"


def test_a_pinned_version_may_fail_its_gate() -> None:
    world = serving_world()
    train(world, "x", auc=0.7)
    bring_up(world)
    assert world.selected == "1"
    world.merge_spec({"version": 2})
    bring_up(world)
    assert world.selected == "2"
    assert world.condition("GatePassed")[0] == "False"


def test_an_alias_moves_what_serves() -> None:
    world = serving_world()
    train(world, "x")
    bring_up(world)
    world.aliases["champion"] = "1"
    world.merge_spec({"version": "@champion"})
    bring_up(world)
    assert world.selected == "1"
    world.aliases["champion"] = "2"
    bring_up(world)
    assert world.selected == "2"
    assert world.aliases["champion"] == "2"
    past = [(entry.version, entry.reason) for entry in world.model.status.history]
    assert past == [("1", "Promoted"), ("2", "Promoted"), ("1", "RolledBack"), ("2", "Promoted")]
    del world.aliases["champion"]
    bring_up(world)
    assert world.selected == "2"
    assert world.condition("Ready") == ("False", "VersionNotFound")
    assert "champion" in world.message("Ready")


def test_a_missing_number_is_said() -> None:
    world = serving_world()
    world.merge_spec({"version": 9})
    world.settle()
    assert world.selected == "1"
    assert world.condition("Ready") == ("False", "VersionNotFound")
    assert "newest: 1" in world.message("Ready")


def test_naming_a_rejected_version_tries_it_again() -> None:
    world = canary_world(BAD)
    watch(world, 120)
    assert world.model.status.rejected
    world.sample = GOOD
    world.merge_spec({"version": 2})
    watch(world, 900)
    assert world.selected == "2"


# --- beside the traffic ---------------------------------------------------------------------------------


def test_shadow_traffic_proves_a_version_before_anybody_sees_it() -> None:
    world = canary_world(SILENT, steps=[{"pause": {"duration": "5m"}}], mirror={"percent": 30})
    watch(world, 60)
    mirror = world.child("ConfigMap", "heart-mirror")
    assert mirror
    assert '"percent": 30' in mirror["data"]["mirror.json"]
    watch(world, 1200)
    assert world.answering == {"1"}
    assert candidate(world).phase == "Held"
    world.sample = GOOD
    watch(world, 60)
    assert world.selected == "2"
    mirror = world.child("ConfigMap", "heart-mirror")
    assert mirror
    assert '"percent": 0' in mirror["data"]["mirror.json"]


# --- numbers of pods ----------------------------------------------------------------------------------


def test_a_version_takes_over_with_the_pods_that_all_traffic_had() -> None:
    """The autoscaler shrinks the serving version while it shares its traffic."""
    world = serving_world()
    world.merge_spec({"rollout": {"steps": STEPS, "analysis": ANALYSIS}})
    world.autoscale(4)
    world.start_pods()
    world.sample = GOOD
    train(world, "x")
    watch(world, 330)
    world.autoscale(2)
    watch(world, 330)
    assert world.selected == "2"
    assert world.deployment("2").replicas == 4


@pytest.mark.parametrize("written", range(1, 8))
def test_a_promotion_that_a_person_gave_survives_a_crash_after_any_write(written: int) -> None:
    world = canary_world(steps=[{"setWeight": 50}, {"pause": {}}], analysis={"onInconclusive": "Promote"})
    watch(world, 60)
    world.submit("promote", "2")
    world.fuse = written
    with suppress(Crash):
        world.settle()
    world.fuse = None
    world.settle()
    world.start_pods()
    world.settle()
    assert (world.selected, world.model.status.serving.version) == ("2", "2")  # type: ignore[union-attr]
    assert [entry.version for entry in world.model.status.history] == ["1", "2"]


def test_a_recorded_promotion_waits_for_pods_that_are_gone_meanwhile() -> None:
    world = canary_world(steps=[{"setWeight": 50}, {"pause": {}}], analysis={"onInconclusive": "Promote"})
    watch(world, 60)
    world.submit("promote", "2")
    while world.model.status.serving.version == "1":  # type: ignore[union-attr]
        world.fuse = 1
        with suppress(Crash):
            world.reconcile()
        world.start_pods()
    assert world.answering == {"1", "2"}
    world.fuse = None
    name = world.deployment("2").name
    world.deployments[name] = replace(world.deployments[name], ready=0)
    world.settle()
    assert world.answering == {"1"}, "never to a version that cannot answer"
