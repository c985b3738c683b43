"""Back to a version that served before, warm or cold; how long one stays warm; and how many pods each version has."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.heartmodel import HeartModelStatus, RejectedStatus
from heart_api.kube.values import Manifest, ObjectKey, VersionDeployment
from heart_api.names import Reason
from heart_api.status import HistoryEntry, PostPromotionStatus, PreviousStatus, ServingStatus
from heart_operator.plan.actions import Scale
from heart_operator.plan.observed import Observed, Registry
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.rollout.rollback import go_back
from heart_operator.plan.rollout.scale import hpa_target, is_ours, plan_scale, wanted_count
from heart_operator.plan.rollout.warm import keep_previous, recover_previous, warm_deployment, warm_from, way_back
from heart_operator.plan.versions import Version
from tests.support.plan.world import PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE = "2026-01-01T11:00:00Z"
ONE, TWO, THREE = (Version(name, sha(name), "t", "r") for name in "123")
WATCHED = PostPromotionStatus(time=BEFORE)


def deployment(version: str, **changes: Any) -> VersionDeployment:
    values: dict[str, Any] = {
        "name": f"heart-v{version}",
        "uid": f"u-{version}",
        "version": version,
        "digest": sha(version),
        "trigger": "t",
        "run_id": "r",
        "created": NOW - timedelta(hours=int(version)),
        "replicas": 3,
        "ready": 3,
        "up_to_date": True,
    }
    return VersionDeployment(**(values | changes))


def previous(version: str = "1", until: datetime = NOW + timedelta(minutes=30)) -> PreviousStatus:
    return PreviousStatus(version=version, digest=sha(version), warm_until=until.isoformat())


def rejection(version: str, reason: str = Reason.ROLLED_BACK) -> RejectedStatus:
    return RejectedStatus(version=version, digest=sha(version), reason=reason, message="bad", time=BEFORE)


def served(*versions: str) -> tuple[HistoryEntry, ...]:
    return tuple(
        HistoryEntry.model_validate({"version": version, "digest": sha(version), "reason": "Promoted", "from": BEFORE})
        for version in versions
    )


def observed(
    *deployments: VersionDeployment,
    children: dict[ObjectKey, Manifest] | None = None,
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> Observed:
    model = heart_model(spec, status=HeartModelStatus(**status))
    return Observed(model, PROFILE, (), (), deployments, children or {}, Registry(), frozenset())


# --- going back ---------------------------------------------------------------------------------------


def test_without_a_rejection_nothing_goes_back() -> None:
    world = observed(deployment("1"), deployment("2"), previous=previous())
    assert go_back(world, RolloutPlan(TWO, previous=previous()), TWO, NOW) is None
    assert go_back(world, RolloutPlan(None, previous=previous(), rejected=(rejection("2"),)), TWO, NOW) is None


def test_a_rejected_version_gives_way_to_the_warm_one_at_once() -> None:
    world = observed(deployment("1"), deployment("2"), previous=previous())
    rollout = RolloutPlan(TWO, previous=previous(), rejected=(rejection("2"),), post_promotion=WATCHED)
    found = go_back(world, rollout, TWO, NOW)
    assert found == replace(rollout, stable=ONE, previous=None, action="Return", post_promotion=None)


def test_whoever_asks_for_the_warm_version_gets_it_and_the_other_stays_warm() -> None:
    world = observed(deployment("1"), deployment("2"), previous=previous())
    rollout = RolloutPlan(TWO, previous=previous(), post_promotion=WATCHED)
    found = go_back(world, rollout, ONE, NOW)
    assert found == replace(
        rollout, stable=ONE, previous=warm_from(world, TWO, NOW), action="Return", post_promotion=None
    )
    assert go_back(world, replace(rollout, rejected=(rejection("1"),)), ONE, NOW) is None


def test_a_warm_version_without_a_ready_pod_is_cold() -> None:
    world = observed(deployment("1", ready=0), deployment("2"), previous=previous())
    assert go_back(world, RolloutPlan(TWO, previous=previous()), ONE, NOW) is None


COLD = RolloutPlan(TWO, rejected=(rejection("2"),), post_promotion=WATCHED)


def test_a_cold_version_is_started_with_as_many_pods_as_serve() -> None:
    world = observed(deployment("2", replicas=4), history=served("1", "2"))
    found = go_back(world, COLD, TWO, NOW)
    assert found
    assert (found.stable, found.candidate, found.action, found.candidate_pods) == (TWO, replace_run(ONE), "Start", 4)
    assert found.why == "its pods to start again"


def replace_run(version: Version) -> Version:
    """As the history remembers it."""
    return Version(version.version, version.digest)


@pytest.mark.parametrize(
    ("changes", "action"),
    [
        ({"ready": 2}, "Go"),
        ({"ready": 3}, "Return"),
        ({"ready": 4}, "Return"),
        ({"ready": 3, "up_to_date": False}, "Go"),
    ],
)
def test_a_cold_version_takes_over_with_all_its_pods(changes: dict[str, Any], action: str) -> None:
    world = observed(deployment("1", **changes), deployment("2"), history=served("1", "2"))
    found = go_back(world, COLD, TWO, NOW)
    assert found
    assert found.action == action
    if action == "Return":
        assert (found.stable, found.candidate, found.previous, found.post_promotion) == (ONE, None, None, None)
    else:
        assert (found.stable, found.candidate, found.candidate_pods) == (TWO, ONE, 3)


def test_a_warm_version_that_was_rejected_too_is_no_longer_kept() -> None:
    world = observed(*map(deployment, "123"), history=served("3", "1", "2"))
    plan = replace(COLD, rejected=(rejection("1"), rejection("2")), previous=previous("1"))
    found = go_back(world, plan, TWO, NOW)
    assert found
    assert (found.stable, found.previous, found.action) == (THREE, None, "Return")


@pytest.mark.parametrize(("ready", "action"), [(0, "Go"), (1, "Return")])
def test_one_pod_at_least_has_to_be_ready(ready: int, action: str) -> None:
    nothing = {"serving": {"replicas": 0}}
    world = observed(deployment("1", ready=ready), deployment("2"), spec=nothing, history=served("1", "2"))
    found = go_back(world, COLD, TWO, NOW)
    assert found
    assert found.action == action


# --- the way back -----------------------------------------------------------------------------------------


def test_the_way_back_is_the_warm_version_else_the_newest_that_was_not_rejected() -> None:
    world = observed(
        *map(deployment, "123"),
        history=served("1", "2", "3"),
        serving=ServingStatus(version="3", digest=sha("3"), since=BEFORE),
    )
    assert way_back(world, THREE, previous("1"), ()) == ONE
    assert way_back(world, THREE, previous("1"), (rejection("1"),)) == TWO
    assert way_back(world, THREE, None, ()) == TWO
    assert way_back(world, None, None, ()) == THREE
    assert way_back(world, THREE, None, (rejection("1"), rejection("2"))) is None
    assert way_back(observed(), THREE, None, ()) is None


def test_the_previous_version_stays_until_its_time_is_over() -> None:
    world = observed(deployment("1"), deployment("2"), previous=previous())
    assert keep_previous(world, TWO, TWO, NOW) == previous()
    over = observed(deployment("1"), previous=previous(until=NOW))
    assert keep_previous(over, TWO, TWO, NOW) is None
    gone = observed(deployment("2"), previous=previous())
    assert keep_previous(gone, TWO, TWO, NOW) is None
    assert keep_previous(world, ONE, TWO, NOW) is None, "it serves"
    assert keep_previous(world, None, TWO, NOW) is None
    suspended = observed(spec={"suspend": True}, previous=previous(until=NOW))
    assert keep_previous(suspended, TWO, TWO, NOW) == previous(until=NOW)


def test_without_a_status_the_newest_ready_version_besides_is_the_previous_one() -> None:
    world = observed(*map(deployment, "123"))
    found = recover_previous(world, {THREE, None}, NOW)
    assert found == warm_from(world, ONE, NOW), "the youngest Deployment"
    assert found.version == "1"
    assert keep_previous(world, THREE, THREE, NOW) == found
    assert recover_previous(observed(deployment("1", ready=1)), {THREE}, NOW) == found, "one pod can answer"
    assert recover_previous(observed(deployment("1", ready=0)), {THREE}, NOW) is None
    assert recover_previous(observed(deployment("1")), {ONE}, NOW) is None
    known = observed(deployment("1"), serving=ServingStatus(version="3", digest=sha("3"), since=BEFORE))
    assert recover_previous(known, {THREE}, NOW) is None


def test_a_version_stays_warm_for_the_rollback_window() -> None:
    found = warm_from(observed(spec={"rollout": {"rollbackWindow": "10m"}}), ONE, NOW)
    assert found == PreviousStatus(version="1", digest=sha("1"), warm_until="2026-01-01T12:10:00Z")


def test_a_warm_deployment_has_a_ready_pod() -> None:
    assert warm_deployment(observed(deployment("1", ready=1)), previous()) == deployment("1", ready=1)
    assert warm_deployment(observed(deployment("1", ready=0)), previous()) is None
    assert warm_deployment(observed(deployment("1")), None) is None
    assert warm_deployment(observed(deployment("2")), previous()) is None


# --- pods ---------------------------------------------------------------------------------------------------

FIXED, SCALED = {"serving": {"replicas": 2}}, {"serving": {"autoscaling": {"minReplicas": 2, "maxReplicas": 9}}}


@pytest.mark.parametrize(
    ("spec", "stable", "count"),
    [
        (FIXED, deployment("1", replicas=5), 2),
        (FIXED, None, 2),
        (SCALED, deployment("1", replicas=5), 5),
        (SCALED, deployment("1", replicas=1), 2),
        (SCALED, None, 2),
    ],
)
def test_pods_that_carry_all_traffic(spec: dict[str, Any], stable: VersionDeployment | None, count: int) -> None:
    assert wanted_count(heart_model(spec).spec.serving, stable) == count


def hpa(target: str) -> dict[ObjectKey, Manifest]:
    key = ObjectKey("autoscaling/v2", "HorizontalPodAutoscaler", "heart")
    service = ObjectKey("v1", "Service", "heart")
    return {service: {}, key: {"spec": {"scaleTargetRef": {"name": target}}}}


def test_the_autoscaler_owns_the_pods_of_its_target_unless_it_pauses() -> None:
    assert hpa_target(observed(children=hpa("heart-v1"))) == "heart-v1"
    assert hpa_target(observed()) is None
    assert not is_ours(deployment("1"), "heart-v1")
    assert is_ours(deployment("1", replicas=0), "heart-v1")
    assert is_ours(deployment("2"), "heart-v1")
    assert is_ours(deployment("1"), None)


STABLE = deployment("1", replicas=5)


@pytest.mark.parametrize(
    ("spec", "target", "stable", "others", "scaled"),
    [
        (FIXED, None, STABLE, {}, [Scale("heart-v1", 2)]),
        (FIXED, None, deployment("1", replicas=2), {}, []),
        (FIXED, "heart-v1", STABLE, {}, []),
        (FIXED, "heart-v1", deployment("1", replicas=0), {}, [Scale("heart-v1", 2)]),
        (SCALED, None, STABLE, {}, []),
        (SCALED, None, deployment("1", replicas=0), {}, [Scale("heart-v1", 2)]),
        (SCALED, "heart-v1", deployment("1", replicas=0), {}, [Scale("heart-v1", 2)]),
        (SCALED, "heart-v1", STABLE, {deployment("2", replicas=1): 4}, [Scale("heart-v2", 4)]),
        (SCALED, "heart-v1", STABLE, {deployment("2", replicas=4): 4}, []),
        (SCALED, "heart-v2", None, {deployment("2", replicas=1): 4}, []),
        (SCALED, "heart-v2", None, {deployment("2", replicas=0): 4}, [Scale("heart-v2", 4)]),
        (FIXED, None, STABLE, {deployment("2", replicas=1): 4}, [Scale("heart-v2", 4), Scale("heart-v1", 2)]),
    ],
)
def test_who_is_scaled(
    spec: dict[str, Any],
    target: str | None,
    stable: VersionDeployment | None,
    others: dict[VersionDeployment, int],
    scaled: list[Scale],
) -> None:
    world = observed(spec=spec, children=hpa(target) if target else {})
    assert plan_scale(world, stable, others) == scaled


def test_versions_that_have_a_reason_to_run() -> None:
    assert RolloutPlan(None).running == set()
    assert RolloutPlan(ONE, candidate=TWO, previous=previous("3")).running == {"1", "2", "3"}
