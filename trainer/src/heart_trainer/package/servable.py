"""Can this version be served? Somebody else's bytes: fetched as data, opened as serving opens them, never unpickled."""

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException

from heart_api.contract import Feature, Target
from heart_api.handover import JobRequest
from heart_api.package import MODEL_FILE, ServingPackage
from heart_model.artifact_path import proxied_path
from heart_model.errors import ModelRejected
from heart_model.limits import MAX_MODEL_BYTES, ArtifactRejected
from heart_model.model import Model, load_model
from heart_model.selfcheck import is_constant
from heart_trainer.errors import NotServable
from heart_trainer.evaluation.metrics import Array
from heart_trainer.mlflow.client import Store
from heart_trainer.values import Table

ENCODING = ("type", "values", "minimum", "maximum", "required")
"""What serving does with a feature's value; unit, description and the like are for people."""
QUESTION = ("name", "positive_above", "positive", "labels")
SIZES = (*[1] * 24, 2, 3, 5, 8, 13)
"""Rows that a model is asked about at a time, to see that its answers stay the same."""
ROUNDING = 1e-3
"""How far float32 probabilities may be from the interval, and their sum from 1."""
HOW_TO = " Register it with heart_trainer.by_hand.package_and_register, which makes such a file."


def fetch_model(store: Store, registry_name: str, version: str) -> bytes:
    """Bytes of the version's model.onnx. Raises NotServable if it has none or a larger one than serving accepts,
    RegistryUnavailable if MLflow does not answer.
    """
    root = _artifact_root(store, registry_name, version)
    with store.speaking():
        listed = mlflow.artifacts.list_artifacts(artifact_uri=root)
    sizes = {PurePosixPath(entry.path).name: entry.file_size or 0 for entry in listed if not entry.is_dir}
    if MODEL_FILE not in sizes:
        raise NotServable(f"the version has no {MODEL_FILE}, and nothing else is ever loaded.{HOW_TO}")
    if sizes[MODEL_FILE] > MAX_MODEL_BYTES:
        raise NotServable(f"its {MODEL_FILE} has {sizes[MODEL_FILE]} bytes; at most {MAX_MODEL_BYTES} are served.")
    return store.read(f"{root}/{MODEL_FILE}")


def _artifact_root(store: Store, registry_name: str, version: str) -> str:
    """Where the version's files are. A server's client must not follow a version to any other place than the server."""
    with store.speaking():
        try:
            root = str(store.client.get_model_version_download_uri(registry_name, version)).rstrip("/")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise NotServable(f"{registry_name} has no version {version} any more.") from error
    if not store.uri.startswith(("http://", "https://")):
        return root
    try:
        return f"mlflow-artifacts:/{proxied_path(root)}"
    except ArtifactRejected as rejected:
        raise NotServable(f"{rejected}.") from rejected


def open_model(data: bytes, advice: str = HOW_TO) -> Model:
    """The model as serving opens it, all checks of its start included. Raises NotServable, which ends in `advice`."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / MODEL_FILE
        file.write_bytes(data)
        try:
            return load_model(file, hashlib.sha256(data).hexdigest())
        except ModelRejected as rejected:
            raise NotServable(f"{rejected}.{advice}") from rejected


def check_contract(package: ServingPackage, request: JobRequest) -> None:
    """The version must answer the question that the HeartModel asks. Raises NotServable with every difference."""
    found = [*_features(package.features, request.features), *_target(package.target, request.target)]
    if (package.task == "regression") != (request.training.task == "regression"):
        found.append(f"its task is {package.task}, spec.training.task is {request.training.task}")
    if found:
        raise NotServable(
            f"its contract is not the HeartModel's: {'; '.join(found)}. Make it for these features, or change the spec."
        )


def _features(own: tuple[Feature, ...], wanted: tuple[Feature, ...]) -> Iterator[str]:
    names, spec = [feature.name for feature in own], [feature.name for feature in wanted]
    if absent := [name for name in spec if name not in names]:
        yield f"it does not use {', '.join(absent)}"
    if surplus := [name for name in names if name not in spec]:
        yield f"it needs {', '.join(surplus)}, which spec.features does not have"
    if names != spec:
        if sorted(names) == sorted(spec):
            yield f"it takes the features in another order ({', '.join(names)})"
        return
    for index, (feature, other) in enumerate(zip(own, wanted, strict=True)):
        for field in ENCODING:
            if getattr(feature, field) != getattr(other, field):
                yield f"{field} of {feature.name} differs from spec.features[{index}].{field}"


def _target(own: Target, wanted: Target) -> Iterator[str]:
    for field in QUESTION:
        if getattr(own, field) != getattr(wanted, field):
            name = type(own).model_fields[field].alias or field
            yield f"its target's {name} differs from spec.target.{name}"


def answers(model: Model, table: Table) -> Array:
    """[rows, classes] probabilities, or [rows, 1]: the model's answers to every row. Raises NotServable."""
    if (model.package.task, model.package.classes) != (table.task, table.classes):
        raise NotServable("it knows other classes than the dataset's target has. Make it from this dataset's target.")
    try:
        output = np.asarray(model.run(table.x), np.float64)
    except Exception as error:  # the runtime's errors have no common base
        raise NotServable(f"it fails on the dataset's rows ({type(error).__name__}).") from error
    if output.shape != (len(table), max(1, len(table.classes))):
        raise NotServable("it does not give one answer for each row and class.")
    bad = ~np.isfinite(output).all(axis=1)
    if bad.any():
        raise NotServable(f"it answers NaN or infinity to {bad.sum()} of {len(table)} rows. Impute missing values.")
    if is_constant(table.x, output):
        raise NotServable("it gives the same answer to every row of the dataset.")
    if table.task != "regression" and not _are_probabilities(output):
        raise NotServable("its answers are not probabilities: every row must lie between 0 and 1 and add up to 1.")
    check_rows_alone(model, table, output)
    return output


def check_rows_alone(model: Model, table: Table, output: Array) -> None:
    """A row has one answer, whatever rows stand beside it: it is judged among many and asked about alone.

    Raises NotServable.
    """
    chosen = np.random.default_rng(0).permutation(len(table))[: sum(SIZES)]
    scale = 1.0 if table.task != "regression" else float(np.std(output)) or 1.0
    for rows in np.split(chosen, np.cumsum(SIZES)[:-1]):
        if len(rows) and not np.allclose(model.run(table.x[rows]), output[rows], rtol=1e-4, atol=1e-4 * scale):
            raise NotServable(
                "its answer to a row depends on the rows beside it or on chance: it was another one when the row was"
                f" among {len(table)}, and among {len(rows)}. Compute each row by itself."
            )


def _are_probabilities(output: Array) -> bool:
    inside = bool(((output >= -ROUNDING) & (output <= 1 + ROUNDING)).all())
    return inside and float(np.abs(output.sum(axis=1) - 1).max()) <= ROUNDING
