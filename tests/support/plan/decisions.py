"""Decisions about a model at rest and parts of them, for tests of what is reported."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from heart_api.heartmodel import (
    CandidateStatus,
    CommandStatus,
    ConditionStatus,
    RejectedStatus,
    TrainingStatus,
)
from heart_api.kube.values import Blocked, VersionDeployment
from heart_api.times import read, written
from heart_operator.plan.decision import Decision
from heart_operator.plan.gates.checks import CheckResult
from heart_operator.plan.gates.verdict import GateReport
from heart_operator.plan.observed import Observed, Registry
from heart_operator.plan.rollout.result import RolloutPlan
from heart_operator.plan.selection.evaluation_job import EvaluationPlan
from heart_operator.plan.selection.selection import Selection
from heart_operator.plan.training.training import TrainingPlan
from heart_operator.plan.versions import Version
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


def gate(verdict: Any, message: str = "roc_auc 0.9") -> GateReport:
    return GateReport(verdict, (CheckResult("roc_auc", verdict, message),), "h")


def history(version: str = "1", reason: str = "RolledBack", **more: Any) -> dict[str, Any]:
    return {"version": version, "digest": "d", "from": written(NOW - HOUR), "reason": reason} | more


SERVING = {"version": "2", "digest": "sha256:2", "since": "2026-01-09T00:00:00Z"}


def command(action: str, version: str = "1", **more: Any) -> CommandStatus:
    values = {"id": "c", "action": action, "version": version, "by": "alice", "reason": "urgent", "time": written(NOW)}
    return CommandStatus.model_validate(values | more)
