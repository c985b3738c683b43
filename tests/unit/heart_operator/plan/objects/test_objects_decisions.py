"""Which objects are made, changed, adopted and removed, and what the registry is told: one decision at a time."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from heart_api.handover import Tag
from heart_api.heartmodel import CommandStatus, HeartModelStatus, RejectedStatus
from heart_api.kube.values import Manifest, ObjectKey, VersionDeployment
from heart_api.names import Annotation, Reason, training_job_name
from heart_api.status import CandidateStatus, PreviousStatus
from heart_operator.manifests.children import key_of
from heart_operator.plan.actions import CloseRuns, Scale, SetAlias, TagVersion
from heart_operator.plan.decision import Decision
from heart_operator.plan.gates.verdict import GateReport
from heart_operator.plan.objects.adoption import is_job_name, names_of, owned_by, plan_adoption, replaced
from heart_operator.plan.objects.children import to_apply, to_remove, wanted_children
from heart_operator.plan.objects.deployments import (
    deployment_manifest,
    must_be_remade,
    new_deployments,
    scales,
    surplus_deployments,
)
from heart_operator.plan.objects.diff import difference, stamp
from heart_operator.plan.objects.drift_correction import is_outdated, to_mend, version_deployment
from heart_operator.plan.objects.registry import plan_registry
from heart_operator.plan.observed import Observed, ObservedJob, RegisteredVersion, Registry
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.selection.evaluation_job import EvaluationPlan
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.training.training import TrainingPlan
from heart_operator.plan.versions import Version
from tests.support.plan.world import MONITORING, PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ONE, TWO, THREE = (Version(name, sha(name), f"t-{name}", f"r-{name}", sha(f"e{name}")) for name in "123")
FIXED = {"serving": {"replicas": 3}}
PASSED = GateReport("Passed", (), "h")
BEFORE = "2026-01-01T11:00:00Z"


def deployment(version: str, **changes: Any) -> VersionDeployment:
    values: dict[str, Any] = {
        "name": f"heart-v{version}",
        "uid": f"u-{version}",
        "version": version,
        "digest": sha(version),
        "trigger": f"t-{version}",
        "run_id": f"r-{version}",
        "created": NOW,
        "replicas": 3,
        "ready": 3,
        "up_to_date": True,
        "evaluation_sha256": sha(f"e{version}"),
    }
    return VersionDeployment(**(values | changes))


def observed(*deployments: VersionDeployment, spec: dict[str, Any] | None = None, **changes: Any) -> Observed:
    status = HeartModelStatus(**changes.pop("status", {}))
    values: dict[str, Any] = {
        "model": heart_model(FIXED | (spec or {}), status=status),
        "profile": PROFILE,
        "profiles": ("default",),
        "jobs": (),
        "deployments": deployments,
        "children": {},
        "registry": Registry(),
        "kinds": MONITORING,
    }
    return Observed(**(values | changes))


def decision(seen: Observed, obstacle: Obstacle | None = None, **rollout: Any) -> Decision:
    roles = RolloutPlan(**({"stable": ONE} | rollout))
    return Decision(seen, NOW, obstacle, TrainingPlan(None, False), EvaluationPlan(), Selection(), None, roles)


def living(seen: Observed, version: Version) -> dict[ObjectKey, Manifest]:
    built = version_deployment(seen, version)
    assert built
    return {key_of(built): copy.deepcopy(built)}


def key(version: str) -> ObjectKey:
    return ObjectKey("apps/v1", "Deployment", f"heart-v{version}")


# --- Deployments ---------------------------------------------------------------------------------


def made(seen: Observed, **rollout: Any) -> list[tuple[str, int]]:
    return [
        (entry["metadata"]["name"], entry["spec"]["replicas"]) for entry in new_deployments(decision(seen, **rollout))
    ]


def test_deployments_that_are_made() -> None:
    start = {"candidate": TWO, "candidate_pods": 2}
    assert made(observed(deployment("1")), action="Start", **start) == [("heart-v2", 2)]
    assert made(observed(deployment("1")), action="Go", **start) == []
    assert made(observed(deployment("1")), action="Start") == []
    assert made(observed(), action="Start", **start) == [("heart-v2", 2), ("heart-v1", 3)]
    assert made(observed(), stable=None) == []
    assert made(observed(deployment("1", replicas=7), spec={"serving": {"autoscaling": {"maxReplicas": 9}}})) == []


def test_a_deployment_needs_a_digest_a_profile_and_a_free_name() -> None:
    assert len(list(deployment_manifest(observed(), ONE, 1))) == 1
    assert list(deployment_manifest(observed(), replace(ONE, digest=""), 1)) == []
    assert list(deployment_manifest(observed(profile=None), ONE, 1)) == []
    assert list(deployment_manifest(observed(deployment("1", digest=sha("x"))), ONE, 1)) == []
    assert len(list(deployment_manifest(observed(deployment("2")), ONE, 1))) == 1


def test_versions_without_a_role_are_removed() -> None:
    three = observed(deployment("1"), deployment("2"), deployment("3"))
    assert surplus_deployments(decision(three)) == [key("2"), key("3")]
    assert surplus_deployments(decision(three, candidate=TWO)) == [key("3")]
    warm = PreviousStatus(version="3", digest=sha("3"), warm_until=BEFORE)
    assert surplus_deployments(decision(three, candidate=TWO, previous=warm)) == []
    assert surplus_deployments(decision(three, stable=None)) == [key("1"), key("2"), key("3")]


def rejected(version: str, reason: str = Reason.ABORTED, **changes: Any) -> RejectedStatus:
    values = {"version": version, "digest": sha(version), "reason": reason, "message": "bad", "time": BEFORE}
    return RejectedStatus(**(values | changes))


def test_during_an_obstacle_only_what_is_known_to_be_over_is_removed() -> None:
    warm = PreviousStatus(version="3", digest=sha("3"), warm_until=BEFORE)
    seen = observed(deployment("1"), deployment("2"), deployment("3"), deployment("4"), status={"previous": warm})
    outage = Obstacle("RegistryUnavailable", "")
    assert surplus_deployments(decision(seen, outage, rejected=(rejected("2"),))) == [key("2"), key("3")]
    without = observed(deployment("1"), deployment("2"), deployment("3"))
    assert surplus_deployments(decision(without, outage)) == []


def starting(phase: Any = "Starting") -> CandidateStatus:
    return CandidateStatus(version="2", digest=sha("2"), since=BEFORE, phase=phase)


def remade(seen: Observed, **rollout: Any) -> bool:
    return must_be_remade(decision(seen, candidate=TWO, **rollout))


def test_when_a_candidates_deployment_is_made_anew() -> None:
    same = observed(deployment("1"), deployment("2"))
    same = replace(same, children=living(same, TWO))
    assert not remade(same, progress=starting())
    other = observed(deployment("1"), deployment("2", digest=sha("x")))
    assert remade(other), "it has other bytes"
    assert surplus_deployments(decision(other, candidate=TWO)) == [key("2")]
    changed = replace(same, model=heart_model({"serving": {"replicas": 3, "resources": {"limits": {"memory": "2Gi"}}}}))
    assert remade(changed, progress=starting())
    assert remade(changed, action="Overdue")
    assert not remade(changed, progress=starting("Paused"))
    assert not remade(changed)
    warm = PreviousStatus(version="2", digest=sha("2"), warm_until=BEFORE)
    assert not remade(other, previous=warm), "it could still take over"
    assert surplus_deployments(decision(changed, candidate=TWO, progress=starting())) == [key("2")]


def test_counts_of_every_version() -> None:
    seen = observed(deployment("1"), deployment("2", replicas=1), deployment("3", replicas=1), deployment("4"))
    warm = PreviousStatus(version="3", digest=sha("3"), warm_until=BEFORE)
    found = scales(decision(seen, candidate=TWO, candidate_pods=2, previous=warm))
    assert found == [Scale("heart-v2", 2), Scale("heart-v3", 3)]
    assert scales(decision(observed(deployment("1", replicas=1)))) == [Scale("heart-v1", 3)]


def test_what_was_edited_is_mended_while_it_would_be_built_the_same() -> None:
    seen = observed(deployment("1"), deployment("2"))
    children = living(seen, ONE) | living(seen, TWO)
    untouched = replace(seen, children=children)
    assert to_mend(untouched, (ONE, TWO, None)) == ()
    edited = copy.deepcopy(children)
    edited[key("2")]["spec"]["template"]["spec"]["containers"][0]["image"] = "somebody:else"
    assert [key_of(entry) for entry in to_mend(replace(seen, children=edited), (ONE, TWO))] == [key("2")]
    edited[key("2")]["metadata"]["annotations"][Annotation.APPLIED] = "an older operator's"
    assert to_mend(replace(seen, children=edited), (ONE, TWO)) == ()
    assert to_mend(replace(seen, children={}), (ONE,)) == ()
    assert to_mend(replace(untouched, deployments=()), (ONE,)) == ()
    assert to_mend(replace(untouched, profile=None), (ONE,)) == ()


def test_what_would_be_built_otherwise_today_is_outdated() -> None:
    seen = observed(deployment("1"))
    same = replace(seen, children=living(seen, ONE))
    assert not is_outdated(same, ONE)
    assert not is_outdated(same, None)
    other = copy.deepcopy(same.children)
    other[key("1")]["metadata"]["annotations"][Annotation.APPLIED] = "older"
    assert is_outdated(replace(same, children=other), ONE)
    del other[key("1")]["metadata"]["annotations"]
    assert is_outdated(replace(same, children=other), ONE)
    assert not is_outdated(replace(same, children=other, profile=None), ONE)
    assert not is_outdated(replace(same, children=other, deployments=()), ONE)
    assert not is_outdated(replace(same, children={}), ONE)


# --- other children ------------------------------------------------------------------------------


def test_children_are_applied_where_they_differ() -> None:
    seen = observed(deployment("1"))
    wanted = wanted_children(seen, RolloutPlan(ONE))
    assert to_apply(seen, wanted) == wanted
    assert all(Annotation.APPLIED in child["metadata"]["annotations"] for child in wanted)
    here = replace(seen, children={key_of(child): copy.deepcopy(child) for child in wanted})
    assert to_apply(here, wanted) == ()
    assert {child["kind"] for child in wanted_children(seen, RolloutPlan(None))} == {
        *("ServiceAccount", "NetworkPolicy", "Service", "ConfigMap"),
    }


def test_children_that_are_no_longer_wanted_are_removed() -> None:
    seen = observed(deployment("1"))
    wanted = wanted_children(seen, RolloutPlan(ONE))
    extra = {
        ObjectKey("networking.k8s.io/v1", "Ingress", "heart"): {},
        ObjectKey("apps/v1", "Deployment", "heart-v1"): {},
        ObjectKey("batch/v1", "Job", "j"): {},
        ObjectKey("v1", "Secret", "s"): {},
    }
    here = replace(seen, children={key_of(child): child for child in wanted} | extra)
    assert to_remove(here, wanted) == (ObjectKey("networking.k8s.io/v1", "Ingress", "heart"),)
    assert to_remove(replace(here, profile=None), wanted) == ()


@pytest.mark.parametrize(
    ("desired", "found", "path"),
    [
        ({"a": 1}, None, ""),
        ({"a": {"b": 1}}, {"a": "text"}, ".a"),
        ({"a": [1]}, {"a": "1"}, ".a"),
        ({"a": [1]}, {"a": {"0": 1}}, ".a"),
        ({"a": [1, 2]}, {"a": [1]}, ".a"),
        ({"a": [{"name": "x", "v": 1}]}, {"a": ["x"]}, ".a[x]"),
        ({"a": [{"uid": "x", "v": 1}]}, {"a": [{"uid": "x", "v": 2}]}, ".a[x].v"),
        ({"a": [{"name": "x"}, {"v": 1}]}, {"a": [{"name": "x"}, {"v": 2}]}, ".a[1].v"),
        ({"matchLabels": {"a": "b"}}, {"matchLabels": {"a": "b", "z": "1", "c": "1"}}, ".matchLabels.c"),
        ({"labels": {"a": "b"}}, {"labels": {"a": "b", "z": "1"}}, None),
        ({"a": None}, {"a": 0}, None),
        ({"a": ""}, {"a": "x"}, ".a"),
        ({"a": "0.5"}, {"a": "500m"}, None),
        ({"a": False}, {"a": "0"}, ".a"),
        ({"a": 0}, {"a": None}, ".a"),
    ],
)
def test_the_first_difference(desired: Any, found: Any, path: str | None) -> None:
    assert difference(desired, found, "") == path


def test_a_stamp_changes_with_the_manifest_and_not_with_the_order_of_its_keys() -> None:
    def mark(manifest: Manifest) -> str:
        found: str = stamp(manifest)["metadata"]["annotations"][Annotation.APPLIED]
        return found

    one = {"metadata": {"name": "x", "annotations": {"a": "b"}}, "spec": {"a": 1, "b": 2}}
    assert mark(one) == mark({"spec": {"b": 2, "a": 1}, "metadata": {"annotations": {"a": "b"}, "name": "x"}})
    assert mark(one) != mark(one | {"spec": {"a": 1, "b": 3}})
    assert len(mark(one)) == 16
    assert stamp(one)["metadata"]["annotations"]["a"] == "b"
    assert stamp(one)["metadata"]["name"] == "x"


# --- adoption ------------------------------------------------------------------------------------


MODEL = heart_model()
OWNER = [
    {"op": "add", "path": "/metadata/resourceVersion", "value": "7"},
    {
        "op": "add",
        "path": "/metadata/ownerReferences",
        "value": [
            {
                "apiVersion": "heartops.dev/v1alpha1",
                "kind": "HeartModel",
                "name": "heart",
                "uid": "u-1",
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    },
]


def test_the_model_becomes_the_only_owner_of_what_was_observed() -> None:
    assert list(owned_by(MODEL, {"metadata": {"resourceVersion": "7"}})) == OWNER


def test_nothing_is_kept_but_identity_and_what_others_decide() -> None:
    wanted = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "heart", "labels": {"a": "b"}},
        "spec": {"ports": [1]},
        "data": {"x": "y"},
    }
    found = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "heart", "labels": {"evil": "1"}, "annotations": {"evil": "1"}, "uid": "u"},
        "spec": {"clusterIP": "10.0.0.1", "externalIPs": ["evil"]},
        "status": {"x": 1},
        "extra": 1,
    }
    assert list(replaced(found, wanted)) == [
        {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}},
        {"op": "remove", "path": "/metadata/annotations"},
        {"op": "add", "path": "/data", "value": {"x": "y"}},
        {"op": "remove", "path": "/extra"},
        {"op": "add", "path": "/spec", "value": {"ports": [1], "clusterIP": "10.0.0.1"}},
    ]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}}
    assert list(replaced(account, account)) == []
    assert list(replaced(account | {"spec": {"evil": 1}}, account)) == [{"op": "remove", "path": "/spec"}]
    bare = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "heart"}}
    assert list(replaced(bare, bare | {"spec": {"a": 1}})) == [{"op": "add", "path": "/spec", "value": {"a": 1}}]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ServiceAccount", {"heart-model"}),
        ("ConfigMap", {"heart-mirror", "heart-auth"}),
        ("NetworkPolicy", {"heart-serving", "heart-training", "heart-check", "heart-callers"}),
        ("Ingress", {"heart"}),
    ],
)
def test_names_of_a_models_children(kind: str, names: set[str]) -> None:
    assert names_of(kind, "heart") == names
    assert {"heart", "heart-candidate"} < names_of("Service", "heart")


@pytest.mark.parametrize("model", ["heart", "h" * 37, "h" * 38, "h" * 39, "h" * 44, "h" * 60, f"{'h' * 42}-x"])
def test_job_names_of_any_length_are_recognized(model: str) -> None:
    name = training_job_name(model, "any", "trigger")
    assert is_job_name(name, model)
    assert not is_job_name(name[:-1], model)
    assert not is_job_name(f"{name}0", model)
    assert not is_job_name(f"{name[:-1]}g", model)
    assert not is_job_name(f"x{name}", model)


def test_orphans_are_taken_over_in_order_without_those_that_go() -> None:
    seen = observed(deployment("1"))
    wanted = wanted_children(seen, RolloutPlan(ONE))
    children = {key_of(child): copy.deepcopy(child) for child in wanted} | living(seen, ONE)
    job, stray = ObjectKey("batch/v1", "Job", "j"), ObjectKey("v1", "ConfigMap", "stray")
    children |= {job: {"kind": "Job", "metadata": {}}, stray: {"kind": "ConfigMap", "metadata": {}}}
    for child in children.values():
        child["metadata"]["resourceVersion"] = "7"
    service, policy = (
        ObjectKey("v1", "Service", "heart"),
        ObjectKey("networking.k8s.io/v1", "NetworkPolicy", "heart-check"),
    )
    orphans = frozenset({job, stray, service, policy, key("1")})
    adopted = plan_adoption(replace(seen, children=children, orphans=orphans), wanted, but=(policy,))
    assert [entry.key for entry in adopted] == sorted({job, service, key("1")}, key=str)
    by_key = {entry.key: list(entry.patch) for entry in adopted}
    assert by_key[job] == OWNER
    assert by_key[service][:2] == OWNER
    assert len(by_key[service]) > 2
    assert plan_adoption(replace(seen, children=children, orphans=orphans), ()) != ()
    no_profile = replace(seen, children=children, orphans=frozenset({key("1")}), profile=None)
    assert plan_adoption(no_profile, wanted) == ()


# --- the registry --------------------------------------------------------------------------------


def registered(*versions: str, **tags: str) -> dict[str, RegisteredVersion]:
    return {name: RegisteredVersion(name, "r", "t", sha(name), tags.get(f"v{name}")) for name in versions}


def told(registry: Registry, *, act: bool = True, **changes: Any) -> tuple[Any, ...]:
    seen = observed(
        registry=registry, **{name: changes.pop(name) for name in ("jobs", "evaluations", "status") if name in changes}
    )
    wanted, gate = changes.pop("wanted", None), changes.pop("gate", None)
    return plan_registry(seen, RolloutPlan(**({"stable": ONE} | changes)), wanted, gate, may_act=act)


def job(trigger: str, phase: Any) -> ObservedJob[Any, Any]:
    return ObservedJob("j", "u", trigger, NOW, phase)


def test_runs_without_a_running_job_are_closed() -> None:
    registry = Registry(open_runs=frozenset({"d", "c", "b", "a"}))
    jobs = {"jobs": (job("a", "Running"), job("b", "Failed")), "evaluations": (job("c", "Running"),)}
    assert told(registry, **jobs) == (CloseRuns("b", "FAILED"), CloseRuns("d", "KILLED"))
    assert told(registry, act=False, **jobs) == (CloseRuns("b", "FAILED"), CloseRuns("d", "KILLED"))
    assert told(replace(registry, error="refused"), **jobs) == ()


def test_aliases_are_set_where_they_differ() -> None:
    versions = registered("1", "2", "3")
    warm = PreviousStatus(version="3", digest=sha("3"), warm_until=BEFORE)
    claimed = Registry(claimed_by="clinic/heart", versions=versions)
    roles = {"candidate": TWO, "previous": warm}
    assert told(claimed, **roles) == (
        *(SetAlias("serving", "1"), SetAlias("candidate", "2"), SetAlias("previous", "3")),
    )
    right = replace(claimed, aliases={"serving": "1", "candidate": "2", "previous": "3"})
    assert told(right, **roles) == ()
    assert told(right) == (SetAlias("candidate", None), SetAlias("previous", None))
    assert told(replace(right, aliases={"serving": "9"}), stable=None) == ()
    assert told(replace(claimed, claimed_by=None), **roles) == ()
    assert told(claimed, act=False, **roles) == ()
    assert told(replace(claimed, versions=registered("2")), **roles) == (SetAlias("candidate", "2"),)


def test_rejections_are_tagged_and_tags_of_fallen_ones_removed() -> None:
    failed = rejected("2", Reason.GATE_FAILED, gates_hash="h")
    assert told(Registry(versions=registered("2")), rejected=(failed,)) == (
        TagVersion("2", Tag.REJECTED, "GateFailed:h"),
    )
    assert told(Registry(versions=registered("2", v2="GateFailed:h")), rejected=(failed,)) == ()
    assert told(Registry(versions=registered("2", v2="Aborted")), rejected=(failed,)) == (
        TagVersion("2", Tag.REJECTED, "GateFailed:h"),
    )
    assert told(Registry(), rejected=(failed,)) == ()


def retry(version: str, **changes: Any) -> dict[str, Any]:
    return {"status": {"command": CommandStatus(id="c", action="retry", version=version, time=BEFORE, **changes)}}


REMOVED = (TagVersion("2", Tag.REJECTED, ""),)


@pytest.mark.parametrize(
    ("tag", "changes", "removed"),
    [
        ("Aborted", {}, False),
        ("Aborted", {"stable": TWO}, True),
        ("Aborted", {"stable": None}, False),
        ("GateFailed:h", {"wanted": TWO, "gate": PASSED}, True),
        ("GateFailed:h", {"wanted": TWO, "gate": GateReport("Failed", (), "h")}, False),
        ("GateFailed:h", {"wanted": TWO}, False),
        ("GateFailed:h", {"wanted": THREE, "gate": PASSED}, False),
        ("Aborted", {"wanted": TWO, "gate": PASSED}, False),
        ("", {"stable": TWO}, False),
        ("Aborted", retry("2"), True),
        ("Aborted", retry("3"), False),
        ("Aborted", retry("2", done=False), False),
    ],
)
def test_when_a_tag_has_fallen(tag: str, changes: dict[str, Any], removed: bool) -> None:
    assert told(Registry(versions=registered("2", v2=tag)), **changes) == (REMOVED if removed else ())
