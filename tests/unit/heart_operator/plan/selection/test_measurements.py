"""What is left of a measurement: the record, its Job, a Deployment, a tag; and which of them counts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from heart_api.handover import TrainingFailure, TrainingResult
from heart_api.heartmodel import HeartModelStatus, RejectedStatus, TrainingStatus
from heart_api.kube.values import Blocked, VersionDeployment
from heart_api.names import Reason, evaluation_job_name
from heart_api.times import written
from heart_operator.plan.observed import Observed, ObservedJob, RegisteredVersion, Registry, TrainingJob
from heart_operator.plan.selection.evaluation_job import plan_evaluation
from heart_operator.plan.selection.measurements import (
    AGAIN,
    TAG,
    find_record,
    of_job,
    question,
    tagged,
    without_outdated,
)
from tests.support.plan.world import MONITORING, PROFILE, START, heart_model, sha

END = START + timedelta(minutes=1)
EIGHT = RegisteredVersion("8", "somebodys-run", "", "")
RESULT = TrainingResult(version="8", run_id="run-e", artifact_sha256=sha("8"), evaluation_sha256=sha("e8"))
UNSERVABLE = TrainingFailure(reason="NotServable", message="it has no model.onnx")


def observed(*deployments: VersionDeployment, registered: RegisteredVersion = EIGHT, **status: Any) -> Observed:
    model = heart_model(status=HeartModelStatus(**status))
    registry = Registry(versions={registered.version: registered})
    return Observed(model, PROFILE, ("default",), (), deployments, {}, registry, MONITORING)


ASKED = question(observed(), EIGHT)


def job(phase: Any = "Succeeded", trigger: str = ASKED, **more: Any) -> TrainingJob:
    given = {"finished": None if phase == "Running" else END, "result": RESULT if phase == "Succeeded" else None}
    return ObservedJob("measure", "u", trigger, START, phase, **(given | more))


def record(phase: Any, trigger: str = ASKED, **more: Any) -> TrainingStatus:
    return TrainingStatus(job="measure", trigger=trigger, phase=phase, version="8", **more)


def found(
    *jobs: TrainingJob, known: TrainingStatus | None = None, seen: Observed | None = None
) -> TrainingStatus | None:
    return find_record(seen or observed(), jobs, known, EIGHT)


# --- a Job ---------------------------------------------------------------------------------------


def test_a_job_that_measured() -> None:
    assert of_job(job()) == record("Succeeded", started_at=written(START), finished_at=written(END)).model_copy(
        update=RESULT.model_dump()
    )


def test_a_job_that_runs_or_cannot_start() -> None:
    assert of_job(job("Running")) == record("Running", started_at=written(START))
    blocked = of_job(job("Running", blocked=Blocked("Quota", "exceeded quota", "Ask for more")))
    assert (blocked.phase, blocked.reason) == ("Running", "EvaluationPending")
    assert (blocked.message or "").startswith("Job measure cannot start (Quota): exceeded quota")


def test_a_job_that_failed() -> None:
    failed = of_job(job("Failed", failure=UNSERVABLE))
    assert (failed.phase, failed.reason, failed.message) == ("Failed", "NotServable", "it has no model.onnx")
    assert failed.finished_at == written(END)
    without_a_time = of_job(job("Failed", failure=UNSERVABLE, finished=None))
    assert without_a_time.finished_at == written(START)


# --- a Deployment, a tag ---------------------------------------------------------------------------


def deployment(trigger: str = ASKED, evaluation: str = "sha256:e8") -> VersionDeployment:
    return VersionDeployment(
        name="heart-v8",
        uid="u",
        version="8",
        digest=sha("8"),
        trigger=trigger,
        run_id="run-e",
        created=START,
        replicas=1,
        ready=1,
        up_to_date=True,
        evaluation_sha256=evaluation,
    )


def test_a_deployment_remembers_the_measurement() -> None:
    assert found(seen=observed(deployment())) == TrainingStatus(
        job=evaluation_job_name("heart", "u-1", ASKED),
        trigger=ASKED,
        phase="Succeeded",
        run_id="run-e",
        version="8",
        artifact_sha256=sha("8"),
        evaluation_sha256="sha256:e8",
    )


@pytest.mark.parametrize("entry", [deployment(evaluation=""), deployment(trigger="0a1b2c3d")])
def test_a_deployment_without_a_measurement_remembers_none(entry: VersionDeployment) -> None:
    assert found(seen=observed(entry)) is None


def test_the_tag_of_a_rejected_version() -> None:
    entry = replace(EIGHT, rejected=f"{TAG}{ASKED}")
    remembered = find_record(observed(registered=entry), (), None, entry)
    assert remembered == TrainingStatus(
        job=evaluation_job_name("heart", "u-1", ASKED),
        trigger=ASKED,
        phase="Failed",
        version="8",
        reason=Reason.NOT_SERVABLE,
        message=f"it was rejected before, according to its tag in the registry. {AGAIN}",
    )


@pytest.mark.parametrize(("tag", "trigger"), [(None, None), ("GateFailed:x", None), ("NotServable:x", "x")])
def test_only_the_tag_of_what_cannot_be_served_names_a_trigger(tag: str | None, trigger: str | None) -> None:
    assert tagged(replace(EIGHT, rejected=tag)) == trigger


# --- which one counts ------------------------------------------------------------------------------


def test_the_end_of_a_job_counts_before_a_record_that_has_not_heard_of_it() -> None:
    ended = job("Failed", failure=UNSERVABLE)
    assert found(ended, known=record("Running")) == of_job(ended)


def test_a_running_job_counts_before_the_record_of_its_start() -> None:
    blocked = job("Running", blocked=Blocked("Quota", "exceeded quota", "Ask for more"))
    assert found(blocked, known=record("Running")) == of_job(blocked)


def test_a_record_that_failed_counts_before_a_job_that_still_runs() -> None:
    failed = record("Failed", reason=Reason.TRAINING_FAILED)
    assert found(job("Running"), known=failed) == failed


def test_a_rejection_without_a_question_has_fallen() -> None:
    """It was for another registration, or another contract."""
    values = {"version": "8", "digest": "", "reason": Reason.NOT_SERVABLE, "message": "", "time": written(START)}
    unknown, standing = RejectedStatus(**values), RejectedStatus(**values, gates_hash=ASKED)
    assert without_outdated(observed(), (unknown, standing)) == (standing,)


# --- the plan that follows ---------------------------------------------------------------------------


def test_what_cannot_be_served_is_rejected_while_nothing_may_start() -> None:
    ended = job("Failed", failure=UNSERVABLE)
    plan = plan_evaluation(observed(), (ended,), "8", None, None, may_start=False, now=END)
    assert plan.rejected == RejectedStatus(
        version="8",
        digest="",
        reason=Reason.NOT_SERVABLE,
        message="it has no model.onnx",
        time=written(END),
        gates_hash=ASKED,
    )
    assert plan_evaluation(observed(), (job(),), "8", None, None, may_start=False, now=END).rejected is None


def test_jobs_of_other_questions_are_removed_when_nothing_is_unknown() -> None:
    running = job("Running", trigger="evaluate-7-0a1b2c3d")
    plan = plan_evaluation(observed(), (running,), "", None, None, may_start=True, now=END)
    assert [key.name for key in plan.delete] == ["measure"]
    assert not plan_evaluation(observed(), (running,), "", None, None, may_start=False, now=END).delete


def test_a_record_does_not_take_over_the_end_of_another_question() -> None:
    other = replace(job(trigger="evaluate-7-0a1b2c3d"), name="other")
    plan = plan_evaluation(observed(), (other,), "", record("Running"), None, may_start=True, now=END)
    assert plan.status is None
