"""Registered versions: whose name it is, what an earlier pod already registered, and what may be believed of it."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import onnx
from mlflow.exceptions import MlflowException
from pydantic import ValidationError

from heart_operator.api.handover import (
    EVALUATION_PATH,
    MODEL_FILE,
    OOF_PATH,
    PACKAGE_KEY,
    Evaluation,
    OutOfFold,
    ServingPackage,
    ServingReference,
    Tag,
    TrainingRequest,
    TrainingResult,
)
from heart_trainer.compare import NotComparable, ServingModel
from heart_trainer.errors import TrainerError
from heart_trainer.mlflow_store import RegistryUnavailable, Store


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def seal(row_key: str, trigger: str, artifact: str, evaluation: str) -> str:
    """HMAC over what a Job of ours registered: whoever may write to MLflow cannot make one for other files."""
    return hmac.new(row_key.encode(), "\n".join((trigger, artifact, evaluation)).encode(), hashlib.sha256).hexdigest()


def claim(store: Store, request: TrainingRequest) -> None:
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
        result = _sealed(version, row_key)
        if result and _stored(store, version, result):
            return result
    return None


def _sealed(version: Any, row_key: str) -> TrainingResult | None:
    tags = version.tags
    artifact, evaluation = tags.get(Tag.ARTIFACT_SHA256, ""), tags.get(Tag.EVALUATION_SHA256, "")
    expected = seal(row_key, tags.get(Tag.TRIGGER, ""), artifact, evaluation)
    if not hmac.compare_digest(expected, tags.get(Tag.SEAL, "")):
        return None
    return TrainingResult(
        version=str(version.version), run_id=version.run_id, artifact_sha256=artifact, evaluation_sha256=evaluation
    )


def _stored(store: Store, version: Any, result: TrainingResult) -> bool:
    model = store.read_version(version.name, version.version, MODEL_FILE)
    evaluation = store.read_run(result.run_id, EVALUATION_PATH)
    return sha256(model) == result.artifact_sha256 and sha256(evaluation) == result.evaluation_sha256


def serving_model(store: Store, registry_name: str, reference: ServingReference, row_key: str) -> ServingModel:
    """The version that serves, every file of it checked against a digest. Raises NotComparable."""
    try:
        with store.speaking():
            version = store.client.get_model_version(registry_name, reference.version)
        data = store.read_version(version.name, version.version, MODEL_FILE)
        if sha256(data) != reference.digest:
            raise NotComparable("its file in the registry is not the one that serves (digests differ)")
        result = _sealed(version, row_key)
        if result is None:
            raise NotComparable(
                "its tags carry no seal of this row key, so that rows it has learnt cannot be told from new ones"
            )
        return ServingModel(reference, data, read_package(data), _sealed_rows(store, result))
    except RegistryUnavailable as error:
        raise NotComparable(f"its files could not be read: {error.message}") from error


def _sealed_rows(store: Store, result: TrainingResult) -> OutOfFold:
    """Its out-of-fold predictions, through the chain seal → evaluation → predictions."""
    evaluation = store.read_run(result.run_id, EVALUATION_PATH)
    rows = store.read_run(result.run_id, OOF_PATH)
    try:
        expected = Evaluation.model_validate_json(evaluation).out_of_fold_sha256
        if sha256(evaluation) != result.evaluation_sha256 or sha256(rows) != expected:
            raise NotComparable("its evaluation in the registry was changed after training (digests differ)")
        return OutOfFold.model_validate_json(rows)
    except ValidationError as error:
        raise NotComparable("its evaluation was written by a version of HeartOps that cannot be read here") from error


def read_package(model: bytes) -> ServingPackage:
    """The package inside an ONNX file of ours. Raises NotComparable when there is none."""
    properties = {entry.key: entry.value for entry in onnx.load_model_from_string(model).metadata_props}
    try:
        return ServingPackage.model_validate_json(properties.get(PACKAGE_KEY, ""))
    except ValidationError as error:
        raise NotComparable("its file holds no serving package that can be read here") from error


@dataclass(frozen=True)
class Digests:
    artifact: str
    evaluation: str
    dataset: str


def register(
    store: Store, request: TrainingRequest, run_id: str, model_id: str, digests: Digests, row_key: str
) -> TrainingResult:
    """The last step of a training: a version with all its tags, in one call."""
    tags = {
        Tag.TRIGGER: request.trigger,
        Tag.JOB: request.job,
        Tag.MODEL: f"{request.namespace}/{request.name}",
        Tag.ARTIFACT_SHA256: digests.artifact,
        Tag.EVALUATION_SHA256: digests.evaluation,
        Tag.DATASET_SHA256: digests.dataset,
        Tag.SEAL: seal(row_key, request.trigger, digests.artifact, digests.evaluation),
    }
    with store.speaking():
        version = store.client.create_model_version(
            request.registry_name,
            f"models:/{model_id}",
            run_id=run_id,
            tags=tags,
            await_creation_for=60,
            model_id=model_id,
        )
    return TrainingResult(
        version=str(version.version),
        run_id=run_id,
        artifact_sha256=digests.artifact,
        evaluation_sha256=digests.evaluation,
    )
