"""Registered versions: whose name it is, what an earlier pod already registered, and how a version is marked."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from heart_api.evaluation import EVALUATION_PATH
from heart_api.handover import EvaluationRequest, JobRequest, Tag, TrainingRequest, TrainingResult
from heart_api.package import MODEL_FILE
from heart_trainer.errors import TrainerError
from heart_trainer.mlflow.client import Store


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def seal(row_key: str, trigger: str, artifact: str, evaluation: str) -> str:
    """HMAC over what a Job of ours registered: whoever may write to MLflow cannot make one for other files."""
    return hmac.new(row_key.encode(), "\n".join((trigger, artifact, evaluation)).encode(), hashlib.sha256).hexdigest()


def claim(store: Store, request: JobRequest) -> None:
    """Take the registered model for this HeartModel. Raises TrainerError (RegistryNameTaken) when it is another's."""
    ours = f"{request.namespace}/{request.name}"
    with store.speaking():
        try:
            store.client.create_registered_model(request.registry_name, tags={Tag.MODEL: ours})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        owner = store.client.get_registered_model(request.registry_name).tags.get(Tag.MODEL)
        if owner is None:
            store.client.set_registered_model_tag(request.registry_name, Tag.MODEL, ours)
    if owner not in (None, ours):
        message = (
            f"the registered model {request.registry_name} belongs to the HeartModel {owner}; "
            f"give {ours} another spec.registryName"
        )
        raise TrainerError("RegistryNameTaken", message, permanent=True)


def already_registered(store: Store, request: TrainingRequest, row_key: str) -> TrainingResult | None:
    """What an earlier pod of this trigger registered before it was killed; only if its files are what it sealed."""
    with store.speaking():
        clause = f"name = '{request.registry_name}' and tags.`{Tag.TRIGGER}` = '{request.trigger}'"
        versions = store.client.search_model_versions(clause)
    for version in sorted(versions, key=lambda found: int(found.version)):
        result = sealed(version, row_key)
        if result and _stored(store, version, result):
            return result
    return None


def sealed(version: Any, row_key: str) -> TrainingResult | None:
    """What the tags of MLflow's version say, when a Job of ours has written them."""
    tags = version.tags
    artifact, evaluation = tags.get(Tag.ARTIFACT_SHA256, ""), tags.get(Tag.EVALUATION_SHA256, "")
    expected = seal(row_key, tags.get(Tag.TRIGGER, ""), artifact, evaluation)
    if not hmac.compare_digest(expected, tags.get(Tag.SEAL, "")):
        return None
    run_id = tags.get(Tag.EVALUATION_RUN, version.run_id)
    return TrainingResult(
        version=str(version.version), run_id=run_id, artifact_sha256=artifact, evaluation_sha256=evaluation
    )


def _stored(store: Store, version: Any, result: TrainingResult) -> bool:
    model = store.read_version(version.name, version.version, MODEL_FILE)
    evaluation = store.read_run(result.run_id, EVALUATION_PATH)
    return sha256(model) == result.artifact_sha256 and sha256(evaluation) == result.evaluation_sha256


@dataclass(frozen=True)
class Digests:
    artifact: str
    evaluation: str
    dataset: str


def register(
    store: Store, request: TrainingRequest, run_id: str, model_id: str, digests: Digests, row_key: str
) -> TrainingResult:
    """The last step of a training: a version with all its tags, in one call."""
    version = create_version(store, request.registry_name, run_id, model_id, _tags(request, digests, row_key))
    return _result(version, run_id, digests)


def create_version(store: Store, registry_name: str, run_id: str, model_id: str, tags: Mapping[str, str]) -> str:
    with store.speaking():
        version = store.client.create_model_version(
            registry_name,
            f"models:/{model_id}",
            run_id=run_id,
            tags=dict(tags),
            await_creation_for=60,
            model_id=model_id,
        )
    return str(version.version)


def mark_evaluated(
    store: Store, request: EvaluationRequest, run_id: str, digests: Digests, row_key: str
) -> TrainingResult:
    """The last step of an evaluation: what was measured of somebody's version, beside it. The seal comes last."""
    tags = {Tag.EVALUATION_RUN: run_id, **_tags(request, digests, row_key)}
    with store.speaking():
        for key, value in tags.items():
            store.client.set_model_version_tag(request.registry_name, request.version, key, value)
    return _result(request.version, run_id, digests)


def _tags(request: JobRequest, digests: Digests, row_key: str) -> dict[str, str]:
    return {
        Tag.TRIGGER: request.trigger,
        Tag.JOB: request.job,
        Tag.MODEL: f"{request.namespace}/{request.name}",
        Tag.ARTIFACT_SHA256: digests.artifact,
        Tag.EVALUATION_SHA256: digests.evaluation,
        Tag.DATASET_SHA256: digests.dataset,
        Tag.SEAL: seal(row_key, request.trigger, digests.artifact, digests.evaluation),
    }


def _result(version: str, run_id: str, digests: Digests) -> TrainingResult:
    return TrainingResult(
        version=version,
        run_id=run_id,
        artifact_sha256=digests.artifact,
        evaluation_sha256=digests.evaluation,
    )
