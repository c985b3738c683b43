"""The Job: what the trainer gets, what it may use, and when it is tried again."""

import pytest

from heart_api.evaluation import ServingReference
from heart_api.handover import EXIT_PERMANENT, Env, TrainingRequest
from heart_operator.manifests.training_job import MAX_SPEC_BYTES, build_training_job
from heart_operator.plan.validate import size_problems
from tests.unit.heart_operator.manifests.conftest import DIGEST, TRIGGER, containers, environment


def test_the_trainer_reads_its_request_from_the_environment(case):
    found = environment(containers(case.job)[0])
    request = TrainingRequest.model_validate_json(found[Env.TRAINING_REQUEST])
    spec = case.model.spec
    assert (request.namespace, request.name) == (case.model.namespace, case.model.name)
    assert request.registry_name == case.model.registry_name
    assert (request.dataset, request.target, request.features) == (spec.dataset, spec.target, spec.features)
    assert request.training == spec.training
    assert request.access == case.profile.data
    assert request.serving == ServingReference(version="6", digest=DIGEST)
    assert (request.trigger, request.job) == (TRIGGER, case.job["metadata"]["name"])
    assert found[Env.TRACKING_URI] == case.profile.tracking_uri
    assert found[Env.TERMINATION_LOG] == containers(case.job)[0]["terminationMessagePath"]


def test_one_job_per_trigger_and_model(smallest):
    """The same trigger gives the same name after a restart; a model that was deleted and made anew gets another."""
    anew = smallest.model.model_copy(update={"uid": "another"})
    names = [
        build_training_job(model, smallest.profile, trigger, None)["metadata"]["name"]
        for model, trigger in [(smallest.model, "a"), (smallest.model, "a"), (smallest.model, "b"), (anew, "a")]
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_bad_data_is_not_tried_again_and_evictions_do_not_count(smallest):
    stop, ignore = smallest.job["spec"]["podFailurePolicy"]["rules"]
    assert stop["action"] == "FailJob"
    assert stop["onExitCodes"]["values"] == [EXIT_PERMANENT]
    assert stop["onExitCodes"]["containerName"] == containers(smallest.job)[0]["name"]
    assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert smallest.job["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_the_spec_bounds_time_and_retries(full):
    assert full.job["spec"]["activeDeadlineSeconds"] == 900
    assert full.job["spec"]["backoffLimit"] == 0


def test_the_profile_caps_what_a_resource_may_ask_for(full):
    """Asked for: 3 cores (cap 2) and 64 Gi (cap 8)."""
    resources = containers(full.job)[0]["resources"]
    assert resources == {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "8Gi"}}


@pytest.mark.parametrize(("limit", "threads"), [("500m", "1"), ("2", "2"), ("2500m", "3")])
def test_threads_follow_the_cpu_limit(smallest, limit, threads):
    job = smallest.with_spec(training={"resources": {"limits": {"cpu": limit}}}).job
    found = environment(containers(job)[0])
    assert {found[name] for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")} == {threads}


@pytest.mark.parametrize(
    ("uri", "path", "volume"),
    [
        ("pvc://cohorts/2024/heart.csv", "/data/pvc/cohorts", {"claimName": "cohorts", "readOnly": True}),
        (
            "configmap://heart.data/heart.csv",
            "/data/configmap/heart.data",
            {"name": "heart.data", "items": [{"key": "heart.csv", "path": "heart.csv"}]},
        ),
    ],
)
def test_data_of_the_namespace_is_mounted_read_only(smallest, uri, path, volume):
    job = smallest.with_spec(dataset={"uri": uri}).job
    mount = containers(job)[0]["volumeMounts"][-1]
    assert (mount["mountPath"], mount["readOnly"]) == (path, True)
    mounted = next(v for v in job["spec"]["template"]["spec"]["volumes"] if v["name"] == mount["name"])
    assert volume in mounted.values()


@pytest.mark.parametrize("uri", ["https://example.org/x.csv", "s3://b/x.csv", "builtin://heart-synthetic"])
def test_other_data_needs_no_volume(smallest, uri):
    job = smallest.with_spec(dataset={"uri": uri}).job
    assert [volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]] == ["tmp"]


def test_finished_jobs_are_kept_until_the_operator_deletes_them(smallest):
    assert "ttlSecondsAfterFinished" not in smallest.job["spec"]


def test_a_spec_that_no_process_could_be_handed_is_a_problem_of_the_spec(smallest):
    def with_features(count):
        return smallest.with_spec(features=[feature(index) for index in range(count)])

    def feature(index):
        return {"name": f"f{index}", "type": "number", "description": "ö" * 1000}

    largest = max(count for count in range(1, 256) if not list(size_problems(with_features(count).model.spec)))
    variable = environment(containers(with_features(largest).job)[0])[Env.TRAINING_REQUEST]
    assert MAX_SPEC_BYTES * 0.9 < len(f"{Env.TRAINING_REQUEST}={variable}".encode()) < 128 * 1024
    (problem,) = size_problems(with_features(largest + 1).model.spec)
    assert problem.startswith("spec.features: ")
