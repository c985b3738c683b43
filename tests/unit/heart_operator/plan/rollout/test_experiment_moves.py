"""One move of a candidate in an A/B experiment: whom it answers, what ends it, and how long it may last."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from heart_api.heartmodel import CandidateStatus, Rollout
from heart_api.names import Reason
from heart_api.status import ArmStatus, ExperimentStatus
from heart_api.times import read
from heart_operator.manifests.traffic import Traffic
from heart_operator.plan.rollout.canary import (
    find_deadline,
    find_failure,
    gives_up_without_evidence,
    next_move,
    with_traffic,
)
from heart_operator.plan.rollout.context import RolloutContext, experiment_steps
from heart_operator.plan.rollout.experiment import describe
from heart_operator.plan.rollout.phases import find_phase
from heart_operator.plan.rollout.steps import evidence_permits, is_done, pods_at
from tests.unit.heart_operator.plan.rollout.test_candidate_moves import (
    ANALYSIS,
    GOOD,
    NOW,
    UNSURE,
    ago,
    analysis,
    at_pause,
    context,
    deployment,
    rollout,
)

VALUES = {"duration": "10m", "split": 40, "by": {"header": "X-User-Id"}, "minDetectable": 0.05}


def experimental(analysis: dict[str, Any] | None = None, **changes: Any) -> Rollout:
    """As the context has it: the experiment's own steps."""
    found = rollout(experiment=VALUES | changes, analysis=ANALYSIS | (analysis or {}))
    assert found.experiment
    return found.model_copy(update={"steps": experiment_steps(found.experiment)})


def about(spec: Rollout | None = None, **changes: Any) -> RolloutContext:
    """Both pods that forty percent of the users need are ready."""
    pods = deployment(ready=2, replicas=2)
    return context(**({"rollout": spec or experimental(), "exact": True, "deployment": pods} | changes))


def known(verdict: Any = "Running", since: str = ago(60)) -> ExperimentStatus:
    arm = ArmStatus(count=100, total=80, squares=80)
    return ExperimentStatus(since=since, verdict=verdict, stable=arm, candidate=arm)


def trying(verdict: Any = "Running", **changes: Any) -> CandidateStatus:
    """At the pause that the result ends, with its users."""
    values = {"phase": "Experimenting", "experiment": known(verdict), "analysis": GOOD, "actual_weight": 40}
    return at_pause(**(values | changes))


def test_the_serving_pods_hand_its_users_on_and_neither_service_nor_route_does() -> None:
    moved, traffic = with_traffic(about(), trying(), pods=2)
    assert traffic == Traffic(candidate="2", experiment_since=ago(60), closed="2")
    assert (moved.weight, moved.actual_weight, moved.base_replicas) == (40, 40, 4)
    assert moved.experiment == known()


def test_it_begins_with_the_first_full_set_of_pods() -> None:
    new = trying(experiment=None, actual_weight=0)
    moved, traffic = with_traffic(about(), new, pods=2)
    assert moved.experiment == ExperimentStatus(since=ago(0))
    assert traffic.experiment_since == ago(0)
    one = deployment(ready=1, replicas=2)
    moved, traffic = with_traffic(about(deployment=one), new, pods=2)
    assert (moved.experiment, moved.actual_weight, traffic.experiment_since) == (None, 0, "")


def test_without_pods_it_goes_on_and_nobody_is_sent_there() -> None:
    gone = deployment(ready=0, replicas=2)
    moved, traffic = with_traffic(about(deployment=gone), trying(), pods=2)
    assert (moved.experiment, moved.actual_weight, traffic.experiment_since) == (known(), 0, "")


def test_a_canary_begins_no_experiment_and_forgets_an_earlier_one() -> None:
    moved, traffic = with_traffic(context(), at_pause(), pods=1)
    assert (moved.experiment, traffic.experiment_since) == (None, "")
    _, traffic = with_traffic(context(), at_pause(experiment=known()), pods=1)
    assert traffic.experiment_since == ""


def test_its_pods_carry_its_users() -> None:
    assert pods_at(about(), trying()) == 2
    assert pods_at(about(), trying("Better", step=2)) == 4
    assert pods_at(about(manual=True), trying("Better", step=2)) == 2


# --- what ends it ----------------------------------------------------------------------------------


def test_a_lost_experiment_ends_it_with_its_figures() -> None:
    spec, lost = experimental(), trying("Worse")
    assert spec.experiment
    assert find_failure(about(spec), lost) == (Reason.EXPERIMENT_FAILED, describe(spec.experiment, lost))
    assert find_failure(about(spec), trying()) is None
    assert find_failure(about(spec), trying("Worse", forced=True)) is None
    assert find_failure(context(), at_pause(experiment=known("Worse"))) is None, "it is no experiment any more"


def test_failing_answers_are_named_before_the_result_and_that_before_crashes() -> None:
    crashing = about(deployment=deployment(ready=2, crashes=9))
    failed = analysis("Failed", consecutive_failures=9)
    reasons = [
        find_failure(crashing, trying("Worse", analysis=failed)),
        find_failure(crashing, trying("Worse")),
        find_failure(crashing, trying()),
    ]
    assert [found[0] if found else None for found in reasons] == [
        Reason.CANARY_ANALYSIS_FAILED,
        Reason.EXPERIMENT_FAILED,
        Reason.CRASHING,
    ]


def test_the_analysis_alone_does_not_give_an_experiment_up() -> None:
    back = {"onInconclusive": "Rollback"}
    assert not gives_up_without_evidence(about(experimental(back)), trying("TimeUp", analysis=UNSURE, step=2))
    without = rollout(analysis=ANALYSIS | back)
    assert gives_up_without_evidence(context(rollout=without), at_pause(step=4, analysis=UNSURE))


# --- how it goes on -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "verdict", "done"),
    [
        ("Hold", "Running", False),
        ("Hold", "Better", True),
        ("Hold", "TimeUp", False),
        ("Promote", "TimeUp", True),
        ("Promote", "NoDifference", True),
        ("Promote", "Running", False),
    ],
)
def test_its_pause_is_over_once_it_is_won(wish: str, verdict: str, done: bool) -> None:
    found, candidate = about(experimental(onInconclusive=wish)), trying(verdict)
    assert is_done(found, candidate, found.rollout.steps[1]) is done
    assert evidence_permits(found, candidate) is done
    assert next_move(found, candidate).status.step == (2 if done else 1)


@pytest.mark.parametrize("changes", [{"paused": True}, {"analysis": analysis("Failed")}])
def test_a_result_does_not_move_what_is_paused_or_fails(changes: dict[str, Any]) -> None:
    found = about()
    assert not is_done(found, trying("Better", **changes), found.rollout.steps[1])
    assert not is_done(about(hold="the registry is away"), trying("Better"), found.rollout.steps[1])


def test_whoever_is_past_its_pause_needs_no_other_evidence() -> None:
    """A person may promote it without a result."""
    assert evidence_permits(about(), trying(step=2, analysis=UNSURE))
    assert not evidence_permits(about(), trying(step=1))
    assert evidence_permits(about(), trying(step=1, forced=True))


@pytest.mark.parametrize(
    ("candidate", "phase"),
    [
        (trying(), "Experimenting"),
        (trying(experiment=None), "Experimenting"),
        (trying("TimeUp"), "Held"),
        (trying("NoDifference"), "Held"),
    ],
)
def test_phases_of_an_experiment(candidate: CandidateStatus, phase: str) -> None:
    found = about()
    assert found.rollout.experiment
    assert find_phase(found, candidate) == (phase, describe(found.rollout.experiment, candidate))


def test_pods_of_a_third_version_do_not_stop_it() -> None:
    """No Service selects them."""
    found = about(crowded=True)
    assert is_done(found, trying(step=0), found.rollout.steps[0])
    assert with_traffic(found, trying(), pods=2)[1].experiment_since == ago(60)


END = read(ago(60)) + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("changes", "candidate", "until"),
    [
        ({}, {}, END),
        ({}, {"experiment": None}, None),
        ({"hold": "why"}, {}, None),
        ({}, {"paused": True}, None),
        ({}, {"phase": "Held"}, None),
    ],
)
def test_when_time_alone_ends_it(changes: dict[str, Any], candidate: dict[str, Any], until: datetime | None) -> None:
    assert find_deadline(about(**changes), trying(**candidate)) == until


def test_a_phase_of_an_experiment_that_was_taken_out_of_the_spec_has_no_end() -> None:
    assert find_deadline(context(), trying()) is None


def test_a_won_experiment_takes_over_with_all_its_pods() -> None:
    four = about(deployment=deployment(ready=4, replicas=4))
    won = next_move(four, trying("Better"))
    assert (won.outcome, won.pods, won.traffic.closed) == ("Promote", 4, "")
    going = next_move(about(), trying())
    assert (going.outcome, going.pods, going.deadline) == ("Go", 2, END)
    assert NOW < END
