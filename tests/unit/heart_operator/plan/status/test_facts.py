"""The facts of the status: what serves, what is rolled out, and what served before."""

from dataclasses import replace
from typing import Any

import pytest

from heart_api.checks import CheckStatus
from heart_api.heartmodel import (
    CommandStatus,
    HeartModelStatus,
    HistoryEntry,
    PreviousStatus,
)
from heart_api.status import PostPromotionStatus
from heart_api.times import written
from heart_operator.plan.check import CheckPlan
from heart_operator.plan.observed import ObservedJob
from heart_operator.plan.selection.evaluation_job import EvaluationPlan
from heart_operator.plan.status.drift import latest_check
from heart_operator.plan.status.facts import build_facts
from heart_operator.plan.versions import Version
from tests.support.plan.decisions import (
    HOUR,
    MINUTE,
    NOTHING,
    NOW,
    SERVING,
    command,
    condition,
    decision,
    deployment,
    gate,
    history,
    on_traffic,
    progress,
    rejected,
    training,
)
from tests.support.plan.federated import SITES, federated_world
from tests.support.plan.schedules import retrain_schedule


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


def test_what_was_asked_for_from_outside_stays_recorded() -> None:
    requests = {"retrain": {"id": "r1", "by": "alice"}}
    seen = decision(None, {"requests": requests})
    check = CheckStatus(id="c1", since="2026-01-01T00:00:00Z", until="2026-01-02T00:00:00Z", phase="Running")
    facts = build_facts(replace(seen, check=CheckPlan(check)))
    assert facts.requests == seen.observed.model.status.requests
    assert facts.check == check
    assert build_facts(seen).sites is None


def test_sites_are_listed_before_any_training() -> None:
    seen = federated_world(checked=False).observe()
    facts = build_facts(decision(observed={"model": seen.model, "sites": seen.sites}))
    assert [(entry.site, entry.state) for entry in facts.sites or ()] == [(name, "Checking") for name in sorted(SITES)]
