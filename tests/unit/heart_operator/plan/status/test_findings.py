"""Each condition's content by itself: status, reason and the words that a person reads."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from heart_api.heartmodel import (
    CandidateStatus,
    CommandStatus,
    ConditionStatus,
    HeartModelStatus,
    HistoryEntry,
    PreviousStatus,
    RejectedStatus,
    TrainingStatus,
)
from heart_api.kube.values import Blocked, ObjectKey, VersionDeployment
from heart_api.status import PostPromotionStatus
from heart_api.times import read, written
from heart_operator.plan.actions import Event
from heart_operator.plan.decision import Decision
from heart_operator.plan.gates.checks import CheckResult
from heart_operator.plan.gates.verdict import GateReport, gates_hash
from heart_operator.plan.observed import Observed, ObservedJob, Registry
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.quota import QuotaWait, Usage
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.selection.evaluation_job import EvaluationPlan
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.status.condition import Finding
from heart_operator.plan.status.conditions import build_conditions
from heart_operator.plan.status.drift import latest_check
from heart_operator.plan.status.events import build_events
from heart_operator.plan.status.facts import build_facts
from heart_operator.plan.status.findings import (
    find_available,
    find_exposed_registry,
    find_gate_passed,
    find_monitoring,
    find_progressing,
    find_ready,
    find_trained,
)
from heart_operator.plan.status.findings_rollout import find_rollout_succeeded
from heart_operator.plan.status.requeue import LEAST_SECONDS, POLL_SECONDS, requeue_after
from heart_operator.plan.training.training import TrainingPlan
from heart_operator.plan.versions import Version
from tests.support.plan.schedules import retrain_schedule
from tests.support.plan.world import MONITORING, PROFILE, heart_model

NOW = read("2026-01-10T03:00:00Z")
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
V1, V2 = Version("1", "sha256:1"), Version("2", "sha256:2")
ONE = {"serving": {"replicas": 1}}
BLOCKED = Blocked("Quota", "exceeded quota", "Ask for more")
RETRAIN = "give the annotation heartops.dev/retrain a new value"


def deployment(version: str = "1", ready: int = 1, replicas: int = 1, **more: Any) -> VersionDeployment:
    return VersionDeployment(
        name=f"heart-v{version}",
        uid=f"uid-{version}",
        version=version,
        digest=f"sha256:{version}",
        trigger="t",
        run_id="r",
        created=more.pop("created", NOW - HOUR),
        replicas=replicas,
        ready=ready,
        up_to_date=True,
        **more,
    )


def condition(type_: str, reason: str, status: Any = "True", message: str = "", **more: Any) -> ConditionStatus:
    since = more.pop("since", "2026-01-02T00:00:00Z")
    return ConditionStatus(
        type=type_, status=status, reason=reason, message=message, last_transition_time=since, **more
    )


def training(phase: Any, **more: Any) -> TrainingStatus:
    return TrainingStatus(job="j", trigger="t", phase=phase, **more)


def trained(phase: Any = "Succeeded", *, wanted: bool = False, **more: Any) -> TrainingPlan:
    return TrainingPlan(training(phase, **({"version": "1"} | more)), wanted)


def rejected(version: Version = V2, reason: str = "CanaryAnalysisFailed", **more: Any) -> RejectedStatus:
    values = {"version": version.version, "digest": version.digest, "message": "too slow", "time": written(NOW)}
    return RejectedStatus.model_validate(values | {"reason": reason} | more)


def progress(phase: Any = "Paused", **more: Any) -> CandidateStatus:
    values = {"version": "2", "digest": "sha256:2", "since": written(NOW), "phase": phase, "message": "waits 5m"}
    return CandidateStatus.model_validate(values | {"step": 1, "weight": 10, "actual_weight": 25} | more)


STEPS = {"rollout": {"steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]}}


def decision(
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    *,
    deployments: tuple[VersionDeployment, ...] = (deployment(),),
    observed: dict[str, Any] | None = None,
    rollout: dict[str, Any] | None = None,
    **changes: Any,
) -> Decision:
    """Version 1 serves with one pod, was trained for the spec, and nothing is left to do."""
    model = heart_model(ONE | (spec or {}), status=status or {}, generation=3)
    seen = Observed(
        model=model,
        profile=PROFILE,
        profiles=("default",),
        jobs=(),
        deployments=deployments,
        children={},
        registry=Registry(),
        kinds=MONITORING,
    )
    values = {
        "observed": replace(seen, **(observed or {})),
        "now": NOW,
        "obstacle": None,
        "training": trained(),
        "evaluation": EvaluationPlan(),
        "selection": Selection(V1),
        "gate": GateReport("Passed", (), "h"),
        "rollout": RolloutPlan(**({"stable": V1} | (rollout or {}))),
    }
    return Decision(**(values | changes))


NOTHING: dict[str, Any] = {"rollout": {"stable": None}, "deployments": (), "selection": Selection(), "gate": None}
ON_TRAFFIC: dict[str, Any] = {
    "spec": STEPS,
    "deployments": (deployment(), deployment("2")),
    "selection": Selection(V2),
    "rollout": {"candidate": V2, "progress": progress(), "action": "Go", "candidate_pods": 3},
}


def on_traffic(*, candidate: VersionDeployment | None = None, rollout: dict[str, Any] | None = None) -> Decision:
    seen = (deployment(), candidate or deployment("2"))
    return decision(**(ON_TRAFFIC | {"deployments": seen, "rollout": ON_TRAFFIC["rollout"] | (rollout or {})}))


# --- Available, Ready ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (decision(), Finding("True", "Serving", "Version 1 serves")),
        (
            decision({"serving": {"replicas": 0}}, deployments=(deployment(ready=0, replicas=0),)),
            Finding("False", "NoServingVersion", "spec.serving.replicas is 0; raise it to serve"),
        ),
        (
            decision(deployments=(deployment(ready=0, problem="ImagePullBackOff"),)),
            Finding("False", "NoServingVersion", "No pod is ready: ImagePullBackOff"),
        ),
        (
            decision(deployments=(deployment(ready=0),)),
            Finding("False", "NoServingVersion", "No pod is ready; the condition Ready says why"),
        ),
        (decision(**NOTHING), Finding("False", "NoServingVersion", "No pod is ready; the condition Ready says why")),
        (
            decision(deployments=()),
            Finding("False", "NoServingVersion", "No pod is ready; the condition Ready says why"),
        ),
    ],
)
def test_available(seen: Decision, expected: Finding) -> None:
    assert find_available(seen) == expected


TWO = {"serving": {"replicas": 2}}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (decision(), Finding("True", "Serving", "Version 1 serves")),
        (
            decision(TWO, deployments=(deployment(ready=1, replicas=2),)),
            Finding("False", "ReplicasUnavailable", "1 of 2 pods of version 1 are ready"),
        ),
        (
            decision(TWO, deployments=(deployment(ready=1, replicas=2, blocked=BLOCKED),)),
            Finding(
                *("False", "PodsPending"),
                "1 of 2 pods of version 1 are ready (Quota): exceeded quota. Ask for more",
            ),
        ),
        (
            decision(TWO, deployments=(deployment(ready=1, replicas=2, blocked=replace(BLOCKED, cause="Crash")),)),
            Finding(
                *("False", "ReplicasUnavailable"),
                "1 of 2 pods of version 1 are ready (Crash): exceeded quota. Ask for more",
            ),
        ),
        (decision(deployments=()), Finding("False", "ReplicasUnavailable", "0 of 1 pods of version 1 are ready")),
        (
            decision(deployments=(deployment(ready=1, replicas=3, blocked=BLOCKED),)),
            Finding(
                *("True", "Serving"),
                "Version 1 serves; 1 of 3 pods are ready (Quota): exceeded quota. Ask for more",
            ),
        ),
        (
            on_traffic(),
            Finding(
                *("False", "Paused"),
                "Version 2 is at step 2 of 4 with 10% of the traffic (actual: 25%): waits 5m",
            ),
        ),
        (
            decision({"version": "7"}, selection=Selection(why="MLflow has no version 7"), gate=None),
            Finding("False", "VersionNotFound", "spec.version: MLflow has no version 7"),
        ),
        (
            decision({"version": "latest"}, selection=Selection(why="MLflow has no version 7"), gate=None),
            Finding("True", "Serving", "Version 1 serves"),
        ),
        (
            decision(**NOTHING),
            Finding(
                *("False", "TrainingSucceeded"),
                "No version is serving yet. Version 1 was trained for this spec",
            ),
        ),
        (
            decision(**NOTHING | {"training": trained("Running")}),
            Finding(
                *("False", "WaitingForTraining"),
                "No version is serving yet. Job j trains; see kubectl logs job/j",
            ),
        ),
        (
            decision(**NOTHING | {"training": trained("Failed", reason="DataInvalid", message="no rows")}),
            Finding("False", "DataInvalid", "No version is serving yet. no rows"),
        ),
        (
            decision(**NOTHING | {"training": TrainingPlan(None, False)}),
            Finding(
                "False", "NeverTrained", "No version is serving yet. No version has been trained for this spec yet"
            ),
        ),
    ],
)
def test_ready(seen: Decision, expected: Finding) -> None:
    assert find_ready(seen) == expected


@pytest.mark.parametrize("reason", ["InvalidSpec", "RegistryLost", "RegistryNameTaken"])
def test_an_obstacle_that_needs_a_person_is_not_ready(reason: str) -> None:
    assert find_ready(decision(obstacle=Obstacle(reason, "why"))) == Finding("False", reason, "why")


def test_what_waits_leaves_ready_as_it_is() -> None:
    assert find_ready(decision(obstacle=Obstacle("RegistryUnavailable", "why"))).reason == "Serving"
    suspended = Obstacle("Suspended", "why")
    assert find_ready(decision(obstacle=suspended)) == Finding("True", "Suspended", "why")
    assert find_ready(decision(obstacle=suspended, deployments=())) == Finding("Unknown", "Suspended", "why")


def route(**condition: Any) -> dict[ObjectKey, Any]:
    entry = {"type": "Accepted", "status": "False", "reason": "NoMatch", "message": "no listener"} | condition
    parent = {"parentRef": {"name": "gw"}, "conditions": [entry]}
    found = {"metadata": {"name": "heart", "generation": 2}, "status": {"parents": [parent]}}
    return {ObjectKey("gateway.networking.k8s.io/v1", "HTTPRoute", "heart"): found}


ROUTED = {"serving": {"replicas": 1, "route": {"gateway": {"name": "gw"}}}}
REJECTION = "Gateway gw does not take HTTPRoute heart (NoMatch: no listener)"


def test_a_route_that_was_not_accepted() -> None:
    seen = decision(ROUTED, observed={"children": route()})
    message = f"Version 1 is reachable only inside the cluster: {REJECTION}"
    assert find_ready(seen) == Finding("False", "RouteNotAccepted", message)
    assert find_ready(decision(ROUTED, observed={"children": route(status="True")})).reason == "Serving"
    paused = decision(**ON_TRAFFIC | {"spec": STEPS | ROUTED, "observed": {"children": route()}})
    assert find_progressing(paused).message.endswith(f": waits 5m; {REJECTION}")


def test_a_named_version_is_not_missing_when_another_one_serves() -> None:
    """Ready says what serves when the named version was found and nothing was rejected."""
    assert find_ready(decision({"version": "1"})) == Finding("True", "Serving", "Version 1 serves")


def test_an_exposed_registry() -> None:
    exposed = PROFILE.model_copy(update={"tracking_uri": "http://mlflow:5000"})
    assert find_exposed_registry(decision(observed={"profile": exposed})) == Finding(
        "False",
        "RegistryExposed",
        "MLflow is reached over plain HTTP without credentials: whoever is on the network may read and replace models. "
        "An administrator mends it with https and a trackingSecret in the runtime profile",
    )
    assert find_exposed_registry(decision()) is None
    assert find_exposed_registry(decision(observed={"profile": None})) is None


# --- Progressing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "status"),
    [("Suspended", "Unknown"), ("RegistryUnavailable", "Unknown"), ("InvalidSpec", "False"), ("RegistryLost", "False")],
)
def test_progressing_names_the_obstacle(reason: str, status: Any) -> None:
    assert find_progressing(decision(obstacle=Obstacle(reason, "why"))) == Finding(status, reason, "why")


JOB_TEXT = "Job j trains; see kubectl logs job/j"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (decision(), Finding("True", "UpToDate", "Up to date")),
        (decision(training=trained("Running")), Finding("True", "TrainingStarted", JOB_TEXT)),
        (
            decision(training=trained("Running", reason="TrainingPending", message="no quota")),
            Finding("True", "TrainingPending", "no quota"),
        ),
        (
            decision(training=trained("Failed", wanted=True)),
            Finding("True", "TrainingStarted", "No version has been trained for this spec yet"),
        ),
        (
            decision(training=trained("Failed", reason="DataInvalid", message="no rows")),
            Finding("False", "DataInvalid", "no rows"),
        ),
        (
            decision(selection=Selection(V2), gate=GateReport("Failed", (), "h")),
            Finding("False", "GateFailed", "Version 2: no checks in spec.gates"),
        ),
        (
            decision(**NOTHING | {"selection": Selection(V1), "gate": GateReport("Failed", (), "h")}),
            Finding("False", "GateFailed", "Version 1: no checks in spec.gates"),
        ),
        (
            decision(selection=Selection(V2), rollout={"rejected": (rejected(),)}),
            Finding("False", "CanaryAnalysisFailed", "Version 2 was rejected: too slow"),
        ),
        (
            decision(selection=Selection(unknown="2"), gate=None),
            Finding("True", "Evaluating", "Version 2 was registered manually: a Job is evaluating it"),
        ),
        (
            decision(
                selection=Selection(unknown="2"),
                gate=None,
                evaluation=EvaluationPlan(training("Failed", version="2", reason="NotServable", message="no ONNX")),
            ),
            Finding("False", "NotServable", "Version 2: no ONNX"),
        ),
        (
            decision(selection=Selection(why="MLflow has no version 7"), gate=None),
            Finding("False", "VersionNotFound", "spec.version: MLflow has no version 7"),
        ),
    ],
)
def test_progressing(seen: Decision, expected: Finding) -> None:
    assert find_progressing(seen) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (
            on_traffic(rollout={"action": "Overdue", "why": "no pod is ready"}),
            Finding("False", "ReadyDeadlineExceeded", "Version 2 is still starting: no pod is ready"),
        ),
        (
            on_traffic(rollout={"progress": progress("Held")}),
            Finding(
                *("Unknown", "OnHold"),
                "Version 2 is at step 2 of 4 with 10% of the traffic (actual: 25%): waits 5m",
            ),
        ),
        (
            on_traffic(rollout={"progress": progress("AwaitingApproval", step=4)}),
            Finding(
                *("Unknown", "AwaitingApproval"),
                "Version 2 is past its steps with 10% of the traffic (actual: 25%): waits 5m",
            ),
        ),
        (
            on_traffic(rollout={"progress": progress("Scaling", step=3)}),
            Finding(
                *("True", "RollingOut"),
                "Version 2 is at step 4 of 4 with 10% of the traffic (actual: 25%): 1 of 3 pods are ready; waits 5m",
            ),
        ),
        (
            on_traffic(
                rollout={"progress": progress("Starting", step=0)}, candidate=deployment("2", 0, blocked=BLOCKED)
            ),
            Finding(
                *("True", "PodsPending"),
                "Version 2 is at step 1 of 4 with 10% of the traffic (actual: 25%):"
                " 0 of 3 pods are ready (Quota): exceeded quota. Ask for more",
            ),
        ),
        (
            on_traffic(rollout={"progress": None}),
            Finding("True", "RollingOut", "Version 2 is rolling out: 1 pods are ready"),
        ),
        (
            decision(
                STEPS, selection=Selection(V2), rollout={"candidate": V2, "action": "Start", "progress": progress()}
            ),
            Finding("True", "RollingOut", "Version 2 is rolling out: its pods are created"),
        ),
        (
            decision(STEPS, selection=Selection(V2), rollout={"candidate": V2, "action": "Hold", "why": "its gate"}),
            Finding("Unknown", "OnHold", "Version 2 is waiting for its gate"),
        ),
        (
            decision(
                STEPS,
                deployments=(deployment("2"),),
                selection=Selection(V2),
                rollout={"stable": None, "candidate": V2, "action": "Go", "progress": progress("Scaling")},
            ),
            Finding("True", "RollingOut", "Version 2 is rolling out: 1 of 0 pods are ready; waits 5m"),
        ),
    ],
)
def test_progress_of_a_candidate(seen: Decision, expected: Finding) -> None:
    assert find_progressing(seen) == expected


# --- Trained, GatePassed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (decision(), Finding("True", "TrainingSucceeded", "Version 1 was trained for this spec")),
        (decision(training=trained("Running")), Finding("Unknown", "TrainingStarted", JOB_TEXT)),
        (
            decision(training=trained("Running", reason="TrainingPending", message="no quota")),
            Finding("Unknown", "TrainingPending", "no quota"),
        ),
        (decision(training=trained("Running", reason="TrainingPending")), Finding("Unknown", "TrainingPending", "")),
        (
            decision(training=trained("Failed", reason="DataInvalid", message="no rows")),
            Finding("False", "DataInvalid", "no rows"),
        ),
        (decision(training=trained("Failed")), Finding("False", "TrainingFailed", "")),
        (
            decision(training=TrainingPlan(None, False)),
            Finding("Unknown", "NeverTrained", "No version has been trained for this spec yet"),
        ),
        (
            decision(training=trained("Succeeded", wanted=True)),
            Finding("Unknown", "NeverTrained", "No version has been trained for this spec yet"),
        ),
        (
            decision(training=replace(trained(wanted=True), delete=(ObjectKey("batch/v1", "Job", "j"),))),
            Finding("Unknown", "TrainingStarted", "The spec has changed: the active training is being replaced"),
        ),
        (
            decision(training=TrainingPlan(None, False), obstacle=Obstacle("Suspended", "why")),
            Finding("Unknown", "Suspended", "why"),
        ),
        (
            decision(training=replace(trained(wanted=True), wait=QuotaWait("trainingsPerHour", "one an hour"))),
            Finding("Unknown", "QuotaExceeded", "one an hour"),
        ),
    ],
)
def test_trained(seen: Decision, expected: Finding) -> None:
    assert find_trained(seen) == expected


def gate(verdict: Any, message: str = "roc_auc 0.9") -> GateReport:
    return GateReport(verdict, (CheckResult("roc_auc", verdict, message),), "h")


def unjudged(status: dict[str, Any] | None = None, **registry: Any) -> Finding:
    return find_gate_passed(decision(None, status, gate=None, observed={"registry": Registry(**registry)}))


def test_what_the_gate_said() -> None:
    passed = decision(gate=gate("Passed"))
    assert find_gate_passed(passed) == Finding("True", "GatePassed", f"Version 1: {gate('Passed').message}")
    failed = decision(gate=gate("Failed"))
    assert find_gate_passed(failed) == Finding("False", "GateFailed", f"Version 1: {gate('Failed').message}")
    held = gate("InsufficientEvidence")
    advice = f"Train on more data, change spec.gates (onInsufficientEvidence: Pass accepts it), or {RETRAIN}"
    assert find_gate_passed(decision(gate=held)) == Finding(
        "Unknown", "InsufficientEvidence", f"Version 1: {held.message}. {advice}"
    )
    nobody = decision(**NOTHING)
    assert find_gate_passed(nobody) == Finding("Unknown", "NoCandidate", "No version has been trained yet")


def test_a_gate_without_an_evaluation() -> None:
    ends = f". If this lasts, {RETRAIN}"
    assert unjudged() == Finding("Unknown", "EvaluationUnreadable", f"Version 1: its evaluation is missing{ends}")
    assert unjudged(evaluation_error="digests differ").message == f"Version 1: digests differ{ends}"
    assert unjudged(error="refused") == Finding(
        "Unknown", "RegistryUnavailable", "Version 1: cannot be evaluated until MLflow is available (refused)"
    )


def test_what_was_found_before_holds_for_the_same_version_and_spec() -> None:
    def before(**changes: Any) -> Finding:
        values = {"status": "True", "message": "Version 1: fine", "observed_generation": 3} | changes
        return unjudged({"conditions": [condition("GatePassed", "GatePassed", **values).dump()]})

    assert before() == Finding("True", "GatePassed", "Version 1: fine")
    assert before(status="False").status == "False"
    for change in ({"status": "Unknown"}, {"message": "Version 12: fine"}, {"observed_generation": 2}):
        assert before(**change).reason == "EvaluationUnreadable"


def test_a_version_that_failed_its_gate_before() -> None:
    model_gates = heart_model().spec.gates
    entry = rejected(V2, "GateFailed", gates_hash=gates_hash(model_gates), message="roc_auc 0.5")
    seen = decision(selection=Selection(V2), gate=None, rollout={"rejected": (entry,)})
    assert find_gate_passed(seen) == Finding("False", "GateFailed", "Version 2: roc_auc 0.5")
    other = decision(selection=Selection(V2), gate=None, rollout={"rejected": (rejected(),)})
    assert find_gate_passed(other).reason == "EvaluationUnreadable"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Finding("Unknown", "Evaluating", "Version 2 was registered manually: a Job is evaluating it")),
        (
            {"evaluation": EvaluationPlan(training("Running", version="2"))},
            Finding(
                *("Unknown", "Evaluating"),
                "Version 2 was registered manually: a Job is evaluating it; see kubectl logs job/j",
            ),
        ),
        (
            {"evaluation": EvaluationPlan(training("Running", version="2", reason="EvaluationPending", message="no"))},
            Finding("Unknown", "EvaluationPending", "Version 2: no"),
        ),
        (
            {"evaluation": EvaluationPlan(training("Failed", version="2", message="no ONNX"))},
            Finding("False", "TrainingFailed", "Version 2: no ONNX"),
        ),
        (
            {"evaluation": EvaluationPlan(training("Failed", version="3", reason="EvaluationPending", message="no"))},
            Finding(
                *("Unknown", "Evaluating"),
                "Version 2 was registered manually: a Job is evaluating it; see kubectl logs job/j",
            ),
        ),
        ({"obstacle": Obstacle("Suspended", "why")}, Finding("Unknown", "Suspended", "why")),
        (
            {"rollout": {"rejected": (rejected(Version("2", "")),)}},
            Finding("False", "CanaryAnalysisFailed", "Version 2: too slow"),
        ),
    ],
)
def test_a_version_that_was_registered_manually(changes: dict[str, Any], expected: Finding) -> None:
    assert find_gate_passed(decision(selection=Selection(unknown="2"), gate=None, **changes)) == expected


# --- RolloutSucceeded, MonitoringConfigured ------------------------------------------------------


def history(version: str = "1", reason: str = "RolledBack", **more: Any) -> dict[str, Any]:
    return {"version": version, "digest": "d", "from": written(NOW - HOUR), "reason": reason} | more


SERVING = {"version": "2", "digest": "sha256:2", "since": "2026-01-09T00:00:00Z"}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (decision(), Finding("True", "Promoted", "Version 1 was promoted")),
        (
            decision(selection=Selection(V2), gate=gate("Failed")),
            Finding("True", "Serving", "Version 1 is serving; no rollout is in progress"),
        ),
        (
            decision(selection=Selection(), gate=None),
            Finding("True", "Serving", "Version 1 is serving; no rollout is in progress"),
        ),
        (decision(**NOTHING), Finding("Unknown", "NoCandidate", "No version has been rolled out yet")),
        (
            decision(selection=Selection(V2), rollout={"rejected": (rejected(),)}),
            Finding(
                *("False", "CanaryAnalysisFailed"),
                "Version 2: too slow. `kubectl heart retry heart 2` retries it",
            ),
        ),
        (
            on_traffic(rollout={"action": "Overdue", "why": "no pod is ready"}),
            Finding(
                *("False", "ReadyDeadlineExceeded"),
                "Version 2: no pod is ready. The operator keeps retrying; changing spec.serving.resources or the"
                " runtime profile restarts it",
            ),
        ),
        (
            decision(None, {"history": [history()]}),
            Finding("True", "RolledBack", "Version 1 is serving again"),
        ),
        (
            decision(None, {"history": [history("2"), history(reason="Promoted")]}),
            Finding("True", "Promoted", "Version 1 was promoted"),
        ),
        (
            decision(None, {"history": [history(), history(reason="Promoted")]}),
            Finding("True", "Promoted", "Version 1 was promoted"),
        ),
        (
            decision(None, {"serving": SERVING, "history": [history("2", "Promoted")]}, rollout={"action": "Return"}),
            Finding("True", "RolledBack", "Version 1 is serving again"),
        ),
        (
            decision(None, {"history": [history()]}, rollout={"action": "Promote"}),
            Finding("True", "Promoted", "Version 1 was promoted"),
        ),
    ],
)
def test_rollout_succeeded(seen: Decision, expected: Finding) -> None:
    assert find_rollout_succeeded(seen) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (progress("Starting"), Finding("Unknown", "RollingOut", "Version 2 is rolling out")),
        (None, Finding("Unknown", "RollingOut", "Version 2 is rolling out")),
        (progress("AwaitingApproval", paused=True), Finding("Unknown", "AwaitingApproval", "Version 2: waits 5m")),
        (progress("Paused", paused=True), Finding("Unknown", "Paused", "Version 2: waits 5m")),
        (
            progress("Paused", step=3),
            Finding("Unknown", "RollingOut", "Version 2 is rolling out: step 4 of 4, 10% of the traffic"),
        ),
        (
            progress("Scaling", step=4),
            Finding("Unknown", "RollingOut", "Version 2 is rolling out: all steps are done, 10% of the traffic"),
        ),
    ],
)
def test_milestones_of_a_rollout(seen: CandidateStatus | None, expected: Finding) -> None:
    assert find_rollout_succeeded(on_traffic(rollout={"progress": seen})) == expected


def test_a_candidate_without_pods_is_no_rollout_yet() -> None:
    held = decision(STEPS, selection=Selection(V2), rollout={"candidate": V2, "action": "Hold"})
    assert find_rollout_succeeded(held).reason == "Serving"
    starts = decision(STEPS, selection=Selection(V2), rollout={"candidate": V2, "action": "Start"})
    assert find_rollout_succeeded(starts).reason == "RollingOut"


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (decision(), Finding("True", "MonitoringApplied", "ServiceMonitor and PrometheusRule are in place")),
        (
            decision({"monitoring": {"serviceMonitor": False}}, observed={"kinds": frozenset()}),
            Finding("False", "MonitoringDisabled", "spec.monitoring.serviceMonitor is false"),
        ),
        (
            decision(observed={"kinds": frozenset()}),
            Finding(
                *("False", "MonitoringUnavailable"),
                "The cluster has no PrometheusRule and ServiceMonitor: install the Prometheus Operator,"
                " or scrape /metrics another way",
            ),
        ),
        (
            decision(**NOTHING),
            Finding("Unknown", "NoServingVersion", "Monitoring is configured once a version is serving"),
        ),
    ],
)
def test_monitoring_configured(seen: Decision, expected: Finding) -> None:
    assert find_monitoring(seen) == expected


def test_a_transition_is_dated_when_the_status_changes() -> None:
    old = [condition("Ready", "Other", "True").dump(), condition("Available", "Other", "False").dump()]
    assert [entry.type for entry in build_conditions(decision())][-1] == "MonitoringConfigured", "it is at rest"
    found = {entry.type: entry for entry in build_conditions(decision(None, {"conditions": old}))}
    assert list(found) == [
        *("Ready", "Available", "Progressing", "Trained", "GatePassed", "RolloutSucceeded", "MonitoringConfigured"),
    ]
    assert found["Ready"] == condition("Ready", "Serving", "True", "Version 1 serves", observed_generation=3)
    assert found["Available"].last_transition_time == "2026-01-10T03:00:00Z"
    assert found["Trained"].last_transition_time == "2026-01-10T03:00:00Z"


def test_conditions_that_are_there_only_while_they_matter() -> None:
    exposed = PROFILE.model_copy(update={"tracking_uri": "http://mlflow:5000"})
    found = build_conditions(decision(training=trained("Running"), observed={"profile": exposed}))
    assert [(entry.type, entry.status, entry.reason) for entry in found[-2:]] == [
        ("RegistrySecured", "False", "RegistryExposed"),
        ("Reconciling", "True", "TrainingStarted"),
    ]


# --- facts ---------------------------------------------------------------------------------------


def test_the_facts_of_a_model_at_rest() -> None:
    facts = build_facts(
        decision(None, {"serving": SERVING | {"version": "1"}, "history": [history(reason="Promoted")]})
    )
    assert facts.serving
    assert facts.serving.dump() == {
        "version": "1",
        "digest": "sha256:1",
        "since": "2026-01-09T00:00:00Z",
        "replicas": 1,
        "readyReplicas": 1,
        "url": "http://heart.clinic.svc",
    }
    assert (facts.observed_generation, facts.desired_version, facts.replicas) == (3, "latest", 1)
    assert facts.selector == "heartops.dev/model=heart,heartops.dev/model-version=1"
    assert [entry.version for entry in facts.history] == ["1"]
    assert (facts.candidate, facts.previous, facts.rejected, facts.command, facts.drift) == (None, None, (), None, None)
    assert facts.training == training("Succeeded", version="1")


def test_the_facts_of_a_rollout() -> None:
    warm = PreviousStatus(version="0", digest="sha256:0", warm_until=written(NOW + HOUR))
    command = CommandStatus(id="c", action="pause", time=written(NOW))
    watched = PostPromotionStatus(time=written(NOW))
    evaluated = training("Running", version="3")
    seen = on_traffic(
        rollout={"previous": warm, "rejected": (rejected(),), "command": command, "post_promotion": watched}
    )
    facts = build_facts(replace(seen, evaluation=EvaluationPlan(evaluated), gate=gate("Passed")))
    assert facts.candidate == progress()
    assert (facts.previous, facts.rejected, facts.command) == (warm, (rejected(),), command)
    assert facts.evaluation == evaluated
    assert facts.gate == "Passed 1/1"
    assert facts.serving
    assert facts.serving.post_promotion_analysis == watched
    assert facts.serving.since == "2026-01-10T03:00:00Z"
    without = build_facts(on_traffic(rollout={"candidate": None}))
    assert without.candidate is None


def test_the_facts_of_a_model_with_tls_and_a_job() -> None:
    job = ObservedJob(name="train", uid="u", trigger="t", created=NOW, phase="Running")
    facts = build_facts(decision(deployments=(deployment(is_secure=True),), observed={"jobs": (job,)}))
    assert facts.serving
    assert facts.serving.url == "https://heart.clinic.svc"
    assert [entry.name for entry in facts.jobs] == ["train"]


def test_the_facts_before_a_first_version() -> None:
    facts = build_facts(
        decision(None, {"gate": "Failed roc_auc", "conditions": [condition("Ready", "x").dump()]}, **NOTHING)
    )
    assert (facts.serving, facts.replicas, facts.selector, facts.history) == (None, 0, None, ())
    assert facts.gate == "Failed roc_auc"
    assert facts.conditions == (condition("Ready", "x"),)
    lost = build_facts(decision(deployments=()))
    assert lost.serving
    assert (lost.serving.replicas, lost.serving.ready_replicas) == (0, 0)


def entries(facts: HeartModelStatus) -> list[tuple[str, str | None, str, str, str]]:
    return [(entry.version, entry.until, entry.reason, entry.by, entry.message) for entry in facts.history]


def test_a_new_serving_version_closes_the_entry_before() -> None:
    facts = build_facts(decision(None, {"serving": SERVING, "history": [history("2", "Promoted")]}))
    assert entries(facts) == [
        ("2", "2026-01-10T03:00:00Z", "Promoted", "heartops", ""),
        ("1", None, "Promoted", "heartops", ""),
    ]
    assert facts.history[-1] == HistoryEntry(
        version="1", digest="sha256:1", from_="2026-01-10T03:00:00Z", reason="Promoted"
    )
    ended = history("1", "Promoted", until=written(NOW - MINUTE))
    kept = build_facts(decision(None, {"serving": SERVING, "history": [ended, history("2", "Promoted")]}))
    assert [entry.version for entry in kept.history] == ["1", "2", "1"]
    facts = build_facts(decision(None, {"history": [ended]}))
    assert [entry.until for entry in facts.history] == [written(NOW - MINUTE), None]


def test_the_history_is_as_long_as_its_limit() -> None:
    old = [history(str(index), "Promoted", until=written(NOW - HOUR)) for index in range(5, 9)]
    facts = build_facts(decision({"rollout": {"historyLimit": 3}}, {"history": old}))
    assert [entry.version for entry in facts.history] == ["7", "8", "1"]


def command(action: str, version: str = "1", **more: Any) -> CommandStatus:
    values = {"id": "c", "action": action, "version": version, "by": "alice", "reason": "urgent", "time": written(NOW)}
    return CommandStatus.model_validate(values | more)


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        ({"action": "Promote"}, ("Promoted", "heartops", "")),
        ({"action": "Promote", "command": command("promote")}, ("Promoted", "alice", "urgent")),
        ({"action": "Promote", "command": command("promote-full", reason="")}, ("Promoted", "alice", "")),
        ({"action": "Promote", "command": command("promote", by="")}, ("Promoted", "a user", "urgent")),
        ({"action": "Promote", "command": command("promote", version="9")}, ("Promoted", "heartops", "")),
        ({"action": "Promote", "command": command("promote", done=False)}, ("Promoted", "heartops", "")),
        ({"action": "Promote", "command": command("pause")}, ("Promoted", "heartops", "")),
        ({"action": "Return"}, ("RolledBack", "heartops", "spec.version names it")),
        (
            {"action": "Return", "rejected": (rejected(),)},
            ("RolledBack", "heartops", "version 2: too slow"),
        ),
        (
            {"action": "Return", "rejected": (rejected(),), "command": command("rollback", "2")},
            ("RolledBack", "alice", "urgent"),
        ),
        (
            {"action": "Return", "rejected": (rejected(),), "command": command("rollback", "2", reason="")},
            ("RolledBack", "alice", "version 2: too slow"),
        ),
        (
            {"action": "Return", "rejected": (rejected(Version("9", "d")),), "command": command("rollback", "1")},
            ("RolledBack", "heartops", "spec.version names it"),
        ),
    ],
)
def test_why_a_version_serves(rollout: dict[str, Any], expected: tuple[str, str, str]) -> None:
    facts = build_facts(decision(None, {"serving": SERVING}, rollout=rollout))
    assert entries(facts)[-1][2:] == expected


def test_returning_to_a_newer_version_is_a_promotion() -> None:
    older = SERVING | {"version": "0"}
    facts = build_facts(decision(None, {"serving": older}, rollout={"action": "Return"}))
    assert entries(facts)[-1][2:] == ("Promoted", "heartops", "spec.version names it")


def test_drift_of_another_version_is_not_shown() -> None:
    found = {"time": written(NOW), "version": "1", "verdict": "Drift", "share": 0.5, "samples": 200}
    schedule = retrain_schedule({"drift": {}}, status={"lastDrift": found})
    facts = build_facts(decision(observed={"schedules": (schedule,)}))
    assert facts.drift
    assert facts.drift == latest_check(schedule, "1")
    assert facts.drift.dump() == {"verdict": "Drift", "share": 0.5, "time": written(NOW), "schedule": "nightly"}
    assert build_facts(decision(**NOTHING | {"observed": {"schedules": (schedule,)}})).drift is None


# --- events --------------------------------------------------------------------------------------


def events(old: tuple[ConditionStatus, ...], *new: ConditionStatus, **more: Any) -> tuple[Event, ...]:
    return build_events(HeartModelStatus(conditions=old), HeartModelStatus(conditions=new, **more))


def test_an_event_follows_a_change() -> None:
    promoted = condition("RolloutSucceeded", "Promoted", "True", "m")
    assert events((), promoted) == (Event("Normal", "Promoted", "m"),)
    assert events((promoted,), promoted) == ()
    assert events((promoted.model_copy(update={"status": "False"}),), promoted) != ()
    assert events((promoted.model_copy(update={"reason": "Paused"}),), promoted) != ()
    assert events((promoted.model_copy(update={"message": "before"}),), promoted) != ()
    assert events((), condition("RolloutSucceeded", "Serving", "True", "m")) == ()
    assert events((), condition("Available", "Promoted", "True", "m")) == ()


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (condition("RolloutSucceeded", "CanaryAnalysisFailed", "False"), "Warning"),
        (condition("GatePassed", "InsufficientEvidence", "Unknown"), "Warning"),
        (condition("GatePassed", "EvaluationUnreadable", "Unknown"), "Warning"),
        (condition("Progressing", "RegistryUnavailable", "Unknown"), "Warning"),
        (condition("Trained", "TrainingPending", "Unknown"), "Warning"),
        (condition("Trained", "DataInvalid", "False"), "Warning"),
        (condition("GatePassed", "Evaluating", "Unknown"), "Normal"),
        (condition("Trained", "TrainingSucceeded", "True"), "Normal"),
        (condition("Progressing", "Suspended", "Unknown"), "Normal"),
    ],
)
def test_warnings_are_what_needs_a_person(entry: ConditionStatus, kind: str) -> None:
    (found,) = events((), entry)
    assert (found.type, found.reason) == (kind, entry.reason)


def test_every_training_that_failed_is_announced_and_no_other_unknown_reason() -> None:
    assert events((), condition("Trained", "Strange", "Unknown")) == ()
    assert events((), condition("GatePassed", "Strange", "False")) == ()
    assert len(events((), condition("Trained", "Strange", "False"))) == 1


def test_passing_details_of_an_obstacle_repeat_no_event() -> None:
    outage = condition("Progressing", "RegistryUnavailable", "Unknown", "MLflow: refused")
    assert events((outage,), outage.model_copy(update={"message": "MLflow: timeout"})) == ()
    pending = condition("Ready", "PodsPending", "False", "1 of 2 pods (Quota): exceeded by 1. Ask")
    assert events((pending,), pending.model_copy(update={"message": "1 of 2 pods (Quota): exceeded by 2. Ask"})) == ()
    again = pending.model_copy(update={"message": "1 of 2 pods (Quota): exceeded (cpu): by 3"})
    assert events((pending,), again) == ()
    other = pending.model_copy(update={"message": "1 of 2 pods (Scheduling): no node. Add one"})
    assert len(events((pending,), other)) == 1
    quota = condition("Trained", "QuotaExceeded", "Unknown", "the next one may start at 3:00")
    assert events((quota,), quota.model_copy(update={"message": "the next one may start at 4:00"})) == ()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"result": "paused"},
            Event("Normal", "CommandExecuted", "alice requested pause of version 1 (urgent): paused"),
        ),
        (
            {"version": "", "reason": "", "by": "", "result": "no rollout", "done": False},
            Event("Warning", "CommandFailed", "A user requested pause: no rollout"),
        ),
    ],
)
def test_a_command_is_announced_once_and_first(given: dict[str, Any], expected: Event) -> None:
    promoted = condition("RolloutSucceeded", "Promoted", "True", "m")
    found = events((), promoted, command=command("pause", **given))
    assert found == (expected, Event("Normal", "Promoted", "m"))
    assert events((), command=command("pause", announced=True)) == ()


# --- requeue -------------------------------------------------------------------------------------


def again(seen: Decision) -> float | None:
    return requeue_after(seen, seen.observed.model.status)


def test_a_model_at_rest_is_not_reconciled_by_time() -> None:
    assert again(decision()) is None
    later = decision(rollout={"deadline": NOW + MINUTE})
    assert again(later) == 60
    assert again(replace(later, observed=decision({"suspend": True}).observed)) is None


@pytest.mark.parametrize(
    ("deadline", "seconds"), [(timedelta(0), LEAST_SECONDS), (SECOND, 1.0), (-HOUR, LEAST_SECONDS)]
)
def test_no_two_reconciles_follow_each_other_at_once(deadline: timedelta, seconds: float) -> None:
    assert again(decision(rollout={"deadline": NOW + deadline})) == seconds


def test_the_nearest_moment_counts() -> None:
    warm = PreviousStatus(version="0", digest="d", warm_until=written(NOW + 2 * MINUTE))
    assert again(decision(rollout={"previous": warm})) == 120
    assert again(decision(rollout={"previous": warm, "deadline": NOW + MINUTE})) == 60
    candidate = progress(analysis={"time": written(NOW - 10 * SECOND)}).dump()
    spec = {"rollout": {"analysis": {"interval": "40s"}}}
    assert again(decision(spec, {"candidate": candidate})) == 30


def test_the_next_analysis_is_that_of_the_candidate_to_be() -> None:
    """The status that is about to be written counts, not the one that was read."""
    spec = {"rollout": {"analysis": {"interval": "40s"}}}
    facts = HeartModelStatus(candidate=progress(analysis={"time": written(NOW - 10 * SECOND)}))
    assert requeue_after(decision(spec), facts) == 30


@pytest.mark.parametrize(("older", "seconds"), [(0, 60.0), (20, 62.0), (10_000, 120.0)])
def test_models_that_wait_for_one_moment_take_turns(older: int, seconds: float) -> None:
    wait = QuotaWait("trainingsPerHour", "one an hour", until=NOW + MINUTE)
    plan, usage = replace(trained(wanted=True), wait=wait), Usage(older=older)
    assert again(decision(training=plan, observed={"usage": usage})) == pytest.approx(seconds)
    for_good = replace(plan, wait=replace(wait, until=None))
    assert again(decision(training=for_good, observed={"usage": usage})) is None


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({"obstacle": Obstacle("RegistryUnavailable", "")}, True),
        ({"obstacle": Obstacle("RegistryLost", "")}, True),
        ({"obstacle": Obstacle("RegistryNameTaken", "")}, True),
        ({"obstacle": Obstacle("InvalidSpec", "")}, False),
        ({"gate": None}, True),
        ({"gate": None, "selection": Selection()}, False),
        ({"rollout": {"candidate": V2, "action": "Hold"}}, True),
        ({"rollout": {"candidate": V2, "action": "Go"}}, False),
        ({"rollout": {"action": "Hold"}}, False),
        ({"training": trained("Failed", finishedAt=written(NOW - timedelta(seconds=29)))}, True),
        ({"training": trained("Failed", finishedAt=written(NOW - timedelta(seconds=30)))}, False),
        ({"training": trained("Failed")}, False),
        ({"training": trained("Succeeded", finishedAt=written(NOW))}, False),
        ({"training": TrainingPlan(None, False)}, False),
        ({"evaluation": EvaluationPlan(training("Failed", finishedAt=written(NOW)))}, True),
    ],
)
def test_when_the_registry_is_read_again(changes: dict[str, Any], needed: bool) -> None:
    assert again(decision(**changes)) == (POLL_SECONDS if needed else None)
    assert POLL_SECONDS == 30


def job(created: datetime, phase: Any = "Running", *, waiting: bool = True) -> ObservedJob[Any, Any]:
    return ObservedJob("j", "u", "t", created, phase, waiting=waiting)


@pytest.mark.parametrize(
    ("observed", "seconds"),
    [
        ({"jobs": (job(NOW),)}, 5),
        ({"evaluations": (job(NOW - 3 * MINUTE),)}, 30),
        ({"jobs": (job(NOW, waiting=False),)}, None),
        ({"jobs": (job(NOW, "Failed"),)}, None),
    ],
)
def test_a_job_without_a_pod_is_observed_again(observed: dict[str, Any], seconds: float | None) -> None:
    assert again(decision(observed=observed)) == seconds


@pytest.mark.parametrize(
    ("status", "created", "seconds"),
    [
        ({}, NOW, 5),
        ({}, NOW - 3 * MINUTE, 5),
        ({"conditions": [condition("Ready", "x", since=written(NOW - HOUR)).dump()]}, NOW - MINUTE, 5),
        ({"conditions": [condition("Ready", "x", since=written(NOW - HOUR)).dump()]}, NOW - 3 * MINUTE, 30),
        ({"conditions": [condition("Ready", "x", since=written(NOW - MINUTE)).dump()]}, NOW - 3 * MINUTE, 5),
        ({"conditions": [condition("Available", "x", since=written(NOW - HOUR)).dump()]}, NOW - HOUR, 5),
    ],
)
def test_pods_that_are_not_ready_are_observed_again(status: dict[str, Any], created: datetime, seconds: float) -> None:
    seen = (deployment(ready=1, replicas=2, created=created), deployment("9", 0, 2, created=NOW))
    assert again(decision(None, status, deployments=seen)) == seconds
    assert again(decision(None, status, deployments=(deployment(ready=2, replicas=2, created=created),))) is None
