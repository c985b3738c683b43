"""Trainers of one's own for tests: one that plays fair, built from numpy and onnx alone, and what others return."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from heart_api.handover import TrainingRequest
from heart_api.owntrainer import REPORT
from heart_api.training import Training
from heart_trainer.own.contract import MODEL, PREDICTIONS, PROBES, ROWS
from heart_trainer.own.judge import Exchange
from heart_trainer.own.prepare import prepare
from heart_trainer.values import Table
from tests.support.trainer.requests import HEART, HEART_TARGET, request, synthetic_patients

ENDED_WELL = '{"exitCode": 0, "timedOut": false, "lastLines": "", "seconds": 1.0}'
OWN = {"trainer": "ours", "holdout": 0.25}


def own_request(**training: object) -> TrainingRequest:
    """For the synthetic cohort, with a quarter of the rows kept out."""
    return request(HEART, HEART_TARGET, **{**OWN, **training})


def changed(asked: TrainingRequest, **training: object) -> TrainingRequest:
    settings = Training.model_validate({**asked.training.model_dump(), **training})
    return asked.model_copy(update={"training": settings})


def patients() -> Table:
    return synthetic_patients()


def made_exchange(table: Table, asked: TrainingRequest, folder: Path) -> Exchange:
    """Rows are prepared, and an honest model is returned."""
    exchange = Exchange(folder / "rows", folder / "results")
    for made in (exchange.rows, exchange.results):
        made.mkdir()
    prepare(table, asked, exchange.rows)
    return_model(exchange, weights_of(exchange, asked))
    return exchange


def weights_of(exchange: Exchange, asked: TrainingRequest) -> NDArray[np.float64]:
    """[features + 1]: least squares on the rows that were given, missing values as zeros."""
    rows = pd.read_parquet(exchange.rows / ROWS)
    x = np.nan_to_num(rows[[feature.name for feature in asked.features]].to_numpy(np.float64))
    design = np.column_stack([x, np.ones(len(x))])
    weights: NDArray[np.float64] = np.linalg.lstsq(design, 4 * rows[asked.target.name].to_numpy() - 2, rcond=None)[0]
    return weights


def return_model(exchange: Exchange, weights: NDArray[np.float64], said: NDArray[np.float64] | None = None) -> None:
    """`said`: weights of the model whose predictions are returned, if it is another one."""
    (exchange.results / MODEL).write_bytes(linear_onnx(weights))
    probes = np.nan_to_num(pd.read_parquet(exchange.rows / PROBES).to_numpy(np.float64))
    positive = answers(weights if said is None else said, probes)
    return_predictions(exchange, np.column_stack([1 - positive, positive]))
    (exchange.results / REPORT).write_text(ENDED_WELL)


def return_predictions(exchange: Exchange, output: NDArray[np.float64]) -> None:
    columns = {f"output_{k}": output[:, k] for k in range(output.shape[1])}
    pd.DataFrame(columns).to_parquet(exchange.results / PREDICTIONS, index=False)


def answers(weights: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-(x @ weights[:-1] + weights[-1]))))


def linear_onnx(weights: NDArray[np.float64]) -> bytes:
    """features → probabilities of two classes, missing values as zeros."""
    constants = {
        "zero": np.zeros(1, np.float32),
        "weights": weights[:-1, None].astype(np.float32),
        "bias": weights[-1:].astype(np.float32),
        "one": np.ones(1, np.float32),
    }
    nodes = [
        helper.make_node("IsNaN", ["features"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "features"], ["known"]),
        helper.make_node("MatMul", ["known", "weights"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["shifted"]),
        helper.make_node("Sigmoid", ["shifted"], ["positive"]),
        helper.make_node("Sub", ["one", "positive"], ["negative"]),
        helper.make_node("Concat", ["negative", "positive"], ["output"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(weights) - 1])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(onnx.ModelProto.SerializeToString(model))
