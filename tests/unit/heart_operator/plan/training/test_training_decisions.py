"""Triggers, records and failures of trainings one by one, without a world around them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from heart_api.handover import TrainingFailure, TrainingResult
from heart_api.heartmodel import HeartModelStatus, TrainingStatus
from heart_api.kube.values import Blocked, ObjectKey, VersionDeployment
from heart_api.names import Annotation, short_hash, training_job_name
from heart_api.profile import Quota
from heart_api.times import written
from heart_operator.plan.observed import Observed, ObservedJob, Registry, TrainingJob
from heart_operator.plan.quota import StartedTraining, Usage
from heart_operator.plan.training.failures import AGAIN, HINTS, failure_of, sentence
from heart_operator.plan.training.requests import open_requests, request_id, requests_of
from heart_operator.plan.training.training import of_job, plan_training, training_record
from heart_operator.plan.training.triggers import current_trigger, past_triggers, spec_trigger, triggers_after
from heart_operator.plan.versions import Version
from tests.support.plan.schedules import retrain_schedule
from tests.support.plan.world import MONITORING, PROFILE, heart_model, sha

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPEC = spec_trigger(heart_model())
BLOCKED = Blocked("Quota", "exceeded quota", "Ask for more")


def result(version: str) -> TrainingResult:
    return TrainingResult(version=version, run_id="r", artifact_sha256=sha(version), evaluation_sha256=sha("e"))


def job(trigger: str = SPEC, phase: Any = "Running", version: str = "", **changes: Any) -> TrainingJob:
    values = {"name": f"job-{trigger}", "uid": "u", "trigger": trigger, "created": NOW, "phase": phase}
    return ObservedJob(**(values | {"result": result(version) if version else None} | changes))


def deployment(version: str, trigger: str, **changes: Any) -> VersionDeployment:
    values: dict[str, Any] = {"name": f"heart-v{version}", "uid": "u", "version": version, "digest": sha(version)}
    values |= {"trigger": trigger, "run_id": "r", "created": NOW, "replicas": 1, "ready": 1, "up_to_date": True}
    return VersionDeployment(**(values | changes))


def observed(*deployments: VersionDeployment, annotations: dict[str, str] | None = None, **changes: Any) -> Observed:
    status = HeartModelStatus(training=changes.pop("training", None))
    model = heart_model(changes.pop("spec", None), status=status, annotations=annotations or {})
    serving = changes.pop("serving", None)
    selector = {"metadata": {}, "spec": {"selector": {"heartops.dev/model-version": serving}}}
    values: dict[str, Any] = {"model": model, "profile": PROFILE, "profiles": ("default",), "jobs": ()}
    values |= {"deployments": deployments, "kinds": MONITORING, "registry": Registry()}
    values |= {"children": {ObjectKey("v1", "Service", "heart"): selector} if serving else {}}
    return Observed(**(values | changes))


def training(trigger: str = SPEC, phase: Any = "Succeeded", **changes: Any) -> TrainingStatus:
    return TrainingStatus(**({"job": "j", "trigger": trigger, "phase": phase} | changes))


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", sorted(HINTS))
def test_what_kubernetes_says_of_an_early_end_has_a_hint(word: str) -> None:
    ended = job(phase="Failed", name="j", why=f"Error: {word} (137)")
    assert failure_of(ended) == (
        "TrainingFailed",
        f"Training ended early: Error: {word} (137); {HINTS[word]}. {AGAIN} (Job j)",
    )


def test_an_end_without_a_reason_points_at_the_log() -> None:
    assert failure_of(job(phase="Failed", name="j"), "Evaluation", "Again") == (
        "TrainingFailed",
        "Evaluation ended early: it ended without saying why; see kubectl logs job/j. Again (Job j)",
    )


def test_a_blocked_jobs_advice_is_its_own() -> None:
    reason, message = failure_of(job(phase="Failed", name="j", why="OOMKilled", blocked=BLOCKED))
    assert (reason, message) == ("TrainingFailed", f"Training ended early: OOMKilled; Ask for more. {AGAIN} (Job j)")


def test_the_trainers_own_words_come_first() -> None:
    failed = job(phase="Failed", name="j", failure=TrainingFailure(reason="DataInvalid", message="no rows"), why="x")
    assert failure_of(failed) == ("DataInvalid", f"no rows. {AGAIN} (Job j)")
    assert [sentence(text) for text in ("a", "a.", "a!", "a?")] == ["a.", "a.", "a!", "a?"]
    assert AGAIN.endswith(f"or the annotation {Annotation.RETRAIN} gets a new value")


# --- triggers ------------------------------------------------------------------------------------


def test_a_trigger_is_made_of_spec_annotation_and_requests() -> None:
    assert current_trigger(observed()) == SPEC
    annotated = observed(annotations={Annotation.RETRAIN: "monday"})
    assert current_trigger(annotated) == f"{SPEC}-{short_hash('monday')}"
    run = {"id": "s20260101T030000Z", "cause": "Schedule", "time": written(NOW), "requestedAt": written(NOW)}
    schedule = retrain_schedule(status={"runs": [run | {"phase": "Requested"}]})
    both = observed(annotations={Annotation.RETRAIN: "monday"}, schedules=(schedule,))
    assert current_trigger(both) == f"{SPEC}-{short_hash('monday')}-s20260101T030000Z"


def test_an_earlier_training_that_answers_everything_still_counts() -> None:
    answered = f"{SPEC}-{short_hash('monday')}-d20260101T030000Z"
    seen = observed(annotations={Annotation.RETRAIN: "monday"}, training=training(answered))
    assert current_trigger(seen) == answered
    assert current_trigger(observed(training=training(answered))) == answered, "nothing is requested any more"
    same = f"{SPEC}-{short_hash('monday')}"
    both = observed(annotations={Annotation.RETRAIN: "monday"}, training=training(same), jobs=(job(answered),))
    assert current_trigger(both) == same, "nothing more has to be answered"
    other = observed(annotations={Annotation.RETRAIN: "tuesday"}, training=training(answered))
    assert current_trigger(other) == f"{SPEC}-{short_hash('tuesday')}"
    changed = observed(training=training(f"deadbeef-{short_hash('monday')}"))
    assert current_trigger(changed) == SPEC


def test_the_order_in_which_earlier_triggers_count() -> None:
    jobs = (
        job("old", "Succeeded", "2", created=NOW - timedelta(hours=1)),
        job("running"),
        job("newest", "Succeeded", "5"),
    )
    deployments = (deployment("3", "serves"), deployment("4", "newer"), deployment("1", "warm"))
    seen = observed(*deployments, jobs=jobs, training=training("status"), serving="3")
    assert list(past_triggers(seen)) == [
        *("status", "running"),
        *("newest", "newer"),
        "serves",
        *("running", "newest", "old"),
        *("serves", "newer", "warm"),
    ]
    assert triggers_after(seen, "4") == ["newest"]
    assert triggers_after(seen, None) == ["newest", "newer", "serves", "old", "warm"]
    tenth = observed(deployment("10", "tenth"), deployment("9", "ninth"))
    assert triggers_after(tenth, "1") == ["tenth", "ninth"]
    assert triggers_after(observed(deployment("5", "b"), deployment("5", "c")), None) == ["b", "c"]


def test_requests_of_a_trigger() -> None:
    assert request_id("Performance", NOW) == "p20260101T120000Z"
    assert requests_of("abc-s20260101T030000Z-x20260101T030000Z-d20260101T040000Z-s2026") == (
        *("s20260101T030000Z", "d20260101T040000Z"),
    )


def test_open_requests_are_sorted_and_of_this_model_alone() -> None:
    def schedule(name: str, model: str, *runs: tuple[str, str]) -> Any:
        base = {"cause": "Schedule", "time": written(NOW), "requestedAt": written(NOW)}
        spec = {"schedule": "0 3 * * *", "modelName": model}
        return retrain_schedule(spec, name=name, status={"runs": [base | {"id": i, "phase": p} for i, p in runs]})

    one = schedule("a", "heart", ("s20260102T000000Z", "Requested"), ("d20260101T000000Z", "Training"))
    more = schedule(
        "b", "heart", ("s20260102T000000Z", "Training"), ("s20260105T000000Z", "Failed"), ("bad", "Requested")
    )
    other = schedule("c", "liver", ("s20260103T000000Z", "Requested"))
    assert open_requests((one, more, other), "heart") == ("d20260101T000000Z", "s20260102T000000Z")


# --- records -------------------------------------------------------------------------------------


def test_the_record_of_a_job() -> None:
    created = {"job": f"job-{SPEC}", "started_at": written(NOW)}
    assert of_job(job()) == training(phase="Running", **created)
    pending = of_job(job(blocked=BLOCKED))
    assert (pending.phase, pending.reason) == ("Running", "TrainingPending")
    assert pending.message == f"Job job-{SPEC} cannot start (Quota): exceeded quota. Ask for more"
    ended = of_job(job(phase="Succeeded", version="2", finished=NOW + timedelta(minutes=5)))
    assert ended == training(finished_at="2026-01-01T12:05:00Z", **created, **result("2").model_dump())
    lost = of_job(job(phase="Failed", version="2", finished=NOW))
    assert (lost.phase, lost.version) == ("Succeeded", "2"), "its version was registered, whatever came afterwards"
    unknown = of_job(job(phase="Succeeded"))
    assert (unknown.phase, unknown.reason, unknown.finished_at) == ("Failed", "TrainingFailed", written(NOW))
    failed = of_job(job(phase="Failed", failure=TrainingFailure(reason="DataInvalid", message="no rows")))
    assert (failed.phase, failed.reason) == ("Failed", "DataInvalid")


def test_where_a_training_is_remembered() -> None:
    final, running = training(version="2"), training(phase="Running")
    assert training_record(observed(training=final, jobs=(job(),)), SPEC) == final
    assert training_record(observed(training=running, jobs=(job(phase="Succeeded", version="3"),)), SPEC) == of_job(
        job(phase="Succeeded", version="3")
    )
    assert training_record(observed(training=running), SPEC) == running
    assert training_record(observed(training=training("other"), jobs=(job("another"),)), "x") is None
    found = training_record(observed(deployment("7", "other"), deployment("2", SPEC)), SPEC)
    assert found == TrainingStatus(
        job=training_job_name("heart", "u-1", SPEC),
        trigger=SPEC,
        phase="Succeeded",
        run_id="r",
        version="2",
        artifact_sha256=sha("2"),
    )
    bare = training_record(observed(deployment("2", SPEC, run_id="", evaluation_sha256=sha("e"))), SPEC)
    assert bare
    assert (bare.run_id, bare.evaluation_sha256) == (None, sha("e"))


# --- the plan ------------------------------------------------------------------------------------


def plan(seen: Observed, stable: Version | None = None, *, start: bool = True) -> Any:
    return plan_training(seen, stable, may_start=start, now=NOW)


def test_a_first_training_starts() -> None:
    found = plan(observed())
    name = training_job_name("heart", "u-1", SPEC)
    assert found.status == training(phase="Running", job=name, started_at=written(NOW))
    assert [entry["metadata"]["name"] for entry in found.create] == [name]
    assert (found.wanted, found.delete) == (False, ())


def test_nothing_starts_where_it_may_not() -> None:
    found = plan(observed(), start=False)
    assert (found.status, found.wanted, found.create, found.delete) == (None, True, (), ())
    ended = observed(training=training(phase="Running"), jobs=(job(phase="Succeeded", version="2"),))
    noticed = plan(ended, start=False)
    assert (noticed.status.phase, noticed.wanted) == ("Succeeded", False)
    moved_on = observed(training=training("old", version="1"))
    kept = plan(moved_on, start=False)
    assert (kept.status, kept.wanted) == (training("old", version="1"), True)


def test_a_training_waits_for_the_quota_of_its_namespace() -> None:
    limited = PROFILE.model_copy(update={"quota": Quota(trainings_per_hour=1)})
    used = Usage(trainings=(StartedTraining("other", NOW - timedelta(minutes=20)),))
    before, surplus = training("old", version="1"), tuple(job(f"t{n}", "Succeeded", "1") for n in range(5))
    seen = observed(profile=limited, usage=used, training=before, jobs=surplus)
    found = plan(seen)
    assert (found.status, found.wanted, found.create, len(found.delete)) == (before, True, (), 2)
    assert found.wait.until == NOW + timedelta(minutes=40)
    assert found.wait.message == (
        "Namespace clinic has started 1 trainings within an hour and its quota is 1; the training waits until"
        " 2026-01-01T12:40:00Z at least (runtimes.default.quota.trainingsPerHour)"
    )
    own = StartedTraining(training_job_name("heart", "u-1", SPEC), NOW, pending=True)
    assert plan(replace(seen, usage=Usage(trainings=(own,)))).wait is None, "it counts itself once"
    deleted = training(phase="Running")
    again = plan(observed(profile=limited, usage=used, training=deleted))
    assert (again.status, again.wanted, again.create) == (deleted, False, ()), "a deleted Job waits too"


def test_another_job_is_called_off_first() -> None:
    seen = observed(training=training("old", "Running"), jobs=(job("old"),))
    seen = replace(seen, model=seen.model.model_copy(update={"annotations": {Annotation.RETRAIN: "x"}}))
    found = plan(seen)
    assert (found.status, found.wanted, found.create) == (None, True, ())
    assert found.delete == (ObjectKey("batch/v1", "Job", "job-old"),)
    done = observed(training=training(version="2"), jobs=(job("old"),))
    assert plan(done).status == training(version="2")
    moved_on = observed(training=training("older", version="1"), jobs=(job("old"),))
    assert plan(moved_on).status == training("older", version="1")


def test_a_running_training_keeps_its_job_and_old_ones_go() -> None:
    seen = observed(jobs=(job(), *(job(f"t{index}", "Succeeded", "1") for index in range(4))))
    found = plan(seen)
    assert (found.create, found.status.phase) == ((), "Running")
    assert len(found.delete) == 2
    again = plan(observed(training=training(phase="Running", job="j")))
    assert len(again.create) == 1


def test_a_job_is_told_what_serves() -> None:
    def request(stable: Version | None) -> str:
        return str(plan(observed(), stable).create[0])

    assert sha("1") in request(Version("1", sha("1")))
    assert request(Version("1", "")) == request(None)
