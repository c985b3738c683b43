"""What the version that serves was trained on, as far as it may be believed: seal → evaluation → profile."""

from dataclasses import dataclass

from pydantic import ValidationError

from heart_api.evaluation import EVALUATION_PATH, Evaluation, ServingReference
from heart_api.referenceprofile import PROFILE_PATH, ReferenceProfile
from heart_model.labels import class_labels
from heart_trainer.drift.errors import CheckError
from heart_trainer.evaluation.compare import NotComparable
from heart_trainer.mlflow.client import Store
from heart_trainer.mlflow.seals import read_seal, sha256
from heart_trainer.mlflow.serving_version import read_package, serving_file

AGAIN = "train the model again to get one"


@dataclass(frozen=True)
class Reference:
    """`labels`: names of the classes as the prediction log has them; none for regression."""

    profile: ReferenceProfile
    labels: tuple[str, ...]


def read_reference(store: Store, registry_name: str, serving: ServingReference, row_key: str) -> Reference:
    """The serving version's reference profile and class labels, after its seal and all digests were verified.

    Raises CheckError (ReferenceUnreadable) if they do not match, RegistryUnavailable if MLflow does not answer.
    """
    try:
        package = read_package(serving_file(store, registry_name, serving))
    except NotComparable as why:
        raise _unreadable(serving, str(why)) from why
    return Reference(_profile(store, registry_name, serving, row_key), class_labels(package))


def _profile(store: Store, registry_name: str, serving: ServingReference, row_key: str) -> ReferenceProfile:
    with store.speaking():
        version = store.client.get_model_version(registry_name, serving.version)
    result = read_seal(version, row_key)
    if result is None or result.artifact_sha256 != serving.digest:
        raise _unreadable(serving, f"its tags carry no seal of this row key; {AGAIN}")
    evaluation = store.read_run(result.run_id, EVALUATION_PATH)
    if sha256(evaluation) != result.evaluation_sha256:
        raise _unreadable(serving, "its evaluation in the registry was changed after training (digests differ)")
    try:
        expected = Evaluation.model_validate_json(evaluation).reference_profile_sha256
        if expected is None:
            raise _unreadable(serving, f"its evaluation names no reference profile; {AGAIN}")
        data = store.read_run(result.run_id, PROFILE_PATH)
        if sha256(data) != expected:
            raise _unreadable(serving, "its reference profile was changed after training (digests differ)")
        return ReferenceProfile.model_validate_json(data)
    except ValidationError as error:
        raise _unreadable(
            serving, f"it was written by a version of HeartOps that cannot be read here; {AGAIN}"
        ) from error


def _unreadable(serving: ServingReference, why: str) -> CheckError:
    message = f"Nothing can be compared with the training of version {serving.version}: {why}"
    return CheckError("ReferenceUnreadable", message, permanent=True)
