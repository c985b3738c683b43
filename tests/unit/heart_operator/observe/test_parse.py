"""What Kubernetes' objects say, read as a person would read them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from heart_api.handover import TrainingFailure, TrainingOutcome, TrainingResult
from heart_api.heartmodel import TrainingStatus
from heart_api.kube.deployments import parse_deployment, pod_problem
from heart_api.kube.objects import InvalidSpec, owned, parse_model
from heart_api.names import Annotation, Label
from heart_operator.observe.jobs import parse_job

CREATED = "2026-01-02T03:04:05Z"
RESULT = TrainingResult(version="7", run_id="r", artifact_sha256="sha256:" + "a" * 64, evaluation_sha256="b" * 64)


def stored(**spec: Any) -> dict[str, Any]:
    fields = {
        "dataset": {"uri": "https://example.org/a.csv"},
        "target": {"name": "num"},
        "features": [{"name": "age", "type": "number"}],
    }
    meta = {"namespace": "clinic", "name": "heart", "uid": "u1", "generation": 3}
    return {"metadata": meta, "spec": fields | spec}


def job(*conditions: dict[str, Any]) -> dict[str, Any]:
    annotations = {Annotation.TRIGGER: "t1"}
    meta = {"name": "heart-train-1", "uid": "j1", "creationTimestamp": CREATED, "annotations": annotations}
    return {"metadata": meta, "status": {"conditions": list(conditions)}}


def ended(type_: str, **more: str) -> dict[str, Any]:
    return {"type": type_, "status": "True", "lastTransitionTime": "2026-01-02T04:00:00Z", **more}


def pod(created: str = CREATED, *, message: str = "", reason: str = "Completed") -> dict[str, Any]:
    state = {"terminated": {"exitCode": 0, "reason": reason, "message": message}}
    return {
        "metadata": {"creationTimestamp": created},
        "status": {"containerStatuses": [{"name": "trainer", "state": state}]},
    }


def said(outcome: TrainingOutcome) -> str:
    return outcome.model_dump_json(by_alias=True, exclude_none=True)


def test_a_stored_spec_that_does_not_fit_names_the_field_and_not_the_value() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.features\.0\.type") as error:
        parse_model(stored(features=[{"name": "age", "type": "secret-value"}]))
    assert "secret-value" not in str(error.value)


def test_a_field_of_a_newer_version_is_named() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.engine"):
        parse_model(stored(engine="Dask"))


def test_an_unreadable_status_counts_as_none() -> None:
    assert parse_model(stored() | {"status": {"training": {"phase": 7}}}).status.training is None


@pytest.mark.parametrize(
    ("owners", "going", "ours"),
    [
        (["u1"], False, True),
        (["u0"], False, False),
        ([], False, False),
        (["u0", "u1"], False, True),
        (["u1"], True, False),
    ],
)
def test_only_the_very_same_model_owns_a_child(owners: list[str], going: bool, ours: bool) -> None:
    meta: dict[str, Any] = {"ownerReferences": [{"uid": uid} for uid in owners]}
    if going:
        meta["deletionTimestamp"] = CREATED
    assert owned({"metadata": meta}, "u1") is ours


def test_a_job_without_an_end_runs() -> None:
    found = parse_job(job({"type": "Suspended", "status": "False"}))
    assert (found.phase, found.trigger, found.finished) == ("Running", "t1", None)
    assert found.created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_finished_job_has_its_pods_result() -> None:
    found = parse_job(
        job(ended("SuccessCriteriaMet"), ended("Complete")), [pod(message=said(TrainingOutcome(result=RESULT)))]
    )
    assert (found.phase, found.result, found.failure) == ("Succeeded", RESULT, None)
    assert found.finished == datetime(2026, 1, 2, 4, tzinfo=UTC)


def test_the_newest_message_counts() -> None:
    old = TrainingOutcome(failure=TrainingFailure(reason="RegistryUnavailable", message="MLflow is down"))
    pods = [
        pod("2026-01-02T03:10:00Z", message=said(TrainingOutcome(result=RESULT))),
        pod("2026-01-02T03:05:00Z", message=said(old)),
    ]
    for order in (pods, pods[::-1]):
        found = parse_job(job(ended("Complete")), order)
        assert (found.result, found.failure) == (RESULT, None)


def test_a_failure_is_told_in_the_trainers_words() -> None:
    failure = TrainingFailure(reason="DataInvalid", message="column age: 3 rows")
    found = parse_job(
        job(ended("Failed", reason="PodFailurePolicy")), [pod(message=said(TrainingOutcome(failure=failure)))]
    )
    assert (found.phase, found.failure) == ("Failed", failure)


@pytest.mark.parametrize("message", ["", "Killed", "{}", '{"result": 1}', '{"result": null}'])
def test_a_message_that_is_no_outcome_leaves_kubernetes_own_words(message: str) -> None:
    found = parse_job(job(ended("Failed", reason="BackoffLimitExceeded")), [pod(message=message, reason="OOMKilled")])
    assert (found.result, found.failure, found.why) == (None, None, "OOMKilled")


def test_without_pods_the_jobs_own_reason_is_told() -> None:
    end = ended("Failed", reason="DeadlineExceeded", message="Job was active longer than specified deadline")
    assert parse_job(job(end)).why == "DeadlineExceeded: Job was active longer than specified deadline"


def test_a_recorded_result_outlives_the_pods() -> None:
    known = TrainingStatus(
        job="heart-train-1",
        trigger="t1",
        phase="Succeeded",
        version="7",
        run_id="r",
        artifact_sha256=RESULT.artifact_sha256,
        evaluation_sha256=RESULT.evaluation_sha256,
    )
    assert parse_job(job(ended("Complete")), known=known).result == RESULT
    assert parse_job(job(ended("Complete")), known=known.model_copy(update={"job": "another"})).result is None


def deployment(spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    meta = {
        "name": "heart-v7",
        "uid": "d1",
        "generation": 2,
        "creationTimestamp": CREATED,
        "labels": {Label.MODEL_VERSION: "7"},
        "annotations": {Annotation.DIGEST: "sha256:aa", Annotation.RUN_ID: "r"},
    }
    return {"metadata": meta, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("status", "up_to_date"),
    [
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3}, True),
        ({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3}, False),
        ({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1}, False),
        ({}, False),
    ],
)
def test_a_deployment_is_up_to_date_when_the_controller_is_done(status: dict[str, Any], up_to_date: bool) -> None:
    assert parse_deployment(deployment({"replicas": 3}, status)).up_to_date is up_to_date


def test_a_deployment_tells_its_version_and_counts() -> None:
    found = parse_deployment(deployment({"replicas": 3}, {"readyReplicas": 2}))
    assert (found.version, found.digest, found.run_id, found.replicas, found.ready) == ("7", "sha256:aa", "r", 3, 2)


def waiting(reason: str, **more: Any) -> dict[str, Any]:
    return {"status": {"containerStatuses": [{"name": "server", "state": {"waiting": {"reason": reason}}, **more}]}}


def died(state: str, reason: str, code: int, *, ready: bool = False) -> dict[str, Any]:
    """A server that ended; with `lastState` it runs again."""
    ended = {"terminated": {"reason": reason, "exitCode": code}}
    return {"status": {"containerStatuses": [{"name": "server", "ready": ready, state: ended}]}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (died("state", "OOMKilled", 137), "OOMKilled in server"),
        (died("lastState", "OOMKilled", 137), "OOMKilled in server"),
        (died("lastState", "OOMKilled", 137, ready=True), ""),
        (died("state", "Completed", 0), ""),
        (waiting("ContainerCreating"), ""),
        (waiting("PodInitializing"), ""),
        (waiting("ImagePullBackOff"), "ImagePullBackOff in server"),
        (
            waiting("CrashLoopBackOff", lastState={"terminated": {"reason": "Error", "message": "it answers NaN\n"}}),
            "CrashLoopBackOff in server: it answers NaN",
        ),
        (
            {"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}},
            "Unschedulable",
        ),
        ({}, ""),
    ],
)
def test_a_pods_problem_in_kubernetes_words(found: dict[str, Any], words: str) -> None:
    assert pod_problem(found) == words


def test_long_words_are_cut() -> None:
    found = waiting("CrashLoopBackOff", lastState={"terminated": {"message": "x" * 5000}})
    assert len(pod_problem(found)) <= 300


def init_pod(name: str, reason: str, message: str = "") -> dict[str, Any]:
    state = {"terminated": {"exitCode": 1, "reason": reason, "message": message}}
    return {
        "metadata": {"creationTimestamp": CREATED},
        "status": {"initContainerStatuses": [{"name": name, "state": state}], "containerStatuses": []},
    }


def test_what_prepares_rows_says_why_they_cannot_be_used() -> None:
    failure = TrainingFailure(reason="DataInvalid", message="age: 3 rows are above 120")
    pods = [init_pod("prepare", "Error", said(TrainingOutcome(failure=failure)))]
    assert parse_job(job(ended("Failed")), pods).failure == failure


@pytest.mark.parametrize("name", ["own-trainer", "mesh-init"])
def test_a_program_that_is_not_ours_cannot_say_what_was_trained(name: str) -> None:
    pods = [init_pod(name, "Completed", said(TrainingOutcome(result=RESULT)))]
    found = parse_job(job(ended("Complete")), pods)
    assert found.result is None
    assert found.failure is None


def test_a_program_that_ran_out_of_memory_is_told_apart() -> None:
    assert parse_job(job(ended("Failed")), [init_pod("own-trainer", "OOMKilled")]).why == "OOMKilled"


def indexed(*conditions: dict[str, Any], attempt: str = "1") -> dict[str, Any]:
    """The Job of a training on several pods."""
    annotations = {Annotation.TRIGGER: "t1", Annotation.ATTEMPT: attempt}
    spec = {"completionMode": "Indexed", "template": {"metadata": {"annotations": annotations}}}
    return {**job(*conditions), "spec": spec}


def failed_pod(reason: Any, message: str, **more: Any) -> dict[str, Any]:
    outcome = TrainingOutcome(failure=TrainingFailure(reason=reason, message=message))
    return pod(message=said(outcome), reason="Error", **more)


def test_of_several_pods_the_one_that_knows_the_cause_is_heard() -> None:
    cause = failed_pod("DataInvalid", "row group 3 of 3: broken", created="2026-01-02T03:04:05Z")
    consequence = failed_pod("TrainingInterrupted", "lost another worker", created="2026-01-02T03:04:06Z")
    found = parse_job(indexed(ended("Failed", reason="PodFailurePolicy")), [consequence, cause])
    assert found.failure == TrainingFailure(reason="DataInvalid", message="row group 3 of 3: broken")
    assert not found.lost, "bad data is final"


def test_a_killed_pod_is_the_cause_of_what_the_others_say() -> None:
    killed = pod(reason="OOMKilled")
    consequence = failed_pod("TrainingInterrupted", "lost another worker", created="2026-01-02T03:04:06Z")
    found = parse_job(indexed(ended("Failed", reason="BackoffLimitExceeded")), [consequence, killed])
    assert (found.failure, found.why) == (None, "OOMKilled")
    assert (found.lost, found.attempt) == (True, 1)


def test_the_first_workers_result_is_the_jobs() -> None:
    others = [pod(message=said(TrainingOutcome()), created="2026-01-02T03:04:09Z") for _ in range(2)]
    found = parse_job(indexed(ended("Complete")), [*others, pod(message=said(TrainingOutcome(result=RESULT)))])
    assert found.result == RESULT


@pytest.mark.parametrize(
    ("given", "lost"),
    [
        (indexed(), False),
        (indexed(ended("Complete")), False),
        (indexed(ended("Failed", reason="BackoffLimitExceeded")), True),
        (indexed(ended("Failed", reason="DeadlineExceeded")), False),
        (job(ended("Failed", reason="BackoffLimitExceeded")), False),
    ],
)
def test_only_a_lost_worker_is_worth_another_attempt(given: dict[str, Any], lost: bool) -> None:
    assert parse_job(given).lost is lost


@pytest.mark.parametrize("stated", ["", "-1", "many", "1e3"])
def test_an_attempt_that_is_no_number_is_the_first(stated: str) -> None:
    assert parse_job(indexed(attempt=stated)).attempt == 0
