"""Registered versions: whose name it is, what an earlier pod already registered, and how a version is marked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlflow.exceptions import MlflowException

from heart_api.evaluation import EVALUATION_PATH
from heart_api.handover import EvaluationRequest, ModelRequest, Tag, TrainingResult
from heart_api.package import MODEL_FILE
from heart_trainer.errors import TrainerError
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.seals import Maker, Sealed, read_seal, seal, sha256


def claim(store: Store, request: ModelRequest) -> None:
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


def already_registered(store: Store, request: ModelRequest, row_key: str) -> TrainingResult | None:
    """What an earlier pod of this trigger registered before it was killed; only if its files are what it sealed."""
    with store.speaking():
        clause = f"name = '{request.registry_name}' and tags.`{Tag.TRIGGER}` = '{request.trigger}'"
        versions = store.client.search_model_versions(clause)
    for version in sorted(versions, key=lambda found: int(found.version)):
        result = read_seal(version, row_key)
        if result and _stored(store, version, result):
            return result
    return None


def _stored(store: Store, version: Any, result: TrainingResult) -> bool:
    model = store.read_version(version.name, version.version, MODEL_FILE)
    evaluation = store.read_run(result.run_id, EVALUATION_PATH)
    return sha256(model) == result.artifact_sha256 and sha256(evaluation) == result.evaluation_sha256


@dataclass(frozen=True)
class Digests:
    artifact: str
    evaluation: str
    dataset: str
    contract: str


def register(
    store: Store, request: ModelRequest, run_id: str, model_id: str, digests: Digests, row_key: str
) -> TrainingResult:
    """The last step of a training: a version with its tags, then its seal, which names the version's number.

    A version that was left without its seal by a crash in between is one from outside.
    """
    version = create_version(store, request.registry_name, run_id, model_id, _tags(request, digests))
    _set_seal(store, request, "training", version, run_id, digests, row_key)
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
    tags = {Tag.EVALUATION_RUN: run_id, **_tags(request, digests)}
    with store.speaking():
        for key, value in tags.items():
            store.client.set_model_version_tag(request.registry_name, request.version, key, value)
    _set_seal(store, request, "evaluation", request.version, run_id, digests, row_key)
    return _result(request.version, run_id, digests)


def evaluated(request: EvaluationRequest, run_id: str, digests: Digests) -> TrainingResult:
    """What was measured of a version whose seal is valid; nothing is written beside it."""
    return _result(request.version, run_id, digests).model_copy(update={"sealed": True})


def _set_seal(
    store: Store, request: ModelRequest, maker: Maker, version: str, run_id: str, digests: Digests, row_key: str
) -> None:
    about = Sealed(
        registry_name=request.registry_name,
        version=version,
        run_id=run_id,
        trigger=request.trigger,
        artifact=digests.artifact,
        evaluation=digests.evaluation,
        contract=digests.contract,
    )
    with store.speaking():
        store.client.set_model_version_tag(request.registry_name, version, Tag.SEAL, seal(row_key, maker, about))


def _tags(request: ModelRequest, digests: Digests) -> dict[str, str]:
    return {
        Tag.TRIGGER: request.trigger,
        Tag.JOB: request.job,
        Tag.MODEL: f"{request.namespace}/{request.name}",
        Tag.ARTIFACT_SHA256: digests.artifact,
        Tag.EVALUATION_SHA256: digests.evaluation,
        Tag.DATASET_SHA256: digests.dataset,
        Tag.CONTRACT_SHA256: digests.contract,
    }


def _result(version: str, run_id: str, digests: Digests) -> TrainingResult:
    return TrainingResult(
        version=version,
        run_id=run_id,
        artifact_sha256=digests.artifact,
        evaluation_sha256=digests.evaluation,
    )
