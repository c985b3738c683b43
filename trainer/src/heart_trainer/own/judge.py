"""The judgement of a trainer of one's own: its very file, on rows that it never had.

What is measured is the file that will be registered, run here. So there is no other model than the judged one, and
nothing that the program says about its own quality is read.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from heart_api.handover import TrainingRequest
from heart_model.errors import ModelRejected
from heart_model.onnxfile import inspect_onnx
from heart_trainer.conversion.convert import convert
from heart_trainer.errors import NotServable, TrainerError
from heart_trainer.evaluation.metrics import Array
from heart_trainer.fit.onnx_export import difference_of, output_scale, run_onnx
from heart_trainer.own.contract import TASK, task_of
from heart_trainer.own.prepare import judged_rows, learnt_rows, probes
from heart_trainer.own.results import check_ending, read_model, read_predictions
from heart_trainer.package.from_outside import packaged
from heart_trainer.package.servable import answers, open_model
from heart_trainer.values import Fitted, FoldChoice, OutOfFoldResult, Parity, Table

REFUSED = "The trainer's ONNX file cannot be run"
ADVICE = " The file is what the trainer returned (docs/own-trainer.md)."


@dataclass(frozen=True)
class Exchange:
    """The folder that the program read, and the one that it wrote."""

    rows: Path
    results: Path


def judge(table: Table, request: TrainingRequest, exchange: Exchange) -> Fitted:
    """The returned model with its answers to the rows kept out.

    Raises TrainerFailed (the program ended badly, or a file is missing), NotServable (the file is no model that could
    serve, or not the one that made the predictions), TrainerError (the dataset has changed meanwhile).
    """
    learnt = learnt_rows(table, request)
    check_same_rows(table, request, len(learnt), exchange.rows)
    check_ending(exchange.results)
    converted = convert(checked_file(exchange.results), table, request.features, request.training.seed)
    data = packaged(converted, table, request, str(request.training.trainer), REFUSED)
    output = answers(open_model(data, ADVICE), table)
    parity = check_predictions(converted, table, request, exchange.results)
    judged = judged_rows(table, request)
    name, parameters = str(request.training.trainer), dict(request.training.parameters or {})
    oof = OutOfFoldResult(
        np.where(judged[:, None], output, np.nan),
        np.where(judged, 0, -1),
        (FoldChoice(name, parameters, "none"),),
    )
    return Fitted(name, parameters, "none", None, oof, converted, parity)


def check_same_rows(table: Table, request: TrainingRequest, learnt: int, folder: Path) -> None:
    """The rows that judge are read a second time: they must be of the dataset that the program got.

    The program cannot write in this folder.
    """
    if (folder / TASK).read_text() != task_of(request, table, learnt).model_dump_json(by_alias=True, exclude_none=True):
        message = (
            "the dataset changed while the trainer ran, so that its rows and those that judge it are not of one set"
        )
        raise TrainerError("TrainingInterrupted", message, permanent=False)


def checked_file(folder: Path) -> bytes:
    """The ONNX file, before any library opens it: it may not read files of this container. Raises NotServable."""
    data = read_model(folder)
    try:
        inspect_onnx(data)
    except ModelRejected as rejected:
        raise NotServable(f"{rejected}.{ADVICE}") from rejected
    return data


def check_predictions(converted: bytes, table: Table, request: TrainingRequest, results: Path) -> Parity:
    """Between the program's own model and its file. Raises NotServable where they are two models."""
    x = probes(table, learnt_rows(table, request), request)
    ours: Array = np.asarray(run_onnx(converted, x))
    said = read_predictions(results, *ours.shape)
    found = difference_of(np.asarray(ours), said, output_scale(table))
    if not found.holds:
        raise NotServable(
            f"The trainer's predictions for the probes differ from those of its ONNX file by {found.difference:.2g}, "
            f"more than {found.allowed:.2g}: the file is another model than the one that made them, or its conversion "
            "is not exact. Compare both on probes.parquet."
        )
    return found
