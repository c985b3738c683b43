"""The Job: what the trainer gets, what it may use, and when it is tried again."""

import pytest

from heart_api.evaluation import ServingReference
from heart_api.handover import EXIT_PERMANENT, Env, TrainingRequest
from heart_api.names import Label
from heart_api.training import Tuning
from heart_operator.manifests.network_policy import build_training_policy
from heart_operator.manifests.training_job import MAX_SPEC_BYTES, build_training_job
from heart_operator.observe.jobs import attempt_of
from heart_operator.plan.validate import size_problems
from heart_trainer.external.place import Place, place_of
from tests.unit.heart_operator.manifests.conftest import DIGEST, TRIGGER, containers, environment, matches


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


def test_workers_need_each_other(distributed):
    """A lost pod ends the Job, and bad data does so for good; a single pod's rules would start one pod alone anew."""
    spec = distributed.job["spec"]
    assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (3, 3, "Indexed")
    assert spec["backoffLimit"] == 0
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [EXIT_PERMANENT]


def test_workers_find_the_first_of_them(distributed):
    (service,) = [s for s in distributed.children() if s["metadata"]["name"] == "large-workers"]
    found = environment(containers(distributed.job)[0])
    assert found["DMLC_TRACKER_URI"] == "large-workers.clinic.svc"
    assert found["DMLC_NUM_WORKER"] == "3"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"], "the others wait for it before anything is ready"
    first = {**distributed.job["spec"]["template"]["metadata"]["labels"], Label.POD_INDEX: "0"}
    other = first | {Label.POD_INDEX: "1"}
    assert matches(service["spec"]["selector"], first)
    assert not matches(service["spec"]["selector"], other)
    assert str(service["spec"]["ports"][0]["port"]) == found["DMLC_TRACKER_PORT"]


def test_the_place_of_a_worker_is_read_by_the_trainer(distributed):
    found = environment(containers(distributed.job)[0]) | {"JOB_COMPLETION_INDEX": "2"}
    place = place_of(distributed.model.spec.training, found)
    assert place == Place("large-workers.clinic.svc", 9091, 3, 2)


def test_the_next_attempt_is_another_job(distributed):
    jobs = [build_training_job(distributed.model, distributed.profile, TRIGGER, None, number) for number in (0, 1, 2)]
    assert len({job["metadata"]["name"] for job in jobs}) == 3
    assert [attempt_of(job) for job in jobs] == [0, 1, 2]


def test_only_trainings_on_several_pods_open_their_pods_to_each_other(smallest, distributed):
    def policy(case):
        (found,) = [c for c in case.children() if c["kind"] == "NetworkPolicy" and "training" in c["metadata"]["name"]]
        return found["spec"]

    assert "ingress" not in policy(smallest)
    (rule,) = policy(distributed)["ingress"]
    (peer,) = rule["from"]
    pod = distributed.job["spec"]["template"]["metadata"]["labels"]
    assert matches(peer["podSelector"]["matchLabels"], pod)
    assert not matches(
        peer["podSelector"]["matchLabels"], distributed.deployment()["spec"]["template"]["metadata"]["labels"]
    )
    assert {"to": [peer]} in policy(distributed)["egress"]


def test_kueue_starts_what_the_profile_queues(smallest, distributed):
    for job in (distributed.job, distributed.evaluation_job):
        assert job["metadata"]["labels"][Label.QUEUE] == "trainings"
        assert job["spec"]["suspend"] is True
        assert job["spec"]["template"]["spec"]["priorityClassName"] == "low"
    assert Label.QUEUE not in smallest.job["metadata"]["labels"]
    assert "suspend" not in smallest.job["spec"]


def test_pods_that_share_a_search_know_their_number_and_do_not_reach_each_other(smallest):
    training = smallest.model.spec.training.model_copy(update={"tuning": Tuning(parallelism=4)})
    spec = smallest.model.spec.model_copy(update={"training": training})
    model = smallest.model.model_copy(update={"spec": spec})
    job = build_training_job(model, smallest.profile, TRIGGER, None, 1)
    assert (job["spec"]["completions"], job["spec"]["completionMode"], attempt_of(job)) == (4, "Indexed", 1)
    (container,) = containers(job)
    assert [variable["name"] for variable in container["env"]].count("JOB_COMPLETION_INDEX") == 1
    assert not any(variable["name"].startswith("DMLC") for variable in container["env"])
    assert "ingress" not in build_training_policy(model, smallest.profile)["spec"]
