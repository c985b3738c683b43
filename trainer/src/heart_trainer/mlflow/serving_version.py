"""The version that serves, as far as it may be believed: its file by digest, its predictions by our seal."""

import onnx
from pydantic import ValidationError

from heart_api.evaluation import EVALUATION_PATH, OOF_PATH, Evaluation, OutOfFold, ServingReference
from heart_api.handover import TrainingResult
from heart_api.package import MODEL_FILE, PACKAGE_KEY, ServingPackage
from heart_trainer.evaluation.compare import NotComparable, ServingModel
from heart_trainer.mlflow.client import RegistryUnavailable, Store
from heart_trainer.mlflow.seals import read_seal, sha256


def serving_file(store: Store, registry_name: str, reference: ServingReference) -> bytes:
    """The serving version's model.onnx. Raises NotComparable if it cannot be read or its digest differs."""
    try:
        data = store.read_version(registry_name, reference.version, MODEL_FILE)
    except RegistryUnavailable as error:
        raise NotComparable(f"its files could not be read: {error.message}") from error
    if sha256(data) != reference.digest:
        raise NotComparable("its file in the registry is not the one that serves (digests differ)")
    return data


def serving_model(store: Store, registry_name: str, reference: ServingReference, row_key: str) -> ServingModel:
    """The version that serves, every file of it checked against a digest. Raises NotComparable."""
    data = serving_file(store, registry_name, reference)
    try:
        with store.speaking():
            version = store.client.get_model_version(registry_name, reference.version)
        result = read_seal(version, row_key)
        if result is None:
            raise NotComparable(
                "its tags carry no seal of this row key, so that its training rows cannot be told apart from new ones"
            )
        return ServingModel(reference, data, read_package(data), _sealed_rows(store, result))
    except RegistryUnavailable as error:
        raise NotComparable(f"its files could not be read: {error.message}") from error


def _sealed_rows(store: Store, result: TrainingResult) -> OutOfFold:
    """Its out-of-fold predictions, through the chain seal → evaluation → predictions."""
    changed = NotComparable("its evaluation in the registry was changed after training (digests differ)")
    evaluation = store.read_run(result.run_id, EVALUATION_PATH)
    if sha256(evaluation) != result.evaluation_sha256:
        raise changed
    try:
        expected = Evaluation.model_validate_json(evaluation).out_of_fold_sha256
        if expected is None:
            raise NotComparable("it was registered by hand, so that the rows it was trained on are unknown")
        rows = store.read_run(result.run_id, OOF_PATH)
        if sha256(rows) != expected:
            raise changed
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
