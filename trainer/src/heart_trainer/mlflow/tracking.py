"""What a training leaves in MLflow: parameters, figures, files, and the model itself."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import mlflow.onnx
import numpy as np
import onnx
from mlflow.entities import Dataset, DatasetInput
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from heart_api.base import Frozen
from heart_api.evaluation import CARD_PATH, EVALUATION_PATH, OOF_PATH, Evaluation
from heart_api.handover import ModelRequest
from heart_api.package import MODEL_FILE, ONNX_INPUT, ONNX_OUTPUT
from heart_api.referenceprofile import PROFILE_PATH
from heart_trainer.errors import TrainerError
from heart_trainer.fit.onnx_export import is_double
from heart_trainer.mlflow.client import Store
from heart_trainer.redaction import redact, source_of
from heart_trainer.values import Fitted, Table

PIPELINE_PATH = "pipeline/pipeline.joblib"


def as_json(value: Frozen) -> bytes:
    return value.model_dump_json(by_alias=True, exclude_none=True).encode()


def parameters(request: ModelRequest, table: Table, fitted: Fitted) -> dict[str, str]:
    training = request.training
    general = {
        "algorithm": fitted.algorithm,
        "calibration": fitted.calibration,
        "task": table.task,
        "rows": table.all_rows,
        "features": len(request.features),
        "folds": training.cross_validation.folds,
        "trials": training.tuning.trials,
        "holdout": training.holdout,
        "seed": training.seed,
        "dataset_uri": source_of(request),
        "dataset_sha256": table.raw_sha256,
        "dataset_read_as": "; ".join(table.reading),
        "synthetic": table.synthetic,
    }
    if training.trainer:
        general |= {"trainer": training.trainer, "trainer_image": request.trainer_image or ""}
    chosen = {f"model.{name}": value for name, value in fitted.params.items()}
    return {name: str(value) for name, value in (general | chosen).items()}


def figures(evaluation: Evaluation) -> dict[str, float]:
    """Each metric under its own name, its interval as `_low` and `_high`, gaps as `gap.<feature>.<metric>`."""
    found: dict[str, float] = {}
    for name, estimate in evaluation.metrics.items():
        found |= {name: estimate.estimate, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return found | {f"gap.{gap.feature}.{gap.metric}": gap.gap.estimate for gap in evaluation.gaps}


def write_files(
    folder: Path, fitted: Fitted, documents: Mapping[str, bytes], card: str, plots: Mapping[str, bytes]
) -> None:
    """Lay out the run's artifacts under `folder`. `documents`: evaluation, out-of-fold predictions, profile."""
    write(folder, {**documents, CARD_PATH: card.encode(), **{f"plots/{name}.png": png for name, png in plots.items()}})
    if fitted.pipeline is None:  # a trainer of one's own returns the ONNX file alone
        return
    (folder / PIPELINE_PATH).parent.mkdir(exist_ok=True)
    joblib.dump(fitted.pipeline, folder / PIPELINE_PATH, compress=3)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def log_files(store: Store, run_id: str, write_to: Callable[[Path], None]) -> None:
    """Log what `write_to` lays out in the folder that it is given."""
    with TemporaryDirectory() as folder:
        write_to(Path(folder))
        store.log_folder(run_id, Path(folder))


def log_dataset(store: Store, run_id: str, request: ModelRequest, table: Table) -> None:
    """MLflow's own record of the dataset; its digest field holds 36 characters."""
    digest = table.raw_sha256.removeprefix("sha256:")[:36]
    source = source_of(request)
    dataset = Dataset(name=request.name, digest=digest, source_type="uri", source=source)
    with store.speaking():
        store.client.log_inputs(run_id, datasets=[DatasetInput(dataset)])


def log_model(store: Store, run_id: str, data: bytes, table: Table) -> str:
    """Log the ONNX file under MLflow's ONNX flavour and read it back; returns the logged model's id.

    What is registered is what was measured: stored bytes that differ end the training.
    """
    with store.speaking():
        experiment = store.client.get_run(run_id).info.experiment_id
        model_id = store.client.create_logged_model(experiment, name="model", source_run_id=run_id).model_id
        Model.log(
            artifact_path=None,
            flavor=mlflow.onnx,
            model_id=model_id,
            run_id=run_id,
            onnx_model=onnx.load_model_from_string(data),
            signature=_signature(table, is_double(data)),
            pip_requirements=["onnxruntime", "numpy"],
            save_as_external_data=False,
        )
    if store.read_model(model_id, MODEL_FILE) != data:
        message = (
            f"MLflow at {store.uri} gave back other bytes of {MODEL_FILE} than it was given; check its artifact store"
        )
        raise TrainerError("TrainingFailed", redact(message), permanent=False)
    return str(model_id)


def _signature(table: Table, double: bool) -> ModelSignature:
    single, answer = np.dtype(np.float32), np.dtype(np.float64 if double else np.float32)
    inputs = TensorSpec(single, (-1, table.x.shape[1]), ONNX_INPUT)
    outputs = TensorSpec(answer, (-1, max(len(table.classes), 1)), ONNX_OUTPUT)
    return ModelSignature(inputs=Schema([inputs]), outputs=Schema([outputs]))


def documents(evaluation: bytes, out_of_fold: bytes, profile: bytes) -> dict[str, bytes]:
    return {EVALUATION_PATH: evaluation, OOF_PATH: out_of_fold, PROFILE_PATH: profile}
