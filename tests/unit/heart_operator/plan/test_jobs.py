"""What is recorded of Jobs, what is said of foreign ones, and how each is named to the API server."""

from datetime import UTC, datetime
from typing import Any

from heart_api.kube.values import ObjectKey
from heart_api.status import JobRecord
from heart_operator.plan.actions import Event, Plan
from heart_operator.plan.jobs import foreign_event, keys, newest_first, records, superseded
from heart_operator.plan.observed import ObservedJob
from tests.support.plan.world import heart_model

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def job(name: str, **changes: Any) -> ObservedJob[Any, Any]:
    return ObservedJob(
        **{"name": name, "uid": f"u-{name}", "trigger": "t", "created": NOW, "phase": "Running"} | changes
    )


def test_what_the_status_keeps_of_jobs_is_in_the_order_of_their_names() -> None:
    found = records([job("b"), job("a", template="digest")])
    assert found == (JobRecord(name="a", uid="u-a", template="digest"), JobRecord(name="b", uid="u-b", template=None))


def test_jobs_and_train_jobs_are_of_two_apis() -> None:
    assert keys([job("a"), job("b", kind="TrainJob")]) == (
        ObjectKey("batch/v1", "Job", "a"),
        ObjectKey("trainer.kubeflow.org/v1alpha1", "TrainJob", "b"),
    )


def test_every_foreign_job_is_named_in_one_event() -> None:
    foreign = (ObjectKey("batch/v1", "Job", "evil"), ObjectKey("batch/v1", "Job", "worse"))
    message = "Removing Jobs that HeartOps did not create, although they carry its owner reference: evil, worse"
    assert foreign_event(foreign) == (Event("Warning", "ForeignJob", message),)
    assert foreign_event(()) == ()


def test_an_ended_job_of_an_old_trigger_is_superseded_by_nothing() -> None:
    old = [job("a", trigger="old"), job("b", trigger="old", phase="Failed"), job("c", trigger="new")]
    assert superseded(old, "new") == [old[0]]


def test_of_one_second_the_running_job_is_the_newest_whatever_its_name() -> None:
    running, ended = job("a"), job("b", phase="Failed")
    assert newest_first([ended, running]) == newest_first([running, ended]) == [running, ended]


def test_jobs_that_were_created_are_added_to_the_status_and_take_the_place_of_their_names() -> None:
    old, other, new = (JobRecord(name=name, uid=uid) for name, uid in (("b", "1"), ("c", "2"), ("b", "3")))
    first = JobRecord(name="a", uid="4")
    status = heart_model().status.model_copy(update={"jobs": (old, other)})
    assert Plan(status).with_jobs((new, first)).facts.jobs == (first, new, other)
    assert Plan(heart_model().status).with_jobs((new,)).facts.jobs == (new,)
    assert Plan(status).with_jobs(()).facts == status
