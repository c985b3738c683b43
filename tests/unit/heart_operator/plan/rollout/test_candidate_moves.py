"""One move of a candidate: what ends it, what it waits for, its pods and traffic, and until when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.heartmodel import AnalysisStatus, CandidateStatus, Rollout
from heart_api.kube.values import VersionDeployment
from heart_api.names import Reason
from heart_api.times import written
from heart_operator.manifests.traffic import Traffic
from heart_operator.plan.rollout.canary import (
    find_deadline,
    find_failure,
    gives_up_without_evidence,
    may_spread,
    next_move,
    overdue,
    with_traffic,
)
from heart_operator.plan.rollout.context import RolloutContext
from heart_operator.plan.rollout.phases import find_phase, in_phase, since
from heart_operator.plan.rollout.steps import (
    at_step,
    evidence_permits,
    has_started,
    is_analysed,
    is_done,
    pause_is_over,
    pods_at,
    walk,
)
from heart_operator.plan.rollout.traffic import asked_weight, pods_for, reached_weight
from tests.support.plan.world import sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS: list[dict[str, Any]] = [
    {"setWeight": 10},
    {"pause": {"duration": "5m"}},
    {"setWeight": 50},
    {"pause": {}},
]
ANALYSIS = {"failureLimit": 2, "minRequests": 50}


def rollout(**changes: Any) -> Rollout:
    """Ready within 60 s, progress within 30 min."""
    return Rollout.model_validate({"steps": STEPS, "analysis": ANALYSIS} | changes)


def deployment(**changes: Any) -> VersionDeployment:
    values: dict[str, Any] = {
        "name": "heart-v2",
        "uid": "u-2",
        "version": "2",
        "digest": sha("2"),
        "trigger": "t",
        "run_id": "r",
        "created": NOW - timedelta(seconds=59),
        "replicas": 1,
        "ready": 1,
        "up_to_date": True,
    }
    return VersionDeployment(**(values | changes))


def context(**changes: Any) -> RolloutContext:
    """Four pods serve; the candidate has one ready pod."""
    values: dict[str, Any] = {
        "rollout": rollout(),
        "deployment": deployment(),
        "full": 4,
        "stable_ready": 4,
        "manual": False,
        "exact": False,
        "route_rejected": False,
        "crowded": False,
        "hold": "",
        "now": NOW,
    }
    return RolloutContext(**(values | changes))


def ago(seconds: float) -> str:
    return written(NOW - timedelta(seconds=seconds))


def status(**changes: Any) -> CandidateStatus:
    values: dict[str, Any] = {"version": "2", "digest": sha("2"), "since": ago(600)}
    return CandidateStatus(**(values | changes))


def at_pause(**changes: Any) -> CandidateStatus:
    """In its first pause, which has four minutes left, with 10% of the traffic."""
    values = {"step": 1, "step_since": ago(60), "phase": "Paused", "phase_since": ago(60), "actual_weight": 20}
    return status(**(values | changes))


def at_end(**changes: Any) -> CandidateStatus:
    return at_pause(**({"step": 4, "phase": "Scaling"} | changes))


def analysis(verdict: str = "Passed", **changes: Any) -> AnalysisStatus:
    values: dict[str, Any] = {"time": ago(30), "intervals": 3, "verdict": verdict, "message": "requests: 500"}
    return AnalysisStatus(**(values | changes))


GOOD, UNSURE = analysis(), analysis("Inconclusive")


# --- what ends it ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("failures", "ends"), [(2, False), (3, True)])
def test_more_failed_intervals_in_a_row_than_the_limit_end_it(failures: int, ends: bool) -> None:
    found = find_failure(context(), at_pause(analysis=analysis("Failed", consecutive_failures=failures)))
    assert bool(found) == ends
    if found:
        assert found[0] == Reason.CANARY_ANALYSIS_FAILED
        assert found[1].startswith("requests: 500 (3 ")


def test_a_forced_candidate_is_not_judged_by_its_traffic() -> None:
    assert find_failure(context(), at_pause(analysis=analysis("Failed", consecutive_failures=9), forced=True)) is None


@pytest.mark.parametrize(("crashes", "ends"), [(2, False), (3, True)])
def test_more_crashes_than_the_limit_end_it(crashes: int, ends: bool) -> None:
    found = find_failure(context(deployment=deployment(crashes=crashes, problem="OOMKilled")), at_pause())
    assert bool(found) == ends
    if found:
        assert found == (Reason.CRASHING, "its pods crashed 3 times (OOMKilled)")


def test_crashes_while_it_starts_are_for_the_ready_deadline() -> None:
    crashing = context(deployment=deployment(ready=0, crashes=9))
    assert find_failure(crashing, status(phase="Starting")) is None


def test_the_traffic_is_named_before_crashes() -> None:
    found = find_failure(
        context(deployment=deployment(crashes=9)), at_pause(analysis=analysis("Failed", consecutive_failures=9))
    )
    assert found
    assert found[0] == Reason.CANARY_ANALYSIS_FAILED


LATE = deployment(ready=0, created=NOW - timedelta(seconds=60))


@pytest.mark.parametrize("kept", [{"hold": "its gate"}, {}])
def test_whoever_waits_for_something_else_is_not_overdue(kept: dict[str, str]) -> None:
    paused = status(phase="Starting", paused=not kept)
    assert find_failure(context(deployment=LATE, **kept), paused) is None
    assert find_failure(context(deployment=LATE), status(phase="Starting")) is not None


ROLLBACK = rollout(analysis=ANALYSIS | {"onInconclusive": "Rollback"})


@pytest.mark.parametrize(
    ("changes", "gives_up"),
    [
        ({}, True),
        ({"analysis": analysis("Inconclusive", intervals=1)}, True),
        ({"analysis": analysis("Inconclusive", intervals=0)}, False),
        ({"analysis": None}, False),
        ({"analysis": GOOD}, False),
        ({"analysis": analysis("Failed")}, False),
        ({"forced": True}, False),
        ({"step_since": ago(299)}, False),
        ({"step": 3}, False),
        ({"step": 4}, True),
    ],
)
def test_without_a_verdict_by_the_end_of_a_pause_it_goes_back_where_the_spec_says_so(
    changes: dict[str, Any], gives_up: bool
) -> None:
    candidate = at_pause(**({"analysis": UNSURE, "step_since": ago(300)} | changes))
    assert gives_up_without_evidence(context(rollout=ROLLBACK), candidate) == gives_up
    assert not gives_up_without_evidence(context(), candidate), "Hold is the default"
    found = find_failure(context(rollout=ROLLBACK), candidate)
    assert bool(found) == gives_up
    if found:
        assert found[0] == Reason.CANARY_ANALYSIS_FAILED
        assert found[1].endswith(": requests: 500")


def test_a_candidate_that_gets_no_requests_owes_no_evidence() -> None:
    unseen = rollout(steps=[{"pause": {"duration": "5m"}}], analysis=ANALYSIS | {"onInconclusive": "Rollback"})
    candidate = at_pause(step=0, step_since=ago(300), analysis=UNSURE)
    assert not gives_up_without_evidence(context(rollout=unseen), candidate)


# --- pods that do not come up -----------------------------------------------------------------------


@pytest.mark.parametrize(("age", "late"), [(59, False), (60, True), (61, True)])
def test_the_first_pods_have_until_the_ready_deadline(age: int, late: bool) -> None:
    starting = deployment(ready=0, created=NOW - timedelta(seconds=age), problem="ImagePullBackOff")
    found = overdue(context(deployment=starting), status())
    expected = (Reason.READY_DEADLINE_EXCEEDED, "0 of 1 pods were ready 60s after their start (ImagePullBackOff)")
    assert found == (expected if late else None)


@pytest.mark.parametrize(("began", "late"), [(1799, False), (1800, True)])
def test_later_pods_have_until_the_progress_deadline(began: int, late: bool) -> None:
    candidate = at_pause(step=2, phase="Scaling", phase_since=ago(began))
    found = overdue(context(), candidate)
    expected = (Reason.PROGRESS_DEADLINE_EXCEEDED, "1 of 4 pods were ready after 30m without progress")
    assert found == (expected if late else None)


def test_with_all_pods_ready_nothing_is_overdue() -> None:
    candidate = at_pause(step=2, phase="Scaling", phase_since=ago(9999))
    assert overdue(context(deployment=deployment(ready=4)), candidate) is None
    assert overdue(context(deployment=deployment(ready=5)), candidate) is None


def test_a_pause_with_a_lost_pod_is_not_overdue() -> None:
    assert overdue(context(deployment=deployment(ready=0)), at_pause(phase_since=ago(9999))) is None


def test_a_candidate_that_has_just_begun_to_scale_has_all_its_time() -> None:
    """Its stored phase is of the time before, or has no time yet."""
    assert overdue(context(), at_pause(step=2, phase="Paused", phase_since=ago(9999))) is None
    assert overdue(context(), at_pause(step=2, phase="Scaling", phase_since=None)) is None


# --- traffic ------------------------------------------------------------------------------------------


def test_by_replica_ratio_the_service_selects_all_pods() -> None:
    moved, traffic = with_traffic(context(), at_pause(actual_weight=0), pods=1)
    assert traffic == Traffic(candidate="2", spread=True, weight=0, mirror_percent=0)
    assert (moved.weight, moved.actual_weight, moved.base_replicas) == (10, 20, 4)


def test_by_route_the_weight_is_exact_and_the_service_stays() -> None:
    moved, traffic = with_traffic(context(exact=True), at_pause(actual_weight=0), pods=1)
    assert traffic == Traffic(candidate="2", spread=False, weight=10, mirror_percent=0, closed="2")
    assert (moved.weight, moved.actual_weight) == (10, 10)


def test_a_route_that_is_rejected_gives_no_weight() -> None:
    moved, traffic = with_traffic(context(exact=True, route_rejected=True), at_pause(), pods=1)
    assert moved.actual_weight == 0
    assert traffic.weight == 10, "the route keeps asking for it"
    assert moved.base_replicas == 4


def test_before_it_shares_traffic_nothing_is_noted() -> None:
    moved, traffic = with_traffic(context(deployment=deployment(ready=0)), status(), pods=1)
    assert traffic == Traffic(candidate="2", spread=False, weight=0, mirror_percent=0)
    assert (moved.weight, moved.actual_weight, moved.base_replicas) == (10, 0, 0)
    _, routed = with_traffic(context(exact=True, deployment=deployment(ready=0)), status(), pods=1)
    assert routed.weight == 0


@pytest.mark.parametrize(
    ("exact", "manual", "candidate", "closed"),
    [
        (False, False, at_pause(), ""),
        (False, False, status(step=0), ""),
        (True, False, at_pause(), "2"),
        (True, False, at_end(), "2"),
        (True, False, at_end(analysis=GOOD), ""),
        (True, True, at_end(analysis=GOOD), "2"),
        (True, True, at_end(analysis=GOOD, approved=True), ""),
    ],
)
def test_callers_reach_it_where_the_service_leads_and_once_it_may_take_over(
    exact: bool, manual: bool, candidate: CandidateStatus, closed: str
) -> None:
    _, traffic = with_traffic(context(exact=exact, manual=manual), candidate, pods=1)
    assert traffic.closed == closed


def test_before_its_first_weight_callers_do_not_reach_it() -> None:
    steps = [{"pause": {}}, {"setWeight": 10}]
    _, traffic = with_traffic(context(rollout=rollout(steps=steps)), status(step=0), pods=1)
    assert (traffic.weight, traffic.closed) == (0, "2")


def test_without_a_weight_there_is_no_traffic() -> None:
    moved, traffic = with_traffic(context(rollout=rollout(steps=[])), status(phase="Scaling"), pods=1)
    assert traffic == Traffic(candidate="2", spread=False)
    assert (moved.weight, moved.actual_weight, moved.base_replicas) == (0, 0, 0)


def test_the_stable_versions_pods_are_noted_once() -> None:
    moved, _ = with_traffic(context(full=3), at_pause(base_replicas=5), pods=1)
    assert moved.base_replicas == 5


@pytest.mark.parametrize(("ready", "percent"), [(0, 0), (1, 30)])
def test_copies_go_to_ready_pods_only(ready: int, percent: int) -> None:
    mirrored = context(rollout=rollout(mirror={"percent": 30}), deployment=deployment(ready=ready))
    _, traffic = with_traffic(mirrored, at_pause(), pods=1)
    assert traffic.mirror_percent == percent


@pytest.mark.parametrize(
    ("changes", "candidate", "weight", "pods", "may"),
    [
        ({}, {}, 10, 1, True),
        ({}, {}, 0, 1, False),
        ({"deployment": deployment(ready=0)}, {}, 10, 1, False),
        ({"deployment": deployment(ready=0)}, {}, 10, 0, False),
        ({"crowded": True}, {}, 10, 1, False),
        ({"crowded": True, "exact": True}, {}, 10, 1, True),
        ({}, {"actual_weight": 0}, 10, 1, True),
        ({}, {"actual_weight": 0}, 10, 2, False),
        ({}, {"actual_weight": 1}, 10, 2, True),
    ],
)
def test_traffic_comes_with_the_first_full_set_of_pods_and_stays(
    changes: dict[str, Any], candidate: dict[str, Any], weight: int, pods: int, may: bool
) -> None:
    assert may_spread(context(**changes), at_pause(**candidate), weight, pods) == may


@pytest.mark.parametrize(("step", "weight"), [(0, 10), (1, 10), (2, 50), (3, 50), (4, 50)])
def test_the_weight_is_the_last_one_that_a_step_set(step: int, weight: int) -> None:
    assert asked_weight(rollout(), step) == weight


def test_before_any_step_sets_a_weight_it_is_none() -> None:
    waits_first = rollout(steps=[{"pause": {"duration": "5m"}}, {"setWeight": 10}])
    assert [asked_weight(waits_first, step) for step in (0, 1)] == [0, 10]
    assert asked_weight(rollout(steps=[]), 0) == 0


@pytest.mark.parametrize(
    ("weight", "full", "exact", "mirror", "pods"),
    [
        (10, 4, False, 0, 1),
        (50, 4, False, 0, 4),
        (50, 4, True, 0, 2),
        (33, 4, False, 0, 2),
        (26, 4, True, 0, 2),
        (25, 4, True, 0, 1),
        (99, 4, False, 0, 4),
        (0, 4, False, 0, 1),
        (0, 4, False, 26, 2),
        (50, 4, True, 100, 4),
        (10, 1, False, 0, 1),
        (20, 10, False, 0, 2),
        (20, 10, False, 50, 5),
        (50, 1000, True, 0, 500),
        (1, 1000, True, 50, 500),
    ],
)
def test_pods_for_a_weight(weight: int, full: int, exact: bool, mirror: int, pods: int) -> None:
    assert pods_for(rollout(mirror={"percent": mirror}), weight, full, exact=exact) == pods


@pytest.mark.parametrize(
    ("weight", "candidate", "stable", "exact", "reached"),
    [
        (10, 1, 4, False, 20),
        (10, 1, 4, True, 10),
        (0, 1, 4, False, 0),
        (0, 1, 4, True, 0),
        (10, 0, 4, True, 0),
        (10, 0, 0, False, 0),
        (10, 1, 0, False, 100),
        (50, 1, 2, False, 33),
        (50, 2, 2, False, 50),
    ],
)
def test_the_weight_that_pods_give(weight: int, candidate: int, stable: int, exact: bool, reached: int) -> None:
    assert reached_weight(weight, candidate, stable, exact=exact) == reached


# --- steps ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "candidate", "step", "done"),
    [
        ({}, {"step": 0}, 0, True),
        ({"deployment": deployment(ready=0)}, {"step": 0}, 0, False),
        ({}, {"step": 0, "paused": True}, 0, False),
        ({"hold": "its gate"}, {"step": 0}, 0, False),
        ({"crowded": True}, {"step": 0}, 0, False),
        ({"crowded": True, "exact": True}, {"step": 0}, 0, True),
        ({}, {"step": 2}, 2, False),
        ({"deployment": deployment(ready=4)}, {"step": 2}, 2, True),
        ({"deployment": deployment(ready=0)}, {"step": 0, "phase": "Starting"}, 1, False),
        ({}, {"step_since": ago(299), "analysis": GOOD}, 1, False),
        ({}, {"step_since": ago(300), "analysis": GOOD}, 1, True),
        ({}, {"step_since": ago(300), "analysis": UNSURE}, 1, False),
        ({}, {"step": 3, "step_since": ago(9999), "analysis": GOOD}, 3, False),
    ],
)
def test_when_a_step_is_done(changes: dict[str, Any], candidate: dict[str, Any], step: int, done: bool) -> None:
    assert is_done(context(**changes), at_pause(**candidate), rollout().steps[step]) == done


def test_it_walks_past_every_step_that_is_done() -> None:
    moved = walk(context(deployment=deployment(ready=4)), at_pause(step_since=ago(300), analysis=GOOD))
    assert (moved.step, moved.step_since) == (3, written(NOW))
    assert walk(context(), at_pause()) == at_pause(), "a pause that is not over stays as it is"
    assert walk(context(), at_pause(step=0)).step == 1, "one at a time"


def test_forced_it_is_at_the_end_at_once() -> None:
    assert walk(context(), at_pause(forced=True)).step == 4
    assert walk(context(), at_end(forced=True)) == at_end(forced=True)


def test_a_step_keeps_the_time_at_which_it_began() -> None:
    assert at_step(at_pause(), 1, NOW).step_since == ago(60)
    assert at_step(at_pause(), 2, NOW).step_since == written(NOW)


@pytest.mark.parametrize(
    ("phase", "ready", "started"),
    [("Starting", 0, False), ("Starting", 1, True), ("Starting", 2, True), ("Scaling", 0, True)],
)
def test_it_has_started_once_its_first_pods_were_ready_together(phase: Any, ready: int, started: bool) -> None:
    assert has_started(context(deployment=deployment(ready=ready)), status(phase=phase)) == started


@pytest.mark.parametrize(
    ("changes", "candidate", "pods"),
    [
        ({}, {"step": 0}, 1),
        ({}, {"step": 2}, 4),
        ({}, {"step": 4, "analysis": GOOD}, 4),
        ({"exact": True}, {"step": 2}, 2),
        ({"exact": True}, {"step": 4, "analysis": UNSURE}, 2),
        ({"exact": True}, {"step": 4, "analysis": GOOD}, 4),
        ({"exact": True, "manual": True}, {"step": 4, "analysis": GOOD}, 2),
        ({"exact": True, "manual": True}, {"step": 4, "analysis": GOOD, "approved": True}, 4),
        ({"exact": True}, {"step": 4, "analysis": UNSURE, "approved": True}, 2),
        ({"rollout": rollout(steps=[]), "manual": True}, {"step": 0}, 4),
        ({"rollout": rollout(steps=[{"setWeight": 10}])}, {"step": 0}, 1),
    ],
)
def test_pods_at_a_step(changes: dict[str, Any], candidate: dict[str, Any], pods: int) -> None:
    assert pods_at(context(**changes), at_pause(**candidate)) == pods


@pytest.mark.parametrize(
    ("step", "began", "over"),
    [(1, ago(299), False), (1, ago(300), True), (1, None, False), (3, ago(9999), False), (0, ago(9999), False)],
)
def test_a_pause_is_over_after_its_time(step: int, began: str | None, over: bool) -> None:
    assert pause_is_over(at_pause(step=step, step_since=began), rollout().steps[step], NOW) == over


PROMOTE = rollout(analysis=ANALYSIS | {"onInconclusive": "Promote"})


@pytest.mark.parametrize(
    ("steps", "candidate", "permits"),
    [
        (rollout(), {"analysis": GOOD}, True),
        (rollout(), {"analysis": UNSURE}, False),
        (PROMOTE, {"analysis": UNSURE}, True),
        (PROMOTE, {"analysis": analysis("Failed")}, False),
        (rollout(), {"analysis": analysis("Failed")}, False),
        (rollout(), {"analysis": None}, False),
        (PROMOTE, {"analysis": None}, False),
        (rollout(), {"analysis": analysis(intervals=0)}, False),
        (rollout(), {"analysis": analysis(intervals=1)}, True),
        (rollout(), {"analysis": analysis("Failed"), "forced": True}, True),
        (rollout(steps=[]), {"step": 0, "analysis": None}, True),
        (rollout(steps=[], mirror={"percent": 1}), {"step": 0, "analysis": None}, False),
    ],
)
def test_what_evidence_lets_it_go_on(steps: Rollout, candidate: dict[str, Any], permits: bool) -> None:
    assert evidence_permits(context(rollout=steps), at_pause(**candidate)) == permits


def test_it_is_analysed_once_it_gets_requests_or_copies() -> None:
    assert is_analysed(rollout(), at_pause())
    assert not is_analysed(rollout(steps=[]), status())
    assert is_analysed(rollout(steps=[{"setWeight": 1}]), status())
    assert is_analysed(rollout(steps=[], mirror={"percent": 1}), status())


# --- phases ------------------------------------------------------------------------------------------------

STARTING = "waiting for its pods to become ready"
PROMOTE_GOES_ON = "paused until promoted; `kubectl heart promote` continues the rollout"
PHASES: dict[str, tuple[dict[str, Any], CandidateStatus, str, str]] = {
    "its first pods are not ready": ({"deployment": deployment(ready=0)}, status(), "Starting", STARTING),
    "and have a problem": (
        {"deployment": deployment(ready=0, problem="ImagePullBackOff")},
        status(),
        "Starting",
        f"{STARTING} (ImagePullBackOff)",
    ),
    "a user paused it": (
        {},
        at_pause(paused=True),
        "Paused",
        "paused by a user; `kubectl heart resume` resumes the rollout",
    ),
    "it is held": ({"hold": "its gate"}, at_pause(), "Held", "its gate"),
    "more pods start": ({}, at_pause(step=2), "Scaling", "waiting for more of its pods to become ready"),
    "a third version's pods go": (
        {"crowded": True},
        at_pause(step=2),
        "Scaling",
        "waiting for the pods of the previous version to terminate",
    ),
    "a pause without end": ({}, at_pause(step=3), "Paused", PROMOTE_GOES_ON),
    "a pause with an end": ({}, at_pause(), "Paused", "paused for 5m"),
    "after a pause without a measurement": (
        {},
        at_pause(step_since=ago(300)),
        "Held",
        "waiting for the first analysis interval",
    ),
    "after a pause without a completed interval": (
        {},
        at_pause(step_since=ago(300), analysis=analysis(intervals=0)),
        "Held",
        "waiting for the first analysis interval",
    ),
    "after a pause without evidence": (
        {},
        at_pause(step_since=ago(300), analysis=analysis("Inconclusive", intervals=1)),
        "Held",
        "waiting for evidence: requests: 500",
    ),
    "at the end without evidence": ({}, at_end(analysis=UNSURE), "Held", "waiting for evidence: requests: 500"),
    "at the end, to be approved": (
        {"manual": True},
        at_end(analysis=GOOD),
        "AwaitingApproval",
        "waiting for approval; `kubectl heart promote` approves it",
    ),
    "at the end, approved": (
        {"manual": True},
        at_end(analysis=GOOD, approved=True),
        "Scaling",
        "waiting for the rest of its pods to become ready",
    ),
    "at the end": ({}, at_end(analysis=GOOD), "Scaling", "waiting for the rest of its pods to become ready"),
}


@pytest.mark.parametrize("case", PHASES)
def test_phases(case: str) -> None:
    changes, candidate, phase, message = PHASES[case]
    assert find_phase(context(**changes), candidate) == (phase, message)


def test_a_phase_keeps_the_time_since_when_it_holds() -> None:
    kept = in_phase(context(), at_pause())
    assert (kept.phase, kept.phase_since, kept.step_since) == ("Paused", ago(60), ago(60))
    assert kept.message.endswith(" 5m")
    moved = in_phase(context(hold="its gate"), at_pause())
    assert (moved.phase, moved.phase_since, moved.message) == ("Held", written(NOW), "its gate")


def test_who_vouches_for_it_is_noted_and_an_approval_from_outside_says_why() -> None:
    found = in_phase(context(manual=True, origin="Outside", outside="no seal"), at_end(analysis=GOOD))
    assert (found.origin, found.phase) == ("Outside", "AwaitingApproval")
    assert found.message == (
        "waiting for approval (version from outside: no seal); `kubectl heart promote` approves it"
    )


def test_callers_reach_it_from_the_first_percent_on() -> None:
    one = context(rollout=rollout(steps=[{"setWeight": 1}, {"pause": {}}]))
    assert with_traffic(one, at_pause(), pods=1)[1].closed == ""


def test_a_first_phase_begins_now() -> None:
    starting = in_phase(context(deployment=deployment(ready=0)), status())
    assert (starting.phase, starting.phase_since, starting.step_since) == ("Starting", written(NOW), None)
    started = in_phase(context(), status(phase_since=ago(30)))
    assert (started.phase, started.phase_since, started.step_since) == ("Scaling", written(NOW), written(NOW))


def test_since() -> None:
    assert since(at_pause(), NOW) == NOW - timedelta(seconds=60)
    assert since(status(), NOW) == NOW


# --- deadlines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        (status(), NOW + timedelta(seconds=1)),
        (at_pause(step=2, phase="Scaling"), NOW + timedelta(minutes=29)),
        (at_pause(step=2, phase="Scaling", phase_since=None), NOW + timedelta(minutes=30)),
        (at_pause(), NOW + timedelta(minutes=4)),
        (at_pause(step=3), None),
        (at_pause(paused=True), None),
        (status(paused=True), None),
        (at_pause(phase="Held"), None),
        (at_end(phase="AwaitingApproval"), None),
        (at_end(phase="Paused"), None),
    ],
)
def test_the_next_moment_at_which_time_alone_changes_something(
    candidate: CandidateStatus, expected: datetime | None
) -> None:
    assert find_deadline(context(), candidate) == expected
    assert find_deadline(context(hold="its gate"), candidate) is None


# --- all of it together ---------------------------------------------------------------------------------------


def test_a_rejected_candidate_keeps_its_pods_and_loses_its_traffic() -> None:
    failed = at_pause(analysis=analysis("Failed", consecutive_failures=3))
    move = next_move(context(deployment=deployment(replicas=3)), failed)
    assert (move.outcome, move.pods, move.traffic) == ("Reject", 3, Traffic())
    assert move.reason == Reason.CANARY_ANALYSIS_FAILED
    assert move.message.startswith("requests: 500")
    assert move.status == failed
    assert move.deadline is None


def test_a_candidate_on_its_way_goes_on() -> None:
    move = next_move(context(), at_pause(analysis=GOOD))
    assert (move.outcome, move.pods, move.reason, move.message) == ("Go", 1, "", "")
    assert move.traffic == Traffic(candidate="2", spread=True)
    assert move.status.phase == "Paused"
    assert move.deadline == NOW + timedelta(minutes=4)


def test_a_candidate_gets_its_first_traffic_once_its_pods_are_ready() -> None:
    move = next_move(context(), status())
    assert (move.status.step, move.traffic) == (1, Traffic(candidate="2", spread=True))
    starting = next_move(context(deployment=deployment(ready=0)), status())
    assert (starting.status.phase, starting.traffic.spread) == ("Starting", False)


@pytest.mark.parametrize(("ready", "outcome"), [(3, "Go"), (4, "Promote"), (5, "Promote")])
def test_at_the_end_it_takes_over_with_all_its_pods(ready: int, outcome: str) -> None:
    at_the_end = replace(context(), deployment=deployment(replicas=4, ready=ready))
    assert next_move(at_the_end, at_end(analysis=GOOD)).outcome == outcome


@pytest.mark.parametrize(
    ("changes", "candidate"),
    [
        ({"manual": True}, at_end(analysis=GOOD)),
        ({}, at_end(analysis=UNSURE)),
        ({}, at_end(analysis=GOOD, paused=True)),
        ({"hold": "its gate"}, at_end(analysis=GOOD)),
    ],
)
def test_at_the_end_it_may_still_wait(changes: dict[str, Any], candidate: CandidateStatus) -> None:
    ready = context(deployment=deployment(replicas=4, ready=4), **changes)
    assert next_move(ready, candidate).outcome == "Go"
