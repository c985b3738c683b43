"""The plan's common parts at their boundaries: validation, versions, Jobs, obstacles, blocked pods, verdicts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.evaluation import ServingReference
from heart_api.handover import TrainingFailure, TrainingResult
from heart_api.heartmodel import HeartModelStatus, TrainingStatus
from heart_api.kube.values import Blocked, ObjectKey, VersionDeployment
from heart_api.names import deployment_name
from heart_api.profile import RouteAccess, RuntimeProfile
from heart_api.status import ServingStatus
from heart_operator.plan import validate
from heart_operator.plan.blocked import (
    blocked_workloads,
    is_given_up,
    is_pending,
    job_text,
    observe_again_after,
    pending,
    pods_text,
    settled,
    settled_deployment,
    settled_job,
)
from heart_operator.plan.claims import claims, is_listed, may_claim
from heart_operator.plan.heartmodel import decide, find_verdict, keeps_children, plan_heart_model
from heart_operator.plan.jobs import KEPT_JOBS, keys, newest_first, superseded, surplus
from heart_operator.plan.observed import (
    BlockedWorkload,
    CheckJob,
    Observed,
    ObservedJob,
    RegisteredVersion,
    Registry,
    TrainingJob,
)
from heart_operator.plan.obstacles import Obstacle, expected, find_obstacle
from heart_operator.plan.selection.selection import Selection, select_version
from heart_operator.plan.validate import problems
from heart_operator.plan.versions import (
    EPOCH,
    Version,
    as_deployment,
    deployment_of,
    of_deployment,
    of_job,
    of_training,
    order,
    remembered,
    serving_version_name,
    stable_version,
    trained_versions,
    with_prefix,
)
from tests.support.plan.world import MONITORING, PROFILE, comparison, evaluation, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE = "2026-01-01T11:00:00Z"
ONE, TWO = (Version(name, sha(name), f"t-{name}", f"r-{name}", sha(f"e{name}")) for name in "12")


def deployment(version: str, **changes: Any) -> VersionDeployment:
    values: dict[str, Any] = {
        "name": f"heart-v{version}",
        "uid": f"u-{version}",
        "version": version,
        "digest": sha(version),
        "trigger": f"t-{version}",
        "run_id": f"r-{version}",
        "created": NOW,
        "replicas": 2,
        "ready": 2,
        "up_to_date": True,
        "evaluation_sha256": sha(f"e{version}"),
    }
    return VersionDeployment(**(values | changes))


def result(version: str) -> TrainingResult:
    return TrainingResult(
        version=version, run_id=f"r-{version}", artifact_sha256=sha(version), evaluation_sha256=sha(f"e{version}")
    )


def job(version: str = "2", phase: Any = "Succeeded", **changes: Any) -> TrainingJob:
    values: dict[str, Any] = {
        "name": f"job-{version}",
        "uid": "u",
        "trigger": f"t-{version}",
        "created": NOW,
        "phase": phase,
        "result": result(version) if phase == "Succeeded" else None,
    }
    return ObservedJob(**(values | changes))


def service(version: str | None) -> dict[ObjectKey, Any]:
    selector = {} if version is None else {"heartops.dev/model-version": version}
    return {ObjectKey("v1", "Service", "heart"): {"metadata": {}, "spec": {"selector": selector}}}


def observed(
    *deployments: VersionDeployment, spec: dict[str, Any] | None = None, status: Any = None, **changes: Any
) -> Observed:
    model = heart_model(spec, status=status or HeartModelStatus())
    values: dict[str, Any] = {
        "model": model,
        "profile": PROFILE,
        "profiles": ("default",),
        "jobs": (),
        "deployments": deployments,
        "children": {},
        "registry": Registry(),
        "kinds": MONITORING,
    }
    return Observed(**(values | changes))


def serving(version: str = "1", digest: str | None = None) -> HeartModelStatus:
    known = ServingStatus(version=version, digest=sha(version) if digest is None else digest, since=BEFORE)
    return HeartModelStatus(serving=known)


# --- validation ----------------------------------------------------------------------------------


def alerts(**values: Any) -> dict[str, Any]:
    return {"monitoring": {"alerts": values}}


def gate(**values: Any) -> dict[str, Any]:
    return {"gates": {"checks": [values]}}


@pytest.mark.parametrize(
    "spec",
    [
        {"features": [{"name": "age", "type": "number", "minimum": 1, "maximum": 1}]},
        {"features": [{"name": "age", "type": "number", "minimum": 1}]},
        gate(metric="recall", min=0.5, max=0.5),
        gate(metric="calibration_slope", min=0.5),
        gate(metric="recall", maxRegression=0.1),
        alerts(errorRate={"warning": 0.05, "critical": 0.05}),
        alerts(latencyP95={"warning": "1s", "critical": "1000ms"}),
        {"serving": {"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}}},
        {"serving": {"resources": {"requests": {"cpu": "1"}}}},
        {"serving": {"resources": {"limits": {"cpu": "1"}}}},
        {"serving": {"autoscaling": {"minReplicas": 4, "maxReplicas": 4}}},
        {"rollout": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 20}]}},
        {"training": {"task": "regression"}, "target": {"name": "num"}, "gates": {}},
    ],
)
def test_the_bound_itself_is_allowed(spec: dict[str, Any]) -> None:
    assert problems(observed(spec=spec)) == ()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"rollout": {"steps": [{"setWeight": 20}, {"pause": {}}, {"setWeight": 19}, {"setWeight": 30}]}},
            "spec.rollout.steps[2].setWeight: 19 is less than 20, which came before",
        ),
        (
            {"rollout": {"steps": [{"setWeight": 50}, {"setWeight": 60}, {"setWeight": 55}]}},
            "spec.rollout.steps[2].setWeight: 55 is less than 60, which came before",
        ),
        (
            {"serving": {"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}},
            "spec.serving.autoscaling: minReplicas is above maxReplicas",
        ),
        (
            alerts(errorRate={"warning": 0.06, "critical": 0.05}),
            "spec.monitoring.alerts.errorRate: warning is above critical",
        ),
        (
            alerts(latencyP95={"warning": "2s", "critical": "1s"}),
            "spec.monitoring.alerts.latencyP95: warning is above critical",
        ),
        (
            {"training": {"task": "regression"}, "gates": {}},
            "spec.target.positiveAbove: it makes classes of the target; remove it, or set training.task:"
            " classification",
        ),
        (
            gate(metric="calibration_slope", maxGap=0.1, slice="age")
            | {"features": [{"name": "age", "type": "number", "sensitive": True}]},
            "spec.gates.checks[0]: calibration_slope is best at 1 and can only have min and max",
        ),
        (
            gate(metric="recall", min=0.5) | {"training": {"task": "regression"}, "target": {"name": "num"}},
            "spec.gates.checks[0].metric: recall does not exist for training.task regression",
        ),
        (
            gate(metric="recall", maxRegression=0.1, maxGap=0.1, slice="age")
            | {"features": [{"name": "age", "type": "number", "sensitive": True}]},
            "spec.gates.checks[0]: set min or max, or maxRegression, or maxGap with slice",
        ),
        (
            {"serving": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}},
            "spec.serving.resources.requests.memory: 2Gi is above the limit 1Gi",
        ),
    ],
)
def test_one_beyond_the_bound_is_named(spec: dict[str, Any], expected: str) -> None:
    assert problems(observed(spec=spec)) == (expected,)


def test_second_features_and_checks_have_their_own_path() -> None:
    features = [{"name": "a", "type": "number"}, {"name": "b", "type": "number", "minimum": 2, "maximum": 1}]
    checks = [{"metric": "recall", "min": 0.1}, {"metric": "recall"}]
    found = problems(observed(spec={"features": features, "gates": {"checks": checks}}))
    assert found == (
        "spec.features[1]: minimum is above maximum (b)",
        "spec.gates.checks[1]: set min or max, or maxRegression, or maxGap with slice",
    )
    thrice = [{"name": name, "type": "number"} for name in ("b", "a", "b", "a", "c")]
    assert problems(observed(spec={"features": thrice})) == (
        "spec.features: a is listed more than once",
        "spec.features: b is listed more than once",
    )


@pytest.mark.parametrize(("longer", "fits"), [(0, True), (1, False)])
def test_a_spec_as_long_as_a_variable_may_be(longer: int, fits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = observed()
    size = len(seen.model.spec.model_dump_json(by_alias=True, exclude_none=True).encode())
    monkeypatch.setattr(validate, "MAX_SPEC_BYTES", size - longer)
    message = (
        f"spec.features: the spec has {size:,} bytes as JSON, more than the {size - longer:,} that a training Job can"
        " be handed; shorten descriptions, or give categories shorter or fewer values"
    )
    assert problems(seen) == (() if fits else (message,))


def test_a_name_as_long_as_a_label() -> None:
    model = heart_model().model_copy(update={"name": "a" * 63})
    assert problems(observed(model=model)) == ()
    (found,) = problems(observed(model=model.model_copy(update={"name": "a" * 64})))
    assert found == (
        "metadata.name: it becomes the Service's name, so it must have at most 63 characters of a-z, 0-9 and hyphens"
        " and start with a letter; create the model under another name"
    )


def test_hosts_that_a_profile_allows() -> None:
    data = PROFILE.data.model_copy(update={"schemes": ("https", "http", "s3"), "hosts": ("Data.Example.org", "*.lab")})
    profile = PROFILE.model_copy(update={"data": data})

    def about(uri: str) -> tuple[str, ...]:
        return problems(observed(spec={"dataset": {"uri": uri}}, profile=profile))

    for uri in ("https://data.example.org/x", "http://a.lab/x?of=pvc://a/b", "s3://anything/key"):
        assert about(uri) == ()
    assert about("http://data.example.org.evil/x") == (
        "spec.dataset.uri: the runtime profile does not allow the host data.example.org.evil;"
        " allowed are: Data.Example.org, *.lab",
    )
    for uri in ("https://[::1/x", "https://:443/x"):
        assert about(uri) == ("spec.dataset.uri: it names no host; write https://host/path",)
    assert about("pvc://a/b") == (
        "spec.dataset.uri: the runtime profile does not allow pvc://; use one of: https, http, s3",
    )
    anywhere = PROFILE.model_copy(update={"data": data.model_copy(update={"hosts": ()})})
    assert problems(observed(spec={"dataset": {"uri": "https://x.org/y"}}, profile=anywhere)) == ()


def with_routes(**listed: tuple[str, ...]) -> RuntimeProfile:
    return PROFILE.model_copy(update={"routes": RouteAccess(**listed)})


def test_a_route_needs_its_kind() -> None:
    anything = with_routes(gateways=("*",), hosts=("*",))
    seen = observed(spec={"serving": {"route": {"gateway": {"name": "g"}}}}, profile=anything)
    assert problems(seen) == (
        "spec.serving.route: this cluster has no kind HTTPRoute; install the Gateway API, or remove the route",
    )
    assert problems(replace(seen, kinds=frozenset({"HTTPRoute"}))) == ()


OWN = {"gateway": {"name": "own"}, "hostnames": ["heart.clinic.example.org"]}


@pytest.mark.parametrize(
    ("serving", "field", "value", "known", "setting"),
    [
        ({"route": OWN}, "", "", "", ""),
        ({"ingress": {"className": "public", "host": "heart.clinic.example.org"}}, "", "", "", ""),
        (
            *({"route": {"gateway": {"name": "own"}}}, "route.hostnames", "every host of the listener"),
            *("*.clinic.example.org, one.org", "hosts"),
        ),
        (
            *({"route": OWN | {"gateway": {"name": "own", "namespace": "edge"}}}, "route.gateway", "edge/own"),
            *("clinic/own", "gateways"),
        ),
        (
            *({"route": OWN | {"hostnames": ["one.org", "two.org"]}}, "route.hostnames", "two.org"),
            *("*.clinic.example.org, one.org", "hosts"),
        ),
        (
            *({"ingress": {"host": "one.org"}}, "ingress.className", "an Ingress without a class"),
            *("public", "ingressClasses"),
        ),
        (
            *({"ingress": {"className": "public", "host": "clinic.example.org"}}, "ingress.host", "clinic.example.org"),
            *("*.clinic.example.org, one.org", "hosts"),
        ),
    ],
)
def test_what_a_model_may_claim(serving: dict[str, Any], field: str, value: str, known: str, setting: str) -> None:
    profile = with_routes(
        gateways=("{namespace}/own",), ingress_classes=("public",), hosts=("*.{namespace}.Example.org", "one.org")
    )
    found = problems(observed(spec={"serving": serving}, profile=profile, kinds=frozenset({"HTTPRoute"})))
    message = (
        f"spec.serving.{field}: the runtime profile does not allow {value} (allowed: {known}); an administrator adds it"
        f" to the chart value runtimes.default.routes.{setting}"
    )
    assert found == ((message,) if field else ())


def test_nothing_is_listed_by_default() -> None:
    found = problems(observed(spec={"serving": {"route": OWN}}, profile=with_routes(), kinds=frozenset({"HTTPRoute"})))
    assert [text.count("(allowed: none)") for text in found] == [1, 1]


@pytest.mark.parametrize(
    ("value", "patterns", "listed"),
    [
        ("a", ["*"], True),
        ("a.b", ["*.b"], True),
        ("b", ["*.b"], False),
        ("x.b", ["a.b"], False),
        ("a", ["a"], True),
        ("a", [], False),
    ],
)
def test_what_a_pattern_lists(value: str, patterns: list[str], listed: bool) -> None:
    assert is_listed(value, patterns) is listed


def http_route(weight: int = 100, host: str = "heart.clinic.example.org", gateway: str = "own") -> dict[str, Any]:
    rules = [{"backendRefs": [{"name": "heart", "weight": weight}]}]
    spec = {"hostnames": [host], "parentRefs": [{"name": gateway, "namespace": "clinic"}], "rules": rules}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "heart"},
        "spec": spec,
    }


def test_which_children_may_be_applied() -> None:
    spec = {"serving": {"route": OWN, "ingress": {"className": "public", "host": "one.org"}}}
    seen = observed(spec=spec, profile=with_routes(gateways=("clinic/own",), hosts=("*",)))
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "heart"}, "spec": {}}
    assert may_claim(seen, http_route())
    assert not may_claim(seen, ingress), "no class is listed"
    assert may_claim(observed(), {"kind": "Service"})
    key = ObjectKey("gateway.networking.k8s.io/v1", "HTTPRoute", "heart")
    without = replace(seen, profile=None, children={key: http_route()})
    assert may_claim(without, http_route(weight=50)), "its weights still change"
    assert not may_claim(without, http_route(host="other.org"))
    assert not may_claim(without, http_route(gateway="other"))
    assert not may_claim(replace(without, children={}), http_route())


def test_what_other_tenants_could_miss() -> None:
    ingress = {"spec": {"ingressClassName": "public", "rules": [{"host": "a"}, {}]}}
    assert claims(ingress) == ("public", ["a", None], [])
    assert claims({"spec": {}}) == (None, [], []), "somebody removed its rules"
    assert claims(http_route()) == (None, ["heart.clinic.example.org"], [("clinic", "own")])


def test_a_profile_that_does_not_exist() -> None:
    gpu = {"runtime": "gpu"}
    assert problems(observed(spec=gpu, profile=None, profiles=())) == (
        "spec.runtime: runtime profile 'gpu' not found (available: none)",
    )
    assert problems(observed(spec=gpu, profile=None, profiles=("a", "b"))) == (
        "spec.runtime: runtime profile 'gpu' not found (available: a, b)",
    )


# --- versions ------------------------------------------------------------------------------------


def test_a_version_is_read_from_whatever_is_left() -> None:
    assert of_deployment(deployment("1")) == ONE
    assert of_job(job("1")) == ONE
    status = TrainingStatus(job="j", trigger="t-1", phase="Succeeded", **result("1").model_dump())
    assert of_training(status) == ONE
    assert of_training(TrainingStatus(job="j", trigger="t", phase="Running")) == Version("", "", "t")
    sealed = of_training(status.model_copy(update={"sealed": True, "seal_message": "no seal"}))
    assert (sealed.sealed, sealed.seal_message) == (True, "no seal")
    assert (of_training(status).sealed, of_training(status).seal_message) == (False, "")
    assert ONE.reference == ServingReference(version="1", digest=sha("1"))


def test_digests_and_numbers() -> None:
    assert [with_prefix(digest) for digest in ("", "abc", "sha256:abc")] == ["", "sha256:abc", "sha256:abc"]
    assert [order(version) for version in ("12", "0", "", "x1")] == [12, 0, 0, 0]


@pytest.mark.parametrize(
    ("selected", "reported", "deployments", "expected"),
    [
        (None, None, (), None),
        ("1", None, (), "1"),
        (None, "1", (), "1"),
        ("1", "1", (), "1"),
        ("1", "2", (deployment("1"), deployment("2")), "2"),
        ("1", "2", (deployment("1"), deployment("2", ready=0)), "1"),
        ("1", "2", (deployment("1", ready=0), deployment("2", ready=1)), "2"),
        ("1", "2", (deployment("2", ready=0),), "2"),
        ("1", "2", (), "1"),
        (None, "2", (deployment("1"),), "2"),
    ],
)
def test_which_version_serves(
    selected: str | None, reported: str | None, deployments: tuple[VersionDeployment, ...], expected: str | None
) -> None:
    status = serving(reported) if reported else HeartModelStatus()
    seen = observed(*deployments, status=status, children=service(selected))
    assert serving_version_name(seen) == expected


def test_the_serving_version_is_known_from_its_deployment_first() -> None:
    seen = observed(deployment("1"), status=serving("1", sha("x")), children=service("1"))
    assert stable_version(seen) == ONE
    by_job = observed(status=serving("2"), jobs=(job("2"),))
    assert stable_version(by_job) == TWO
    assert stable_version(observed()) is None


def test_a_serving_version_that_nothing_but_the_registry_knows() -> None:
    registry = Registry(versions={"1": RegisteredVersion("1", "r-1", "t-1", sha("1").removeprefix("sha256:"))})
    assert stable_version(observed(children=service("1"), registry=registry)) == Version("1", sha("1"), "t-1", "r-1")
    other = observed(status=serving("1", sha("x")), registry=registry)
    assert remembered(other, "1") == Version("1", sha("x"), "t-1", "r-1")
    assert remembered(other, "7") == Version("7", "")
    assert remembered(observed(status=serving("2")), "1") == Version("1", "")
    assert remembered(observed(status=serving("1")), "1") == Version("1", sha("1"))


def test_trained_versions_best_source_first() -> None:
    training = TrainingStatus(job="j", trigger="t-3", phase="Succeeded", **result("3").model_dump())
    old, new = job("1", created=NOW - timedelta(hours=1)), job("2")
    running = job("5", "Running", result=result("5"))
    seen = observed(deployment("4"), status=HeartModelStatus(training=training), jobs=(old, running, new))
    assert [version.version for version in trained_versions(seen)] == ["3", "2", "1", "4"]
    for changes in ({"phase": "Failed"}, {"version": None}):
        status = HeartModelStatus(training=training.model_copy(update=changes))
        assert list(trained_versions(observed(status=status))) == []


def test_the_deployment_of_exactly_these_bytes() -> None:
    bare = deployment("1", digest=sha("1").removeprefix("sha256:"))
    assert deployment_of(observed(deployment("2"), bare), ONE) == bare
    assert deployment_of(observed(deployment("1", digest=sha("x"))), ONE) is None
    assert deployment_of(observed(deployment("1")), None) is None
    assert as_deployment(observed(bare), ONE) == bare
    assert as_deployment(observed(), ONE) == deployment(
        "1", name=as_deployment(observed(), ONE).name, uid="", created=EPOCH, replicas=0, ready=0, up_to_date=False
    )
    assert as_deployment(observed(), ONE).name == deployment_name("heart", "1")
    assert not as_deployment(observed(), ONE).is_secure
    assert as_deployment(observed(spec={"serving": {"tls": {"secretName": "heart-tls"}}}), ONE).is_secure


# --- Jobs ----------------------------------------------------------------------------------------


def test_jobs_newest_first_and_the_running_one_before_its_equals() -> None:
    old = job("1", created=NOW - timedelta(seconds=1))
    running, twin = job("2", "Running"), job("3")
    assert newest_first([old, twin, running]) == [running, twin, old]
    assert newest_first([job("4"), job("5")]) == [job("5"), job("4")]


def test_one_job_runs_at_a_time_and_three_are_kept() -> None:
    running, ended = job("1", "Running"), job("2")
    assert superseded([running, ended], "t-1") == []
    assert superseded([running, ended], "t-9") == [running]
    many = [job(str(index), created=NOW - timedelta(hours=index)) for index in range(6)]
    assert KEPT_JOBS == 3
    assert surplus(many, "t-4") == [many[3], many[5]]
    assert surplus([*many[:3], job("3", "Running", created=NOW - timedelta(hours=9))], "t-9") == []
    assert keys(many[:1]) == (ObjectKey("batch/v1", "Job", "job-0"),)


# --- obstacles -----------------------------------------------------------------------------------


def test_obstacles_in_their_order() -> None:
    lost = serving("1")
    spec = {"suspend": True, "runtime": "gpu"}
    broken = Registry(error="refused", claimed_by="other/heart")
    everything = observed(spec=spec, profile=None, status=lost, registry=broken)
    found = find_obstacle(everything, None)
    assert found == Obstacle("Suspended", "Reconciliation is suspended; set spec.suspend to false to resume")
    going = replace(everything, model=heart_model({"runtime": "gpu"}, status=lost))
    found = find_obstacle(going, None)
    assert found
    assert (found.reason, found.message.count("; ")) == ("InvalidSpec", 0)
    valid = observed(status=lost, registry=broken)
    assert find_obstacle(valid, None) == Obstacle(
        "RegistryUnavailable",
        "MLflow is unavailable (refused); the stable version continues to serve; everything else waits until"
        " MLflow is available again",
    )
    emptied = observed(status=lost, registry=Registry(claimed_by="other/heart"))
    assert find_obstacle(emptied, None) == Obstacle(
        "RegistryLost",
        "The registry does not have version 1, which is serving; no training is started and pods continue to serve."
        " Restore clinic.heart in MLflow from its backup",
    )
    taken = observed(registry=Registry(claimed_by="other/heart"))
    assert find_obstacle(taken, None) == Obstacle(
        "RegistryNameTaken",
        "The registered model clinic.heart belongs to the HeartModel other/heart; delete that one, or create this one"
        " with another spec.registryName",
    )
    assert find_obstacle(observed(registry=Registry(claimed_by="clinic/heart")), None) is None
    assert find_obstacle(observed(), None) is None


def test_every_problem_of_a_spec_is_in_the_message() -> None:
    spec = {"runtime": "gpu", "serving": {"autoscaling": {"minReplicas": 5, "maxReplicas": 4}}}
    found = find_obstacle(observed(spec=spec, profile=None), None)
    assert found
    assert found.message.endswith("(available: default); spec.serving.autoscaling: minReplicas is above maxReplicas")


def registered(version: str, digest: str) -> Registry:
    return Registry(versions={version: RegisteredVersion(version, "r", "t", digest)})


@pytest.mark.parametrize(
    ("status", "stable", "registry", "lost"),
    [
        (serving("1"), None, registered("1", sha("1")), ""),
        (serving("1"), None, registered("1", sha("1").removeprefix("sha256:")), ""),
        (serving("1"), None, registered("1", ""), ""),
        (serving("1", ""), None, registered("1", sha("x")), ""),
        (serving("1"), None, registered("1", sha("x")), "has other bytes for version 1"),
        (HeartModelStatus(), ONE, registered("1", sha("x")), "has other bytes for version 1"),
        (HeartModelStatus(), ONE, Registry(), "does not have version 1"),
        (serving("2"), ONE, registered("1", sha("1")), "does not have version 2"),
        (HeartModelStatus(), None, Registry(), ""),
    ],
)
def test_a_registry_that_lost_what_serves(
    status: HeartModelStatus, stable: Version | None, registry: Registry, lost: str
) -> None:
    found = find_obstacle(observed(status=status, registry=registry), stable)
    assert (found.reason if found else "") == ("RegistryLost" if lost else "")
    assert lost in (found.message if found else "")


def test_what_the_registry_is_expected_to_have() -> None:
    assert expected(observed(status=serving("1", "abc")), TWO) == {("1", "sha256:abc"), ("2", sha("2"))}
    assert expected(observed(), None) == set()


# --- blocked -------------------------------------------------------------------------------------


MISSING = Blocked("VolumeMissing", "claim not found", "Create it", hopeless=True, since=NOW)
QUOTA = Blocked("Quota", "exceeded quota", "Ask for more")
TEN = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("changes", "now", "ends"),
    [
        ({}, NOW + TEN, True),
        ({}, NOW + TEN - timedelta(seconds=1), False),
        ({"phase": "Failed"}, NOW + TEN, False),
        ({"blocked": None}, NOW + TEN, False),
        ({"blocked": replace(MISSING, hopeless=False)}, NOW + TEN, False),
        ({"blocked": replace(MISSING, since=None)}, NOW + TEN, False),
    ],
)
def test_a_job_waits_ten_minutes_for_what_does_not_exist(changes: dict[str, Any], now: datetime, ends: bool) -> None:
    waiting = replace(job(phase="Running", blocked=MISSING), **changes)
    found = settled_job(waiting, now)
    why = "its pod could not start within 10 minutes (claim not found)"
    assert found == (replace(waiting, phase="Failed", finished=now, why=why) if ends else waiting)
    assert is_given_up(found) == (found.phase == "Failed" and found.blocked is not None)


def test_trainings_and_evaluations_are_given_up_alike() -> None:
    waiting = job(phase="Running", blocked=MISSING)
    seen = settled(observed(jobs=(waiting,), evaluations=(waiting, job("3"))), NOW + TEN)
    assert [entry.phase for entry in (*seen.jobs, *seen.evaluations)] == ["Failed", "Failed", "Succeeded"]
    check: CheckJob = ObservedJob("check", "u", "t", NOW, "Running", blocked=MISSING)
    assert [entry.phase for entry in settled(observed(checks=(check,)), NOW + TEN).checks] == ["Failed"]
    assert not is_given_up(job())
    assert not is_given_up(job(phase="Failed", result=None, failure=TrainingFailure(reason="DataInvalid", message="m")))


@pytest.mark.parametrize(("age", "replaced"), [(0, True), (59, True), (60, False), (3600, False)])
def test_an_evicted_pod_is_being_replaced_for_a_minute(age: int, replaced: bool) -> None:
    evicted = replace(QUOTA, lost=NOW - timedelta(seconds=age))
    waiting, pods = job(phase="Running", blocked=evicted), deployment("1", blocked=evicted, problem=evicted.message)
    seen = settled(observed(pods, jobs=(waiting,), evaluations=(waiting,)), NOW)
    assert {entry.blocked for entry in (*seen.jobs, *seen.evaluations)} == {None if replaced else evicted}
    assert seen.deployments == (replace(pods, blocked=None, problem="") if replaced else pods,)
    other = replace(pods, problem="CrashLoopBackOff")
    assert settled_deployment(other, NOW).problem == "CrashLoopBackOff"
    assert settled_deployment(deployment("1", blocked=QUOTA), NOW).blocked == QUOTA


def test_an_installation_that_cannot_start_is_named_beside_the_registrys_error() -> None:
    installation = (BlockedWorkload("Deployment", "mlflow", "Quota"), BlockedWorkload("StatefulSet", "db", "Volume"))
    found = find_obstacle(observed(registry=Registry(error="refused"), installation=installation), None)
    assert found
    assert found.message.startswith(
        "MLflow is unavailable (refused; Deployment mlflow cannot start (Quota); StatefulSet db cannot start (Volume));"
    )


def test_what_is_said_of_blocked_workloads() -> None:
    text = "Job job-2 cannot start (Quota): exceeded quota. Ask for more"
    assert job_text("job-2", QUOTA) == text
    assert pending(job(phase="Running", blocked=QUOTA), "Why") == {"reason": "Why", "message": text}
    assert pending(job(phase="Running"), "Why") == {}
    assert pods_text(deployment("1", blocked=QUOTA)) == " (Quota): exceeded quota. Ask for more"
    assert pods_text(deployment("1")) == pods_text(None) == ""


@pytest.mark.parametrize(
    ("cause", "waits"), [("Quota", True), ("Crash", False), ("OutOfMemory", False), ("InitContainer", False)]
)
def test_pods_that_crash_are_not_pending(cause: str, waits: bool) -> None:
    assert is_pending(deployment("1", blocked=replace(QUOTA, cause=cause))) is waits
    assert not is_pending(deployment("1"))
    assert not is_pending(None)


def test_samples_of_blocked_workloads() -> None:
    jobs = (job("1", "Running", blocked=QUOTA), job("2", "Failed", blocked=MISSING), job("3", "Running"))
    found = blocked_workloads(jobs, (deployment("1"), deployment("2", blocked=MISSING)))
    assert found == (
        BlockedWorkload("Job", "job-1", "Quota"),
        BlockedWorkload("Deployment", "heart-v2", "VolumeMissing"),
    )
    assert blocked_workloads(()) == ()


def test_what_waits_is_observed_sooner_while_it_is_new() -> None:
    ages = [timedelta(0), timedelta(seconds=119), timedelta(minutes=2), timedelta(hours=1)]
    assert observe_again_after((NOW - age for age in ages), NOW) == [5.0, 5.0, 30.0, 30.0]


# --- the whole model -----------------------------------------------------------------------------


def verdict(seen: Observed, stable: Version | None, wanted: Version | None) -> str | None:
    found = find_verdict(seen, stable, wanted)
    return found.verdict if found else None


def test_a_gate_needs_an_evaluation_of_a_version_that_should_serve() -> None:
    good = Registry(evaluation=evaluation(0.9))
    assert verdict(observed(registry=good), None, ONE) == "Passed"
    assert verdict(observed(registry=good), None, None) is None
    assert verdict(observed(), None, ONE) is None
    assert verdict(observed(registry=replace(good, error="refused")), None, ONE) is None
    assert verdict(observed(registry=Registry(evaluation=evaluation(0.5))), None, ONE) == "Failed"


def test_a_candidate_is_compared_with_what_serves_and_that_with_what_it_replaced() -> None:
    worse = evaluation(0.9, comparison(ONE.reference, -0.1))
    registry = Registry(evaluation=worse)
    assert verdict(observed(registry=registry), ONE, TWO) == "Failed"
    other = Version("7", sha("7"))
    assert verdict(observed(registry=registry), other, TWO) != "Failed", "it was not compared with version 7"
    assert verdict(observed(registry=registry), TWO, TWO) == "Failed", "it replaced version 1"
    alone = Registry(evaluation=evaluation(0.9))
    assert verdict(observed(registry=alone), TWO, TWO) == "Passed"


def test_a_spec_that_cannot_be_carried_out_makes_nothing_new() -> None:
    spec = {"runtime": "gpu"}
    new = observed(spec=spec, profile=None)
    decision = decide(new, Selection(), NOW)
    assert decision.obstacle
    assert (decision.obstacle.reason, keeps_children(decision)) == ("InvalidSpec", False)
    assert plan_heart_model(new, Selection(), NOW).apply == ()
    served = observed(deployment("1"), spec=spec, profile=None, status=serving("1"), children=service("1"))
    assert keeps_children(decide(served, Selection(), NOW))
    assert keeps_children(decide(observed(), Selection(), NOW))


def test_a_suspended_plan_says_and_does_nothing() -> None:
    stuck = job("1", "Running", blocked=QUOTA, trigger="t")
    seen = observed(spec={"suspend": True}, jobs=(stuck,))
    plan = plan_heart_model(seen, select_version(seen), NOW)
    assert (plan.create, plan.delete, plan.apply, plan.scale, plan.registry) == ((), (), (), (), ())
    assert plan.blocked == (BlockedWorkload("Job", "job-1", "Quota"),)
    assert [event.reason for event in plan.events] == ["Suspended"]
    assert plan.requeue_after is None


def test_a_job_that_waited_in_vain_is_deleted() -> None:
    seen = observed()
    first = plan_heart_model(seen, select_version(seen), NOW)
    (manifest,) = first.create
    trigger = first.facts.training
    assert trigger
    waiting = job("1", "Running", blocked=MISSING, trigger=trigger.trigger, name=manifest["metadata"]["name"])
    later = observed(jobs=(waiting,), status=HeartModelStatus(training=trigger))
    plan = plan_heart_model(later, select_version(later), NOW + TEN)
    assert ObjectKey("batch/v1", "Job", waiting.name) in plan.delete
    assert plan.facts.training
    assert plan.facts.training.phase == "Failed"
    assert plan.create == ()
