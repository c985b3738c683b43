"""The Job that evaluates a version registered by hand."""

from heart_api.evaluation import ServingReference
from heart_api.handover import Env, EvaluationRequest
from heart_api.heartmodel import HeartModel
from heart_api.kube.values import Manifest
from heart_api.names import evaluation_job_name
from heart_api.profile import RuntimeProfile
from heart_operator.manifests.training_job import pod_spec, trainer_job, training_request

ARGUMENTS = ["evaluate"]


def build_evaluation_job(
    model: HeartModel, profile: RuntimeProfile, trigger: str, version: str, serving: ServingReference | None
) -> Manifest:
    """A training's Job but for what it does: the same image, bounds and network, created once and never patched."""
    request = evaluation_request(model, profile, trigger, version, serving)
    pod = pod_spec(model, profile, request, Env.EVALUATION_REQUEST)
    pod["containers"][0]["args"] = ARGUMENTS
    return trainer_job(model, profile, pod, request, version)


def evaluation_request(
    model: HeartModel, profile: RuntimeProfile, trigger: str, version: str, serving: ServingReference | None
) -> EvaluationRequest:
    """The evaluation that the trainer carries out: this version, with the data and the contract of the spec."""
    asked = training_request(model, profile, trigger, serving).model_dump()
    job = evaluation_job_name(model.name, model.uid, trigger)
    return EvaluationRequest.model_validate(asked | {"job": job, "version": version})
