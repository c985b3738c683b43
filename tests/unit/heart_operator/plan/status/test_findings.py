"""Each condition's content by itself: status, reason and the words that a person reads."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.heartmodel import (
    CandidateStatus,
)
from heart_api.kube.values import ObjectKey
from heart_api.times import written
from heart_operator.plan.decision import Decision
from heart_operator.plan.federation.sites import SiteWait
from heart_operator.plan.gates.verdict import GateReport, gates_hash
from heart_operator.plan.observed import Registry
from heart_operator.plan.obstacles import Obstacle
from heart_operator.plan.quota import QuotaWait
from heart_operator.plan.selection.evaluation_job import EvaluationPlan
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.status.condition import Finding
from heart_operator.plan.status.conditions import build_conditions
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
from heart_operator.plan.training.training import TrainingPlan
from heart_operator.plan.versions import Version
from tests.support.plan.decisions import (
    BLOCKED,
    NOTHING,
    NOW,
    ON_TRAFFIC,
    RETRAIN,
    SERVING,
    STEPS,
    V1,
    V2,
    condition,
    decision,
    deployment,
    gate,
    history,
    on_traffic,
    progress,
    rejected,
    trained,
    training,
)
from tests.support.plan.world import PROFILE, heart_model

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
        (
            decision({"version": 1}, training=replace(trained("Failed"), pinned=True)),
            Finding(
                *("Unknown", "VersionPinned"),
                "spec.version names version 1: nothing is trained for this spec. `kubectl heart retrain heart` trains"
                " without serving, `latest` or an alias trains and serves",
            ),
        ),
    ],
)
def test_trained(seen: Decision, expected: Finding) -> None:
    assert find_trained(seen) == expected


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


# --- sites, experiments --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "trained_status", "progressing"),
    [("WaitingForSites", "Unknown", "True"), ("SiteMissing", "False", "False")],
)
def test_a_training_that_its_sites_hold_up(reason: str, trained_status: Any, progressing: Any) -> None:
    held = decision(training=TrainingPlan(None, True, site_wait=SiteWait(reason, "north/ward is missing")))
    assert find_trained(held) == Finding(trained_status, reason, "north/ward is missing")
    assert find_progressing(held) == Finding(progressing, reason, "north/ward is missing")


EXPERIMENT = {
    "rollout": {
        "experiment": {
            "metric": "Accuracy",
            "by": {"header": "X-User"},
            "split": 30,
            "duration": "7d",
            "minDetectable": 0.05,
        }
    }
}


@pytest.mark.parametrize(("status", "verdict"), [(None, "Running"), ("NoDifference", "NoDifference")])
def test_an_experiment_says_what_is_compared_and_what_is_known(status: Any, verdict: str) -> None:
    result = {"experiment": {"since": written(NOW), "verdict": status}} if status else {}
    rollout = {"progress": progress("Experimenting", **result)}
    found = find_rollout_succeeded(
        decision(**(ON_TRAFFIC | {"spec": EXPERIMENT, "rollout": ON_TRAFFIC["rollout"] | rollout}))
    )
    assert found == Finding(
        "Unknown", "Experimenting", f"Version 2 is in an experiment (30% of the users, Accuracy): {verdict}"
    )
