"""The Job that looks at the prediction log: what it gets, and what it may not do."""

from datetime import UTC, datetime

from heart_api.drift import CHECK_REQUEST, CheckRequest
from heart_api.handover import Env
from heart_operator.manifests.check_job import build_check_job
from tests.unit.heart_operator.manifests.conftest import DIGEST, SCHEDULE, containers, environment, matches


def test_the_check_reads_its_request_from_the_environment(case):
    found = environment(containers(case.check_job)[0])
    request = CheckRequest.model_validate_json(found[CHECK_REQUEST])
    assert (request.namespace, request.name, request.schedule) == ("clinic", "heart-disease", "watchful")
    assert (request.serving.version, request.serving.digest) == ("7", DIGEST)
    assert request.registry_name == case.model.registry_name
    assert request.until == "2026-11-22T06:00:00Z"
    assert (request.drift, request.performance) == (SCHEDULE.spec.drift, SCHEDULE.spec.performance)
    assert request.features == case.model.spec.features
    assert request.job == case.check_job["metadata"]["name"]
    assert found[Env.TRACKING_URI] == case.profile.tracking_uri
    assert containers(case.check_job)[0]["args"] == ["drift"]
    assert Env.DATABASE_URL not in found, "the log's address comes from the Secret"


def test_one_job_per_scheduled_time_and_schedule(smallest):
    anew = SCHEDULE.model_copy(update={"uid": "another"})
    six, noon = (datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (6, 12))
    names = [
        build_check_job(schedule, smallest.serving_model, smallest.profile, scheduled)["metadata"]["name"]
        for schedule, scheduled in [(SCHEDULE, six), (SCHEDULE, six), (SCHEDULE, noon), (anew, six)]
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_the_schedule_owns_it_and_the_model_is_named(case):
    meta = case.check_job["metadata"]
    assert [(owner["kind"], owner["name"]) for owner in meta["ownerReferences"]] == [("RetrainSchedule", "watchful")]
    assert meta["labels"]["heartops.dev/model"] == "heart-disease"
    policy = case.child("NetworkPolicy", "heart-disease-check")["spec"]
    labels = case.check_job["spec"]["template"]["metadata"]["labels"]
    assert matches(policy["podSelector"]["matchLabels"], labels)
    assert "ingress" not in policy
    serving_selector = case.child("Service", "heart-disease")["spec"]["selector"]
    assert not matches(serving_selector, labels), "a check must never get a prediction request"
