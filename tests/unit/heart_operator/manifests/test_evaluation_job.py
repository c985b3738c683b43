"""The Job that measures a version registered by hand: what it is asked, and that it is a training's in all else."""

from heart_api.evaluation import ServingReference
from heart_api.handover import Env, EvaluationRequest, TrainingRequest
from heart_api.names import Label, evaluated_version
from heart_operator.manifests.evaluation_job import build_evaluation_job
from tests.unit.heart_operator.manifests.conftest import DIGEST, EVALUATION_TRIGGER, containers, environment


def test_the_trainer_reads_its_request_from_the_environment(case):
    (container,) = containers(case.evaluation_job)
    found = environment(container)
    request = EvaluationRequest.model_validate_json(found[Env.EVALUATION_REQUEST])
    spec = case.model.spec
    assert (request.namespace, request.name) == (case.model.namespace, case.model.name)
    assert (request.registry_name, request.version) == (case.model.registry_name, "8")
    assert (request.dataset, request.target, request.features) == (spec.dataset, spec.target, spec.features)
    assert (request.training, request.access) == (spec.training, case.profile.data)
    assert request.serving == ServingReference(version="6", digest=DIGEST)
    assert (request.trigger, request.job) == (EVALUATION_TRIGGER, case.evaluation_job["metadata"]["name"])
    assert Env.TRAINING_REQUEST not in found
    assert container["args"] == ["evaluate"]


def test_a_training_is_asked_the_same_way_without_the_word(case):
    (container,) = containers(case.job)
    TrainingRequest.model_validate_json(environment(container)[Env.TRAINING_REQUEST])
    assert "args" not in container
    assert Env.EVALUATION_REQUEST not in environment(container)


def test_rights_bounds_and_network_are_a_trainings(case):
    """Labels of the pods decide which NetworkPolicy holds for them."""
    training, evaluation = case.job["spec"], case.evaluation_job["spec"]
    assert evaluation["template"]["metadata"]["labels"] == training["template"]["metadata"]["labels"]
    for job in (training, evaluation):
        del job["template"]["metadata"]["annotations"]
        for container in job["template"]["spec"]["containers"]:
            container.pop("args", None)
            container["env"] = [entry for entry in container["env"] if not entry["name"].endswith("_REQUEST")]
    assert evaluation == training
    assert evaluation["template"]["spec"]["automountServiceAccountToken"] is False


def test_the_job_can_be_found_by_its_version_and_told_from_a_training(case):
    assert case.evaluation_job["metadata"]["labels"][Label.MODEL_VERSION] == "8"
    for trigger in (EVALUATION_TRIGGER, "evaluate-8-0a1b-v7", "evaluate-8-0a1b-4e5f", "evaluate-8-0a1b-v7-4e5f"):
        assert evaluated_version(trigger) == "8"
    for trigger in ("1a2b3c4d", "1a2b3c4d-5e6f7a8b", "evaluate", "evaluate-x-1a2b", "evaluate-08-1a2b", ""):
        assert evaluated_version(trigger) is None


def test_one_job_per_trigger_and_model(smallest):
    anew = smallest.model.model_copy(update={"uid": "another"})
    names = [
        build_evaluation_job(model, smallest.profile, trigger, "8", None)["metadata"]["name"]
        for model, trigger in [
            (smallest.model, EVALUATION_TRIGGER),
            (smallest.model, EVALUATION_TRIGGER),
            (smallest.model, "evaluate-8-00000000"),
            (anew, EVALUATION_TRIGGER),
        ]
    ]
    assert names[0] == names[1]
    assert len({*names, smallest.job["metadata"]["name"]}) == 4
