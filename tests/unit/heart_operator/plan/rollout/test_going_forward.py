"""Towards a new version: who is a candidate, what it waits for, its surroundings, and the watch after a promotion."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.commands import Command
from heart_api.heartmodel import CandidateStatus, CommandStatus, HeartModelStatus, Pause, RejectedStatus, RolloutStep
from heart_api.kube.values import ObjectKey, VersionDeployment
from heart_api.names import Reason, short_hash
from heart_api.profile import Signing
from heart_api.status import ExperimentStatus, HistoryEntry, PostPromotionStatus, PreviousStatus, ServingStatus
from heart_api.times import written
from heart_operator.manifests.traffic import Traffic
from heart_operator.plan.analysis.experiment import Sums
from heart_operator.plan.analysis.watch import analyse_serving
from heart_operator.plan.gates.verdict import GateReport
from heart_operator.plan.observed import AnalysisSample, Arms, Observed, RegisteredVersion, Registry
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.rollout.advance import find_hold, go_on, is_admitted, missing_signature, settle
from heart_operator.plan.rollout.canary import Move
from heart_operator.plan.rollout.context import (
    build_context,
    candidate_status,
    effective_rollout,
    first_pods,
    full_count,
    known_candidate,
    needs_approval,
    origin_of,
    splits_exactly,
)
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.rollout.rollout import as_it_is, plan_rollout, standing_rejections
from heart_operator.plan.rollout.route import LONGEST, route_rejection
from heart_operator.plan.rollout.watch import Watched, watch_stable
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.versions import Version
from tests.support.plan.simulated_traffic import counts
from tests.support.plan.world import PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE, HALF_PAST = "2026-01-01T11:00:00Z", "2026-01-01T12:30:00Z"
ONE, TWO, THREE = (Version(name, sha(name), "t", "r") for name in "123")
STEPS = [{"setWeight": 10}, {"pause": {"duration": "5m"}}, {"setWeight": 50}, {"pause": {}}]
SPEC: dict[str, Any] = {"rollout": {"steps": STEPS, "mirror": {"percent": 5}}, "serving": {"replicas": 4}}
COMMAND = CommandStatus(id="c-1", action="pause", time=BEFORE)
PASSED, FAILED = GateReport("Passed", (), "h"), GateReport("Failed", (), "h")
REGISTRY = Registry(versions={name: RegisteredVersion(name, "r", "t", sha(name)) for name in "123"})


def deployment(version: str, **changes: Any) -> VersionDeployment:
    values: dict[str, Any] = {
        "name": f"heart-v{version}",
        "uid": f"u-{version}",
        "version": version,
        "digest": sha(version),
        "trigger": "t",
        "run_id": "r",
        "created": NOW - timedelta(minutes=1),
        "replicas": 4,
        "ready": 4,
        "up_to_date": True,
    }
    return VersionDeployment(**(values | changes))


def observed(
    *deployments: VersionDeployment, spec: dict[str, Any] | None = None, registry: Registry = REGISTRY, **more: Any
) -> Observed:
    status = HeartModelStatus(**more.pop("status", {}))
    children = more.pop("children", {})
    model = heart_model(SPEC | (spec or {}), status=status, annotations=more.pop("annotations", {}))
    return Observed(model, PROFILE, (), (), deployments, children, registry, frozenset(), **more)


def candidate(**changes: Any) -> CandidateStatus:
    values: dict[str, Any] = {"version": "2", "digest": sha("2"), "since": BEFORE, "phase": "Paused", "step": 1}
    return CandidateStatus(**(values | changes))


def rejection(version: str = "2", reason: str = Reason.ABORTED, **changes: Any) -> RejectedStatus:
    values = {"version": version, "digest": sha(version), "reason": reason, "message": "bad", "time": BEFORE}
    return RejectedStatus(**(values | changes))


def previous(version: str = "0") -> PreviousStatus:
    return PreviousStatus(version=version, digest=sha(version), warm_until=HALF_PAST)


def serving(**changes: Any) -> ServingStatus:
    return ServingStatus(version="1", digest=sha("1"), since=BEFORE, **changes)


# --- the route -----------------------------------------------------------------------------------


ROUTE = {"serving": {"replicas": 4, "route": {"gateway": {"name": "public"}}}}


def route(*conditions: dict[str, Any], generation: int | None = 2, parents: bool = True) -> dict[ObjectKey, Any]:
    metadata = {"name": "heart"} | ({} if generation is None else {"generation": generation})
    status = {"parents": [{"parentRef": {"name": "public"}, "conditions": list(conditions)}]} if parents else {}
    child = {"metadata": metadata, "status": status}
    return {ObjectKey("v1", "Service", "heart"): {}, ObjectKey("g/v1", "HTTPRoute", "heart"): child}


def says(**changes: Any) -> dict[str, Any]:
    return {"type": "Accepted", "status": "False", "reason": "NoMatch", "message": "no listener"} | changes


BASE = "Gateway public does not take HTTPRoute heart"


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        (route(says()), f"{BASE} (NoMatch: no listener)"),
        (route(says(message="")), f"{BASE} (NoMatch)"),
        (route({key: value for key, value in says().items() if key != "message"}), f"{BASE} (NoMatch)"),
        (route(says(message="x" * 400)), f"{BASE} (NoMatch: {'x' * LONGEST})"),
        (route(says(status="True"), says(type="ResolvedRefs", reason="R")), f"{BASE} (R: no listener)"),
        (route(says(type="Programmed")), ""),
        (route(says(status="Unknown")), ""),
        (route(says(observedGeneration=1)), ""),
        (route(says(observedGeneration=2)), f"{BASE} (NoMatch: no listener)"),
        (route(says(), generation=None), f"{BASE} (NoMatch: no listener)"),
        (route(parents=False), ""),
        ({}, ""),
    ],
)
def test_what_a_gateway_says_of_the_route(children: dict[ObjectKey, Any], expected: str) -> None:
    assert route_rejection(observed(spec=ROUTE, children=children)) == expected
    assert route_rejection(observed(children=children)) == "", "the model asks for no route"


def test_a_route_without_a_status_and_a_parent_without_conditions() -> None:
    key = ObjectKey("g/v1", "HTTPRoute", "heart")
    for child in ({"metadata": {}}, {"metadata": {}, "status": {"parents": [{"parentRef": {"name": "public"}}]}}):
        assert route_rejection(observed(spec=ROUTE, children={key: child})) == ""


# --- the surroundings ----------------------------------------------------------------------------


def test_a_first_version_skips_the_steps_and_copies() -> None:
    seen = observed()
    assert effective_rollout(seen, ONE) == seen.model.spec.rollout
    first = effective_rollout(seen, None)
    assert (first.steps, first.mirror.percent) == ((), 0)
    assert first.history_limit == seen.model.spec.rollout.history_limit


EXPERIMENT = {"duration": "10m", "split": 40, "by": {"header": "X-User-Id"}, "minDetectable": 0.05}


def test_an_experiment_is_a_rollout_of_one_weight_and_one_pause_that_its_result_ends() -> None:
    seen = observed(deployment("1"), spec={"rollout": {"experiment": EXPERIMENT, "mirror": {"percent": 30}}})
    found = effective_rollout(seen, ONE)
    assert found.steps == (RolloutStep(set_weight=40), RolloutStep(pause=Pause()))
    assert (found.mirror.percent, found.experiment) == (0, seen.model.spec.rollout.experiment)
    assert splits_exactly(seen)
    assert build_context(seen, ONE, TWO, deployment("2"), "", NOW).exact
    assert first_pods(seen, ONE) == 2, "forty percent of four pods, and no more than that"
    first = effective_rollout(seen, None)
    assert (first.steps, first.experiment) == ((), None)
    assert first_pods(seen, None) == 4


def test_who_splits_the_traffic() -> None:
    assert not splits_exactly(observed())
    assert splits_exactly(observed(spec=ROUTE))


def test_what_a_move_depends_on() -> None:
    seen = observed(deployment("1", ready=3), deployment("2"), deployment("3", ready=0))
    found = build_context(seen, ONE, TWO, deployment("2"), "why", NOW)
    assert (found.rollout, found.deployment, found.full) == (seen.model.spec.rollout, deployment("2"), 4)
    assert (found.stable_ready, found.manual, found.exact, found.route_rejected) == (3, False, False, False)
    assert (found.crowded, found.hold, found.now) == (False, "why", NOW)
    crowded = observed(deployment("1"), deployment("2"), deployment("3", ready=1))
    assert build_context(crowded, ONE, TWO, deployment("2"), "", NOW).crowded
    first = build_context(observed(deployment("2")), None, TWO, deployment("2"), "", NOW)
    assert (first.stable_ready, first.crowded, first.rollout.steps) == (0, False, ())
    routed = observed(deployment("1"), spec=ROUTE, children=route(says()))
    found = build_context(routed, ONE, TWO, deployment("2"), "", NOW)
    assert (found.exact, found.route_rejected) == (True, True)


UNREPORTED = "no training Job of this HeartModel reported it"
EVALUATED = "evaluate-2-0a1b2c3d"


@pytest.mark.parametrize(
    ("wanted", "pods", "known", "origin", "outside"),
    [
        (TWO, deployment("2"), {}, "Training", ""),
        (replace(TWO, trigger=""), deployment("2", trigger=EVALUATED), {}, "Outside", UNREPORTED),
        (replace(TWO, trigger=EVALUATED), deployment("2"), {"candidate": candidate(origin="Sealed")}, "Sealed", ""),
        (replace(TWO, trigger=EVALUATED, seal_message="no seal"), deployment("2"), {}, "Outside", "no seal"),
    ],
)
def test_who_vouches_for_the_candidate(
    wanted: Version, pods: VersionDeployment, known: dict[str, Any], origin: str, outside: str
) -> None:
    found = build_context(observed(deployment("1"), pods, status=known), ONE, wanted, pods, "", NOW)
    assert (found.origin, found.outside) == (origin, outside)


@pytest.mark.parametrize(
    ("signing", "signed", "missing"), [(False, False, False), (True, True, False), (True, False, True)]
)
def test_a_candidate_waits_for_the_signature_that_its_profile_asks_for(
    signing: bool, signed: bool, missing: bool
) -> None:
    profile = PROFILE.model_copy(update={"signing": Signing(public_keys=("PEM",))}) if signing else PROFILE
    entry = RegisteredVersion("2", "r", "t", sha("2"), signed=signed)
    seen = replace(observed(registry=Registry(versions={"2": entry})), profile=profile)
    advice = "a signature, which the runtime profile asks for: `python -m heart_trainer sign` makes one"
    assert missing_signature(seen, TWO) == (advice if missing else "")
    assert missing_signature(seen, THREE) == ""
    assert missing_signature(replace(seen, profile=None), TWO) == ""
    assert missing_signature(seen, None) == ""


@pytest.mark.parametrize(
    ("spec", "outside", "needed"),
    [
        ({}, False, False),
        ({"approval": "Manual"}, False, True),
        ({"versionsFromOutside": "Approve"}, False, False),
        ({"versionsFromOutside": "Approve"}, True, True),
        ({"versionsFromOutside": "Approve", "version": "2"}, True, False),
        ({"versionsFromOutside": "Approve", "version": "@best"}, True, True),
        ({"versionsFromOutside": "Adopt"}, True, False),
        ({"versionsFromOutside": "Adopt", "approval": "Manual", "version": "2"}, True, True),
    ],
)
def test_who_has_to_approve(spec: dict[str, Any], outside: bool, needed: bool) -> None:
    assert needs_approval(observed(spec=spec).model.spec, "Outside" if outside else "Training") is needed


MEASURED = f"evaluate-2-{short_hash('question')}"


@pytest.mark.parametrize(
    ("trigger", "sealed", "known", "origin"),
    [
        ("t", False, None, "Training"),
        (MEASURED, False, None, "Outside"),
        (MEASURED, True, None, "Sealed"),
        (MEASURED, False, "Sealed", "Sealed"),
        (MEASURED, False, "Outside", "Outside"),
        (MEASURED, False, "Training", "Outside"),
    ],
)
def test_who_vouches_for_a_version(trigger: str, sealed: bool, known: Any, origin: str) -> None:
    noted = candidate(origin=known) if known else None
    assert origin_of(replace(TWO, trigger=trigger, sealed=sealed), None, noted) == origin
    by_deployment = replace(TWO, trigger="", sealed=sealed)
    assert origin_of(by_deployment, deployment("2", trigger=trigger), noted) == origin
    assert origin_of(replace(TWO, trigger=""), None, noted) == "Training"


AUTO = {"serving": {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}}


def test_pods_for_all_of_the_traffic() -> None:
    assert full_count(observed(deployment("1", replicas=6)), ONE, TWO) == 4, "a fixed number"
    assert full_count(observed(deployment("1", replicas=6), spec=AUTO), ONE, TWO) == 6
    shrunk = {"candidate": candidate(base_replicas=8)}
    assert full_count(observed(deployment("1", replicas=6), spec=AUTO, status=shrunk), ONE, TWO) == 8
    grown = {"candidate": candidate(base_replicas=3)}
    assert full_count(observed(deployment("1", replicas=6), spec=AUTO, status=grown), ONE, TWO) == 6
    assert full_count(observed(deployment("1", replicas=6), status=shrunk), ONE, TWO) == 4
    assert full_count(observed(deployment("1", replicas=6), spec=AUTO, status=shrunk), ONE, THREE) == 6
    assert full_count(observed(spec=AUTO), None, TWO) == 2


def test_pods_that_a_candidate_starts_with() -> None:
    ten = {"serving": {"replicas": 10}}
    assert first_pods(observed(spec=ten), ONE) == 1
    half = {"rollout": {"steps": [{"setWeight": 40}, {"pause": {}}]}}
    assert first_pods(observed(spec=ten | half), ONE) == 7, "beside ten pods"
    assert first_pods(observed(spec=half | {"serving": ROUTE["serving"] | {"replicas": 10}}), ONE) == 4
    assert first_pods(observed(spec=ten), None) == 10
    assert first_pods(observed(spec=ten | {"rollout": {"steps": []}}), ONE) == 10
    assert first_pods(observed(spec={"serving": {"replicas": 0}}), ONE) == 0
    second = {"rollout": {"steps": [{"pause": {}}, {"setWeight": 90}]}}
    assert first_pods(observed(spec=ten | second), ONE) == 1, "the first step sets no weight"


def test_a_candidate_is_known_by_its_bytes() -> None:
    noted = observed(status={"candidate": candidate()})
    assert known_candidate(noted, TWO) == candidate()
    assert known_candidate(noted, replace(TWO, digest=sha("x"))) is None
    assert known_candidate(noted, THREE) is None
    assert known_candidate(noted, None) is None
    assert known_candidate(observed(), TWO) is None
    bare = observed(status={"candidate": candidate(digest=sha("2").removeprefix("sha256:"))})
    assert known_candidate(bare, TWO)
    assert candidate_status(noted, TWO, NOW) == candidate()
    assert candidate_status(noted, THREE, NOW) == CandidateStatus(
        version="3", digest=sha("3"), since="2026-01-01T12:00:00Z", origin="Training"
    )


# --- admission and holds -------------------------------------------------------------------------


OBSTACLE = Obstacle("RegistryUnavailable", "MLflow is away")


@pytest.mark.parametrize(
    ("selection", "progress", "gate", "obstacle", "admitted"),
    [
        (Selection(TWO, pinned=True), None, FAILED, None, True),
        (Selection(TWO, pinned=True), None, None, None, True),
        (Selection(TWO), None, PASSED, None, True),
        (Selection(TWO), None, FAILED, None, False),
        (Selection(TWO), None, None, None, False),
        (Selection(TWO), candidate(), None, None, False),
        (Selection(TWO), None, None, OBSTACLE, False),
        (Selection(TWO), candidate(), None, OBSTACLE, True),
    ],
)
def test_who_is_a_candidate_before_it_has_pods(
    selection: Selection,
    progress: CandidateStatus | None,
    gate: GateReport | None,
    obstacle: Obstacle | None,
    admitted: bool,
) -> None:
    assert is_admitted(selection, progress, gate, obstacle) is admitted


TO_TWO = Selection(TWO)
FROM_ONE = RolloutPlan(ONE)


def hold(
    seen: Observed | None = None,
    selection: Selection = TO_TWO,
    gate: GateReport | None = PASSED,
    obstacle: Obstacle | None = None,
) -> str:
    rollout = RolloutPlan(ONE, candidate=selection.version)
    return find_hold(seen or observed(deployment("1")), rollout, selection, gate, obstacle)


def test_what_a_candidate_waits_for() -> None:
    assert hold() == ""
    assert hold(obstacle=OBSTACLE, gate=None) == "MLflow is away"
    assert hold(gate=None) == "its gate"
    assert hold(gate=FAILED) == "its gate"
    assert hold(selection=Selection(TWO, pinned=True), gate=FAILED) == ""
    assert hold(observed(registry=Registry())) == "the registry to list it"
    assert hold(observed(spec={"serving": {"replicas": 0}})) == "spec.serving.replicas to be above 0"
    assert hold(observed(spec={"serving": {"replicas": 1}})) == ""


# --- going on ------------------------------------------------------------------------------------


def forward(
    seen: Observed,
    selection: Selection = TO_TWO,
    *,
    rollout: RolloutPlan = FROM_ONE,
    progress: CandidateStatus | None = None,
    gate: GateReport | None = PASSED,
    obstacle: Obstacle | None = None,
) -> RolloutPlan:
    return go_on(seen, rollout, selection, progress, gate, obstacle, NOW)


def test_nothing_to_do() -> None:
    at_rest = RolloutPlan(ONE)
    seen = observed(deployment("1"))
    assert forward(seen, Selection()) is not None
    assert forward(seen, Selection()) == at_rest
    assert forward(seen, Selection(ONE)) == at_rest
    assert forward(seen, gate=FAILED) == at_rest
    rejected = RolloutPlan(ONE, rejected=(rejection(),))
    assert forward(seen, rollout=rejected) == rejected
    failed = RolloutPlan(ONE, rejected=(rejection(reason=Reason.GATE_FAILED, gates_hash="another"),))
    assert forward(seen, rollout=failed).candidate == TWO, "by other gates"


def test_a_candidate_starts_with_its_first_pods() -> None:
    found = forward(observed(deployment("1"), spec={"serving": {"replicas": 10}}))
    assert found == RolloutPlan(
        ONE,
        candidate=TWO,
        progress=CandidateStatus(version="2", digest=sha("2"), since="2026-01-01T12:00:00Z", origin="Training"),
        action="Start",
        candidate_pods=1,
    )
    noted = forward(observed(deployment("1")), progress=candidate())
    assert noted.progress == candidate()
    first = forward(observed(), rollout=RolloutPlan(None))
    assert (first.candidate, first.action, first.candidate_pods) == (TWO, "Start", 4)


def test_a_candidate_that_may_not_start() -> None:
    waits = forward(observed(deployment("1"), registry=Registry()))
    assert (waits.action, waits.why) == ("Hold", "the registry to list it")
    stopped = forward(observed(deployment("1")), progress=candidate(), gate=None, obstacle=OBSTACLE)
    assert (stopped.action, stopped.why, stopped.candidate) == ("None", "MLflow is away", TWO)


def test_a_candidate_with_pods_moves() -> None:
    seen = observed(deployment("1"), deployment("2", ready=0, replicas=1))
    found = forward(seen, gate=None)
    assert found.candidate == TWO
    assert found.progress
    assert found.progress.since == written(NOW - timedelta(minutes=1)), "when its Deployment was created"
    assert found.candidate_pods == 1
    assert (found.action, found.why) == ("Go", "waiting for its pods to become ready")
    old = replace(seen, deployments=(deployment("1"), deployment("2", created=NOW - timedelta(hours=1))))
    held = forward(old, gate=None, progress=candidate(phase="Held", message="before"))
    assert (held.action, held.why) == ("Hold", "its gate")


def move(outcome: Any = "Stay", **changes: Any) -> Move:
    values: dict[str, Any] = {"status": candidate(message="waits"), "outcome": outcome, "pods": 1, "traffic": Traffic()}
    return Move(**(values | changes))


MOVING = RolloutPlan(ONE, candidate=TWO, previous=previous(), post_promotion=PostPromotionStatus(time=BEFORE))


def test_outcomes_are_noted_with_the_move() -> None:
    noted = candidate(phase="Experimenting", actual_weight=40, experiment=ExperimentStatus(since=BEFORE))
    outcomes = Arms(stable_outcomes=Sums(2, 1, 1), candidate_outcomes=Sums(3, 1, 1))
    spec = {"rollout": {"experiment": EXPERIMENT}}
    status, sample = {"candidate": noted, "serving": serving()}, AnalysisSample(arms=outcomes)
    seen = observed(deployment("1"), deployment("2"), spec=spec, status=status, sample=sample)
    found = go_on(seen, RolloutPlan(stable=ONE), Selection(TWO), noted, PASSED, None, NOW).progress
    assert found
    assert found.experiment
    assert (found.experiment.stable.count, found.experiment.candidate.count) == (2, 3)


def test_the_roles_after_a_promotion() -> None:
    seen = observed(deployment("1"), spec={"rollout": {"rollbackWindow": "30m"}})
    found = settle(seen, MOVING, move("Promote"), NOW)
    warm = PreviousStatus(version="1", digest=sha("1"), warm_until=HALF_PAST)
    assert found == RolloutPlan(TWO, previous=warm, action="Promote")
    first = settle(observed(), replace(MOVING, stable=None, previous=None), move("Promote"), NOW)
    assert (first.stable, first.previous) == (TWO, None)


def test_the_roles_after_a_rejection() -> None:
    failed = move("Reject", reason=Reason.CANARY_ANALYSIS_FAILED, message="too slow")
    found = settle(observed(deployment("1")), MOVING, failed, NOW)
    entry = RejectedStatus(
        version="2", digest=sha("2"), reason=Reason.CANARY_ANALYSIS_FAILED, message="too slow", time=written(NOW)
    )
    assert found == replace(MOVING, candidate=None, rejected=(entry,))
    limited = observed(deployment("1"), spec={"rollout": {"historyLimit": 1}})
    full = replace(MOVING, rejected=(rejection("3"),))
    assert settle(limited, full, failed, NOW).rejected == (entry,)


def test_the_first_version_is_never_rejected() -> None:
    failed = move("Reject", reason=Reason.READY_DEADLINE_EXCEEDED, message="no pod is ready")
    first = replace(MOVING, stable=None)
    found = settle(observed(spec={"serving": {"replicas": 7}}), first, failed, NOW)
    assert found == replace(first, progress=failed.status, action="Overdue", why="no pod is ready", candidate_pods=7)


@pytest.mark.parametrize(("phase", "action"), [("Held", "Hold"), ("Paused", "Go"), ("Scaling", "Go")])
def test_the_roles_while_it_goes_on(phase: Any, action: str) -> None:
    status, traffic = candidate(phase=phase, message="waits"), Traffic(candidate="2", weight=10)
    step = move(status=status, deadline=NOW, traffic=traffic, pods=3)
    found = settle(observed(deployment("1")), MOVING, step, NOW)
    assert found == replace(
        MOVING, progress=status, action=action, why="waits", deadline=NOW, traffic=traffic, candidate_pods=3
    )


@pytest.mark.parametrize(
    ("spec", "weight", "kept"),
    [
        ({}, 0, True),
        ({}, 10, False),
        (ROUTE, 10, True),
        (ROUTE, 0, True),
        ({"rollout": {"experiment": EXPERIMENT}}, 10, True),
    ],
)
def test_a_third_version_goes_before_the_service_spreads(spec: dict[str, Any], weight: int, kept: bool) -> None:
    found = settle(observed(deployment("1"), spec=spec), MOVING, move(status=candidate(weight=weight)), NOW)
    assert (found.previous == previous()) is kept


# --- the whole -----------------------------------------------------------------------------------


def test_a_suspended_model_keeps_its_roles() -> None:
    watched = PostPromotionStatus(time=BEFORE)
    status = {
        "candidate": candidate(),
        "rejected": (rejection("3"),),
        "serving": serving(post_promotion_analysis=watched),
        "command": COMMAND,
    }
    seen = observed(deployment("1"), deployment("0"), spec={"suspend": True}, status=status | {"previous": previous()})
    found = plan_rollout(seen, ONE, Selection(TWO), FAILED, None, None, NOW)
    assert found == RolloutPlan(
        ONE,
        candidate=TWO,
        progress=candidate(),
        previous=previous(),
        rejected=(rejection("3"),),
        post_promotion=watched,
        command=COMMAND,
    )
    nobody = as_it_is(observed(), ONE, Selection(TWO), None)
    assert nobody == RolloutPlan(ONE)


def test_a_version_that_cannot_be_served_joins_the_rejected_ones() -> None:
    unservable = rejection("3", Reason.NOT_SERVABLE, digest="", gates_hash="t")
    seen = observed(status={"rejected": (rejection("2"),)})
    assert standing_rejections(seen, None) == (rejection("2"),)
    assert standing_rejections(seen, unservable) == (rejection("2"), unservable)
    one = observed(spec={"rollout": {"historyLimit": 1}}, status={"rejected": (rejection("2"),)})
    assert standing_rejections(one, unservable) == (unservable,)


def test_a_rejection_of_an_earlier_registration_no_longer_stands() -> None:
    fallen = rejection("2", Reason.NOT_SERVABLE, digest="", gates_hash="another question")
    assert standing_rejections(observed(status={"rejected": (fallen,)}), None) == ()


def plan(seen: Observed, selection: Selection = TO_TWO, gate: GateReport | None = PASSED, **more: Any) -> RolloutPlan:
    values: dict[str, Any] = {"stable": ONE, "unservable": None, "obstacle": None, "now": NOW} | more
    return plan_rollout(seen, selection=selection, gate=gate, **values)


def test_the_rejection_of_a_version_that_cannot_be_served_is_in_the_plan() -> None:
    unservable = rejection("3", Reason.NOT_SERVABLE, digest="", gates_hash="t")
    assert plan(observed(deployment("1")), unservable=unservable).rejected == (unservable,)
    assert plan(observed(deployment("1"))).rejected == ()


def test_the_serving_version_is_no_way_back_from_itself() -> None:
    rollback = Command(action="rollback", version="1", digest=sha("1"), id="c-2", by="alice")
    entry = HistoryEntry.model_validate({"version": "1", "digest": sha("1"), "reason": "Promoted", "from": BEFORE})
    status = {"serving": serving(), "history": (entry,), "observed_generation": 1}
    found = plan(observed(deployment("1"), status=status, annotations=rollback.annotations())).command
    assert found
    result = "there is no previous version to roll back to; set spec.version to one"
    assert (found.done, found.result) == (False, result)


def test_an_obstacle_leaves_rejections_as_they_are() -> None:
    failed = rejection(reason=Reason.GATE_FAILED, gates_hash="another")
    seen = observed(deployment("1"), status={"rejected": (failed,)})
    assert plan(seen).rejected == (), "it passes today"
    assert plan(seen, obstacle=OBSTACLE).rejected == (failed,)
    assert [entry.reason for entry in plan(observed(deployment("1")), gate=FAILED).rejected] == [Reason.GATE_FAILED]


def test_a_warm_version_serves_again_when_the_stable_one_was_rejected() -> None:
    status = {"serving": serving(), "previous": previous(), "rejected": (rejection("1"),), "history": ()}
    seen = observed(deployment("1"), deployment("0"), status=status)
    found = plan(seen, Selection(ONE))
    assert (found.action, found.stable and found.stable.version) == ("Return", "0")
    without = replace(seen, deployments=(deployment("1"),))
    assert plan(without, Selection(ONE)).stable == ONE


# --- after a promotion ---------------------------------------------------------------------------


BAD = AnalysisSample(counts(200, errors=150))
WATCHED = {"serving": serving(), "previous": previous()}


def watched(
    seen: Observed,
    stable: Version | None = ONE,
    *,
    has_way_back: bool = True,
    rejected: tuple[RejectedStatus, ...] = (),
) -> Watched:
    return watch_stable(seen, stable, rejected, NOW, has_way_back=has_way_back)


@pytest.mark.parametrize(
    "status", [{}, {"serving": serving()}, {"previous": previous()}, WATCHED | {"serving": serving(ready_replicas=1)}]
)
def test_only_a_promoted_version_is_watched(status: dict[str, Any]) -> None:
    seen = observed(deployment("1"), status=status, sample=BAD)
    found = watched(seen, rejected=(rejection("3"),))
    assert found.rejected == (rejection("3"),)
    assert (found.status is not None) == (len(status) == 2)
    assert watched(seen, None) == Watched(None, ())
    assert watched(seen, THREE) == Watched(None, ())


def measured(failures: int = 0, **changes: Any) -> PostPromotionStatus:
    return PostPromotionStatus(time=BEFORE, consecutive_failures=failures, **changes)


def world(failures: int = 0, *, sample: AnalysisSample | None = BAD, pods: VersionDeployment | None = None) -> Observed:
    status = {"serving": serving(post_promotion_analysis=measured(failures)), "previous": previous()}
    return observed(pods or deployment("1"), status=status, sample=sample)


def test_without_a_sample_or_news_the_last_interval_stands() -> None:
    assert watched(world(sample=None)) == Watched(measured(), ())
    assert watched(world(sample=AnalysisSample())) == Watched(measured(), ())


def test_failures_up_to_the_limit_are_noted() -> None:
    seen = world(1)
    assert seen.model.spec.rollout.analysis.failure_limit == 2
    found = watched(seen)
    expected = analyse_serving(seen.model.spec.monitoring.alerts, measured(1), BAD, NOW)
    assert found == Watched(expected, ())
    assert expected.consecutive_failures == 2


def test_beyond_the_limit_the_version_is_rejected() -> None:
    found = watched(world(2), rejected=(rejection("3"),))
    assert found.status is None
    entry = found.rejected[-1]
    assert (entry.version, entry.digest, entry.reason, entry.time) == ("1", sha("1"), "RolledBack", written(NOW))
    assert entry.message == (
        "errors: 75.00% of 200 were answered with 5xx, the critical threshold is 5.00%"
        " (3 consecutive failures after its promotion)"
    )
    assert found.rejected[0] == rejection("3")
    stuck = watched(world(2), has_way_back=False)
    assert stuck.rejected == ()
    assert stuck.status
    assert stuck.status.consecutive_failures == 3


def test_pods_that_died_speak_against_a_version() -> None:
    quiet = AnalysisSample()
    dead = world(1, sample=quiet, pods=deployment("1", ready=0, problem="CrashLoopBackOff"))
    found = watched(dead).status
    assert found
    assert (found.consecutive_failures, found.message) == (2, "none of its pods is ready: CrashLoopBackOff")
    plain = watched(world(sample=quiet, pods=deployment("1", ready=0))).status
    assert plain
    assert (plain.consecutive_failures, plain.message) == (1, "none of its pods is ready")
    idle = world(sample=quiet, pods=deployment("1", ready=0, replicas=0))
    assert watched(idle).status == measured()
    assert watched(world(sample=quiet, pods=deployment("1", ready=1))).status == measured()
    never = observed(deployment("1", ready=0), status=WATCHED, sample=quiet)
    first = watched(never).status
    assert first
    assert first.consecutive_failures == 1
    gone = observed(status=WATCHED, sample=quiet)
    nothing = watched(gone).status
    assert nothing
    assert (nothing.consecutive_failures, nothing.message) == (0, "")
