"""States of a model that a person may find, as the cluster holds them."""

from datetime import UTC, datetime
from typing import Any

from heart_api.commands import Command
from heart_cli.view import View, build_view
from tests.support.apiserver.heart_objects import (
    Object,
    candidate,
    condition,
    deployment,
    event,
    heart_model,
    pod,
    previous,
    rejected,
    retrain_schedule,
    served,
    serving,
    sha,
)

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
STEPS = {
    "rollout": {
        "steps": [{"setWeight": 10}, {"pause": {"duration": "5m"}}, {"setWeight": 50}, {"pause": {}}],
    }
}
READY = condition("Ready", "True", "Serving", "Version 6 serves")
GATED = condition("GatePassed", "True", "GatePassed", "Version 7: roc_auc 0.91 (0.88 to 0.94) ≥ 0.80")
TRAINED = {
    "job": "heart-train-1a2b3c4d",
    "trigger": "t",
    "phase": "Succeeded",
    "version": "7",
    "startedAt": "2026-11-21T07:40:00Z",
    "finishedAt": "2026-11-21T07:55:00Z",
}
OLD_PODS = (pod("6", "abcde"), pod("6", "fghij", restarts=2))
ANALYSIS = {
    "time": "2026-11-21T07:59:50Z",
    "intervals": 7,
    "consecutiveFailures": 0,
    "verdict": "Inconclusive",
    "message": "89 of 100 requests so far",
    "stable": {"requests": 804, "errors": 3, "invalid": 12},
    "candidate": {"requests": 89, "errors": 0, "invalid": 1},
}


def healthy() -> View:
    status = {
        "conditions": [READY, condition("GatePassed", "True", "GatePassed", "Version 6: roc_auc 0.90 ≥ 0.80")],
        "serving": serving(),
        "previous": previous(),
        "training": TRAINED | {"version": "6"},
        "history": [
            served("5", "2026-11-10T08:00:00Z", "2026-11-18T04:00:00Z"),
            served("6", "2026-11-18T04:00:00Z", reason="Approved", by="alice", message="checked with cardiology"),
        ],
    }
    return build_view(heart_model(status), [deployment("6"), deployment("5")], OLD_PODS)


def pinned() -> View:
    """The spec has changed since, and nothing is trained for it."""
    message = "spec.version names version 6: nothing is trained for this spec"
    conditions = [READY, condition("Trained", "Unknown", "VersionPinned", message)]
    status = {"conditions": conditions, "serving": serving(), "training": TRAINED | {"version": "6"}}
    held = condition("Ready", "True", "VersionPinned", "spec.version of HeartModel heart names version 6")
    schedules = [retrain_schedule({"conditions": [held], "nextCheckTime": "2026-11-21T12:00:00Z"})]
    return build_view(heart_model(status, {"version": 6}), [deployment("6")], OLD_PODS, schedules=schedules)


def at_a_step() -> View:
    """A canary in its first pause, with traffic."""
    return build_view(
        heart_model(canary(analysis=ANALYSIS), STEPS), [deployment("6"), deployment("7", 1)], canary_pods()
    )


def canary(**changes: Any) -> Object:
    found = candidate(step=1, stepSince="2026-11-21T07:57:40Z", weight=10, actualWeight=33)
    found |= {"phase": "Paused", "phaseSince": "2026-11-21T07:57:40Z", "message": "paused for 5m"}
    found |= changes
    rolling = "Version 7 is rolling out: step 2 of 4, 10% of the traffic"
    return {
        "conditions": [
            condition("Ready", "False", found["phase"], f"Version 7 is at step 2 of 4: {found['message']}"),
            condition("Progressing", "True", found["phase"], f"Version 7 is at step 2 of 4: {found['message']}"),
            condition("RolloutSucceeded", "Unknown", "RollingOut", rolling),
            GATED,
        ],
        "serving": serving(),
        "candidate": found,
        "training": TRAINED,
        "history": [served("6", "2026-11-18T04:00:00Z")],
    }


def canary_pods() -> tuple[Object, ...]:
    return (*OLD_PODS, pod("7", "kmnop"))


def first_version() -> View:
    """Its pods start, and no version is serving yet."""
    words = "Version 1 is rolling out: its pods are created"
    status = {
        "conditions": [
            condition("Ready", "False", "RollingOut", f"No version is serving yet. {words}"),
            condition("RolloutSucceeded", "Unknown", "RollingOut", words),
        ],
        "candidate": candidate("1", since="2026-11-21T07:59:50Z", message="its pods are starting"),
        "training": TRAINED | {"version": "1"},
    }
    return build_view(heart_model(status), [deployment("1", ready=0)], [pod("1", "abcde", ready=False)])


def paused() -> View:
    """By a person, who said why; and somebody has asked for more, which the operator has not seen yet."""
    words = "paused by a user; `kubectl heart resume` resumes the rollout"
    status = canary(paused=True, message=words, mirror={"compared": 40, "different": 2, "maxDifference": 0.0312})
    status["command"] = {
        "id": "20261121T075900Z-1a2b",
        "action": "pause",
        "version": "7",
        "by": "alice",
        "reason": "wait for the morning round",
        "time": "2026-11-21T07:59:01Z",
        "result": "paused",
    }
    asked = Command(action="abort", version="7", digest=sha("7"), id="20261121T075959Z-3f2a", by="bob").annotations()
    return build_view(heart_model(status, STEPS, asked), [deployment("6"), deployment("7", 1)], canary_pods())


def in_an_experiment() -> View:
    """Two groups of users, and no winner yet."""
    stable = {"count": 900, "total": 720, "squares": 720, "mean": 0.8, "low": 0.757, "high": 0.843}
    its = {"count": 870, "total": 720, "squares": 720, "mean": 0.8276, "low": 0.7861, "high": 0.8691}
    bounds = {"difference": 0.0276, "low": -0.0301, "high": 0.0853}
    found = {"since": "2026-11-20T08:00:00Z", "stable": stable, "candidate": its, "verdict": "Running", **bounds}
    words = "experiment (Accuracy): the candidate has 82.76% of 870, the stable version 80.00% of 900: not decided yet"
    status = canary(phase="Experimenting", message=words, analysis=ANALYSIS, experiment=found, weight=50)
    experiment = {"duration": "14d", "by": {"header": "X-User-Id"}, "minDetectable": 0.02}
    spec = {"rollout": {"experiment": experiment}}
    return build_view(heart_model(status, spec), [deployment("6"), deployment("7", 1)], canary_pods())


def waiting_for_approval() -> View:
    words = "waiting for approval; `kubectl heart promote` approves it"
    status = canary(step=4, weight=50, actualWeight=50, phase="AwaitingApproval", message=words)
    spec = STEPS | {"approval": "Manual"}
    return build_view(heart_model(status, spec), [deployment("6"), deployment("7")], canary_pods())


def starting() -> View:
    """Pods that do not come up."""
    words = "its pods are starting (CrashLoopBackOff in server: the self-check failed)"
    status = canary(step=0, stepSince=None, weight=10, actualWeight=0, phase="Starting", message=words)
    broken = {"reason": "CrashLoopBackOff", "message": "the self-check failed"}
    pods = (*OLD_PODS, pod("7", "kmnop", ready=False, restarts=3, waiting=broken))
    return build_view(heart_model(status, STEPS), [deployment("6"), deployment("7", 1, 0)], pods)


def rejected_versions() -> View:
    """Rolled back by the analysis; gates had rejected others before."""
    words = "5xx in 6.1% of 98 requests, 0.4% of 820 for version 6 (3 consecutive failures)"
    entries = [
        rejected("2", "GateFailed", "roc_auc 0.71 < 0.80", "2026-11-01T08:00:00Z"),
        rejected("3", "GateFailed", "brier 0.19 > 0.16", "2026-11-02T08:00:00Z"),
        rejected("4", "ReadyDeadlineExceeded", "0 of 2 pods were ready 60s after their start", "2026-11-03T08:00:00Z"),
        rejected("7", "CanaryAnalysisFailed", words),
    ]
    status = {
        "conditions": [
            READY,
            condition("Progressing", "False", "CanaryAnalysisFailed", f"Version 7 was rejected: {words}"),
            condition("RolloutSucceeded", "False", "CanaryAnalysisFailed", f"Version 7: {words}"),
            GATED,
        ],
        "serving": serving(),
        "rejected": entries,
        "training": TRAINED,
        "history": [served("6", "2026-11-18T04:00:00Z")],
    }
    events = [
        event("RollingOut", "Version 7 is rolling out", "2026-11-21T07:56:30Z"),
        event("CanaryAnalysisFailed", f"Version 7: {words}", "2026-11-21T07:58:00Z", "Warning"),
    ]
    return build_view(heart_model(status), [deployment("6")], OLD_PODS, events)


def suspended() -> View:
    words = "Reconciliation is suspended; set spec.suspend to false to resume"
    status = {
        "conditions": [
            condition("Ready", "True", "Suspended", words),
            condition("Progressing", "Unknown", "Suspended", words),
        ],
        "serving": serving(),
        "previous": previous(),
    }
    return build_view(heart_model(status, {"suspend": True}), [deployment("6")], OLD_PODS)


def nothing_serves() -> View:
    """The first training failed."""
    words = "The file has no column thal: add it, or take it out of spec.features"
    status = {
        "conditions": [
            condition("Ready", "False", "DataInvalid", f"No version is serving yet. {words}"),
            condition("Available", "False", "NoServingVersion", "No pod is ready; the condition Ready says why"),
            condition("Progressing", "False", "DataInvalid", words),
            condition("Trained", "False", "DataInvalid", words),
            condition("GatePassed", "Unknown", "NoCandidate", "No version has been trained yet"),
        ],
        "training": {
            "job": "heart-train-1a2b3c4d",
            "trigger": "t",
            "phase": "Failed",
            "finishedAt": "2026-11-21T07:59:15Z",
            "reason": "DataInvalid",
            "message": words,
        },
    }
    return build_view(heart_model(status))


def registry_down() -> View:
    words = (
        "MLflow is unavailable (connection refused); the stable version continues to serve; everything else"
        " waits until MLflow is available again"
    )
    status = canary(phase="Held", message=words)
    status["conditions"] = [READY, condition("Progressing", "Unknown", "RegistryUnavailable", words), GATED]
    return build_view(heart_model(status, STEPS), [deployment("6"), deployment("7", 1)], canary_pods())


def retrained() -> View:
    """Drift was found, and the version that it asked for is on its way; another model has a schedule, too."""
    features = [
        {"name": "oldpeak", "statistic": "ks", "value": 0.31, "pValue": 1e-6, "drifted": True, "confirmed": True},
        {"name": "age", "statistic": "ks", "value": 0.04, "pValue": 0.7, "drifted": False},
    ]
    drift = {"time": "2026-11-21T06:00:00Z", "version": "6", "verdict": "Drift", "samples": 4120, "features": features}
    quality = {"time": "2026-11-21T06:00:00Z", "version": "6", "verdict": "Uncertain", "metric": "accuracy"}
    quality |= {"source": "Feedback", "value": 0.741, "low": 0.69, "high": 0.787, "samples": 301}
    run = {"id": "d-1", "cause": "Drift", "time": "2026-11-21T06:00:00Z", "requestedAt": "2026-11-21T06:00:10Z"}
    run |= {"phase": "RollingOut", "version": "7", "rollout": "Candidate, 10% of the traffic"}
    status = {
        "nextScheduleTime": "2026-11-22T03:00:00Z",
        "nextCheckTime": "2026-11-21T12:00:00Z",
        "lastDrift": drift,
        "lastPerformance": quality,
        "runs": [run | {"message": "paused for 5m"}],
    }
    schedules = [
        retrain_schedule(status),
        retrain_schedule({}, "by-hand", suspend=True),
        retrain_schedule({}, "other", model="another"),
    ]
    living = heart_model(canary(analysis=ANALYSIS), STEPS)
    return build_view(living, [deployment("6"), deployment("7", 1)], canary_pods(), schedules=schedules)


def new() -> View:
    """Nobody has looked at it yet."""
    return build_view(heart_model())


def federated() -> View:
    """A training at three sites, one of which was lost."""
    consents = [
        {"site": "north/ward", "state": "Ready", "rows": 1200},
        {
            "site": "south/ward",
            "state": "Rejected",
            "message": "the data holder has suspended FederationSite south/ward",
        },
        {"site": "west/ward", "state": "Checking", "message": "the data of FederationSite west/ward are being checked"},
    ]
    seen = {"exchanges": 8, "lastSeen": "2026-11-21T07:54:00Z"}
    parts = [
        {"site": "east/ward", "state": "Completed", **seen},
        {"site": "north/ward", "state": "Completed", "rows": 1200, **seen},
        {"site": "south/ward", "state": "Offline", "exchanges": 1, "message": "no heartbeat"},
    ]
    status = {"serving": serving(), "sites": consents, "training": TRAINED | {"sites": parts}, "conditions": [READY]}
    return build_view(heart_model(status))


CASES = {
    case.__name__: case
    for case in (
        healthy,
        pinned,
        at_a_step,
        first_version,
        paused,
        in_an_experiment,
        waiting_for_approval,
        starting,
        rejected_versions,
        suspended,
        nothing_serves,
        registry_down,
        retrained,
        federated,
        new,
    )
}
