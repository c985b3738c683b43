"""RetrainSchedules on a real API server: what a person sees at the next tick."""

import pytest

from heart_api.drift import CheckOutcome, CheckRequest, CheckResult
from heart_api.driftstatus import DriftStatus, FeatureFinding
from heart_api.kube.kinds import JOB, RETRAIN_SCHEDULE
from tests.support.apiserver.client import poll
from tests.support.apiserver.world import Resource, World

pytestmark = pytest.mark.api

EVERY_MINUTE = "* * * * *"


def drift(request: CheckRequest) -> CheckOutcome:
    """Version 1 has drifted, its successor has not."""
    verdict = "Drift" if request.serving.version == "1" else "NoDrift"
    age = FeatureFinding(name="age", statistic="ks", value=0.4, p_value=1e-9, drifted=verdict == "Drift")
    found = DriftStatus(
        time=request.until,
        version=request.serving.version,
        verdict=verdict,
        share=0.5 if verdict == "Drift" else 0,
        samples=200,
        features=(age,),
        message="1 of 2 features moved away" if verdict == "Drift" else "No feature has moved away",
    )
    return CheckOutcome(result=CheckResult(drift=found))


def run(world: World, schedule: str, phase: str) -> Resource | None:
    """The oldest run when it is in this phase."""
    runs = world.schedule_status(schedule).get("runs") or [{}]
    return runs[-1] if runs[-1].get("phase") == phase else None


def test_a_scheduled_time_and_a_finding_train_once_and_their_versions_take_over(world: World, kubectl) -> None:
    world.kubelet.check = drift
    with world.start() as operator:
        world.create("heart")
        world.create("lungs")
        world.wait_serving("1", "heart")
        world.wait_serving("1", "lungs")
        world.create_schedule("nightly", "heart", schedule=EVERY_MINUTE)
        world.create_schedule("watchful", "lungs", drift={"schedule": EVERY_MINUTE})
        succeeded = poll("the tick's run", lambda: run(world, "nightly", "Succeeded"), 90)
        suspend(world, "nightly")
        assert (succeeded["cause"], succeeded["version"], succeeded["gate"]) == ("Schedule", "2", "GatePassed")
        world.wait_serving("2", "heart")

        found = poll("the finding's run", lambda: run(world, "watchful", "Succeeded"), 90)
        assert (found["cause"], found["version"]) == ("Drift", "2")
        poll("a quiet look", lambda: verdict(world, "watchful") == "NoDrift", 90)
        suspend(world, "watchful")
        poll("the model's Drift column", lambda: drift_column(kubectl, world) == {"heart": "", "lungs": "NoDrift"}, 30)
        assert len(world.schedule_status("watchful")["runs"]) == 1

        shown = kubectl("-n", world.namespace, "get", "rts", "-o", "wide").stdout
        assert "MODEL" in shown
        assert "Succeeded" in shown
        for reason in ("DriftDetected", "RetrainRequested", "RetrainingCompleted"):
            world.wait_event(reason, "watchful")
        reasons = world.event_reasons("watchful")
        assert sorted(reasons) == sorted(set(reasons)), "an event was written twice"
        labels = f'model="lungs",namespace="{world.namespace}",schedule="watchful"'
        assert operator.metric(f"heartops_drift_detected{{{labels}}}") == 0
        assert operator.metric(f"heartops_retraining_failed{{{labels}}}") == 0
        labels = f'model="lungs",namespace="{world.namespace}"'
        operator.wait_metric(f'heartops_trainings_total{{{labels},result="succeeded",trigger="drift"}}', 1)
        assert operator.metric("heartops_reconcile_errors_total") == 0
    assert world.audit.forbidden() == []


def suspend(world: World, name: str) -> None:

    world.api.patch(RETRAIN_SCHEDULE, world.namespace, name, {"spec": {"suspend": True}})


def drift_column(kubectl, world: World) -> dict[str, str]:
    """By model, as `kubectl get` shows it: a column is as wide as its head and what it holds."""
    head, *rows = kubectl("-n", world.namespace, "get", "hm").stdout.splitlines()
    start, end = head.index("DRIFT"), head.index("URL")
    return {row.split()[0]: row[start:end].strip() for row in rows}


def verdict(world: World, name: str) -> str:
    return world.schedule_status(name).get("lastDrift", {}).get("verdict", "")


def test_a_schedule_without_a_model_says_so_and_its_jobs_go_with_it(world: World) -> None:
    with world.start():
        world.create_schedule("lonely", "nobody", schedule="0 3 * * 0")
        conditions = poll("conditions", lambda: world.schedule_status("lonely").get("conditions"))
        ready = next(entry for entry in conditions if entry["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "ModelNotFound")
        assert world.schedule_status("lonely")["nextScheduleTime"].endswith("03:00:00Z")
        assert world.api.list(JOB, world.namespace) == []
