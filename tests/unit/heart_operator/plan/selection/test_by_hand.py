"""Versions that somebody registered by hand: measured, judged, served, and refused for good."""

from dataclasses import replace

import pytest

from heart_api.profile import Signing
from tests.support.plan.world import World, bring_up, serving_world


def test_a_version_by_hand_is_measured_then_judged_then_served() -> None:
    world = serving_world()
    version = world.register_by_hand()
    world.settle()
    assert world.condition("GatePassed") == ("Unknown", "Evaluating")
    assert world.running_versions == {"1"}, "nothing of it runs before its gate"
    world.finish_evaluation()
    bring_up(world)
    assert world.selected == version
    assert world.condition("Ready") == ("True", "Serving")


def test_a_version_from_outside_waits_for_an_approver_unless_the_spec_adopts_it() -> None:
    """Whoever may write to the registry can register a model with a back door that keeps the figures."""
    world = serving_world()
    world.merge_spec({"versionsFromOutside": "Approve"})
    version = world.register_by_hand()
    world.settle()
    world.finish_evaluation()
    bring_up(world)
    assert world.selected == "1"
    candidate = world.model.status.candidate
    assert candidate is not None
    assert (candidate.version, candidate.phase) == (version, "AwaitingApproval")


def approving_world() -> World:
    world = serving_world()
    world.merge_spec({"versionsFromOutside": "Approve"})
    return world


def test_a_version_with_a_valid_seal_needs_no_approval() -> None:
    """Its Job and its record are gone, and an evaluation Job has found the seal of the namespace's key."""
    world = approving_world()
    version = world.register_by_hand()
    world.settle()
    world.finish_evaluation(sealed=True)
    bring_up(world)
    assert world.selected == version


def test_a_tag_that_claims_a_training_is_checked_like_a_version_from_outside() -> None:
    """Whoever knows the spec can compute the trigger: the tag alone makes nobody believe it, and hides nothing."""
    world = approving_world()
    trigger = world.versions["1"].trigger
    forged = world.register_by_hand(trigger=trigger)
    world.settle()
    assert world.condition("GatePassed") == ("Unknown", "Evaluating")
    world.finish_evaluation(sealed=False, message="its seal was not made with this namespace's key")
    bring_up(world)
    assert world.selected == "1"
    candidate = world.model.status.candidate
    assert candidate is not None
    assert (candidate.version, candidate.phase, candidate.origin) == (forged, "AwaitingApproval", "Outside")
    assert "not made with this namespace's key" in candidate.message


def test_a_training_that_is_about_to_report_its_version_is_not_measured_meanwhile() -> None:
    world = approving_world()
    world.retrain("x")
    world.settle()
    job = world.running_job()
    assert job
    world.register_by_hand(trigger=job.trigger)
    world.settle()
    assert not world.running_evaluation()


def test_a_version_that_claims_another_spec_is_passed_over() -> None:
    world = approving_world()
    world.register_by_hand(trigger="ffffffff-ffffffff")
    world.settle()
    assert not world.running_evaluation()


def test_a_seal_counts_until_the_candidate_serves_also_when_its_record_is_replaced() -> None:
    world = approving_world()
    world.merge_spec({"approval": "Manual"})
    version = world.register_by_hand()
    world.settle()
    world.finish_evaluation(sealed=True)
    bring_up(world)
    candidate = world.model.status.candidate
    assert candidate is not None
    assert (candidate.version, candidate.origin) == (version, "Sealed")
    world.jobs.clear()
    world.model = world.model.model_copy(update={"status": world.model.status.model_copy(update={"evaluation": None})})
    world.merge_spec({"approval": "Automatic"})
    bring_up(world)
    assert world.selected == version


def test_tags_in_the_registry_suppress_no_training() -> None:
    """A tag that rejects a version of the next trigger, or names it, is anybody's to write."""
    world = serving_world()
    world.retrain("x")
    trigger = world.plan().facts.training
    assert trigger
    forged = world.register_by_hand(trigger=trigger.trigger)
    world.tags[forged] = "CanaryAnalysisFailed"
    world.settle()
    assert world.running_job()


def test_a_version_from_outside_can_be_passed_over() -> None:
    world = serving_world()
    world.merge_spec({"versionsFromOutside": "Ignore"})
    world.register_by_hand()
    world.settle()
    bring_up(world)
    assert world.selected == "1"
    assert world.condition("GatePassed")[1] != "Evaluating"


def test_who_names_a_version_by_its_number_has_approved_it() -> None:
    world = serving_world()
    version = world.register_by_hand()
    world.merge_spec({"versionsFromOutside": "Approve", "version": int(version)})
    world.settle()
    world.finish_evaluation()
    bring_up(world)
    assert world.selected == version


def test_a_poor_version_by_hand_fails_its_gate() -> None:
    world = serving_world()
    world.register_by_hand(auc=0.6)
    world.settle()
    world.finish_evaluation()
    bring_up(world)
    assert world.selected == "1"
    assert world.condition("GatePassed") == ("False", "GateFailed")


def test_a_version_that_nobody_can_serve_is_rejected_and_said() -> None:
    world = serving_world()
    version = world.register_by_hand()
    world.settle()
    world.reject_evaluation()
    bring_up(world)
    assert world.selected == "1"
    assert world.condition("GatePassed") == ("False", "NotServable")
    assert "no HeartOps package" in world.message("GatePassed")
    assert world.tags[version].startswith("NotServable")
    world.retrain("x")
    world.settle()
    world.finish_job()
    bring_up(world)
    assert world.selected == "3", "it keeps nothing else from serving"


def test_an_alias_may_name_a_version_by_hand() -> None:
    world = serving_world()
    version = world.register_by_hand()
    world.aliases["champion"] = version
    world.merge_spec({"version": "@champion"})
    world.settle()
    assert world.condition("Ready") == ("False", "Evaluating")
    world.finish_evaluation()
    bring_up(world)
    assert world.selected == version


def measure_all(world: World) -> None:
    """Every version that is looked at, until nothing is left to measure; each look comes to rest."""
    for _ in range(20):
        bring_up(world)
        world.pass_time(90)
        bring_up(world)
        if not world.running_evaluation():
            return
        world.finish_evaluation()
    raise AssertionError("it never ends")


@pytest.mark.parametrize(
    ("auc", "starts", "reason"), [(0.6, True, "GateFailed"), (0.9, False, "ReadyDeadlineExceeded")]
)
def test_more_rejected_versions_than_the_status_has_room_for(auc: float, starts: bool, reason: str) -> None:
    """One that fell out of `status.rejected` must not take its turn again, for ever."""
    world = serving_world()
    world.merge_spec({"rollout": {"historyLimit": 2, "steps": []}})
    versions = [world.register_by_hand(auc, starts) for _ in range(5)]
    measure_all(world)
    assert world.selected == "1"
    assert all(world.tags[version].startswith(reason) for version in versions)
    assert len(world.model.status.rejected) == 2
    assert world.jobs_created.total() <= 1 + len(versions) + 1, "the newest once more, to say what was found"
    assert world.condition("Ready") == ("True", "Serving")


def test_other_gates_judge_the_ones_that_fell_out_again() -> None:
    world = serving_world()
    world.merge_spec({"rollout": {"historyLimit": 1, "steps": []}})
    better, worse = world.register_by_hand(0.75), world.register_by_hand(0.6)
    measure_all(world)
    assert world.selected == "1"
    world.merge_spec({"gates": {"checks": [{"metric": "roc_auc", "min": 0.7}]}})
    measure_all(world)
    assert world.selected == better
    assert world.tags[worse].startswith("GateFailed")


def test_naming_one_that_fell_out_tries_it_again() -> None:
    world = serving_world()
    world.merge_spec({"rollout": {"historyLimit": 1, "steps": []}})
    first, _ = world.register_by_hand(0.9, starts=False), world.register_by_hand(0.9, starts=False)
    measure_all(world)
    assert [entry.version for entry in world.model.status.rejected] != [first]
    world.trained[first] = world.versions[first] = replace(world.trained[first], starts=True)
    world.submit("retry", first)
    world.settle()
    assert world.model.status.command
    assert "set spec.version to it" in world.model.status.command.result
    world.merge_spec({"version": int(first)})
    measure_all(world)
    assert world.selected == first
    assert world.tags[first] == ""


def test_what_serves_against_its_gate_is_not_taken_away_by_latest() -> None:
    """A person named its number; only something better may replace it."""
    world = serving_world()
    poor = world.register_by_hand(0.6)
    measure_all(world)
    world.merge_spec({"version": int(poor), "rollout": {"steps": []}})
    bring_up(world)
    assert (world.selected, world.tags[poor]) == (poor, "")
    world.merge_spec({"version": "latest"})
    bring_up(world)
    assert world.selected == poor


def test_a_lost_status_ends_no_running_evaluation() -> None:
    """A newer version was refused before: it is not looked at again instead."""
    world = serving_world()
    world.register_by_hand(0.9)
    world.register_by_hand(0.6)
    world.settle()
    world.finish_evaluation()
    world.settle()
    running = world.running_evaluation()
    assert running
    world.wipe_status()
    world.settle()
    assert world.running_evaluation() == running
    assert max(world.jobs_created.values()) == 1


def test_a_version_waits_for_the_signature_that_the_profile_asks_for() -> None:
    world = serving_world()
    assert world.profile
    world.profile = world.profile.model_copy(update={"signing": Signing(public_keys=("PEM",))})
    world.retrain("x")
    world.settle()
    version = world.finish_job()
    bring_up(world)
    assert world.selected == "1"
    assert version not in world.running_versions
    assert world.condition("Progressing") == ("Unknown", "OnHold")
    assert "python -m heart_trainer sign" in world.message("Progressing")
    world.signed.add(version)
    bring_up(world)
    assert world.selected == version
