"""The pipelines that every server opens: made by the trainer's own code, as ONNX for us and as joblib for the peers."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx

from heart_api.package import ONNX_INPUT, ONNX_OUTPUT
from heart_api.training import Algorithm
from heart_serving.model.examples import example_record
from heart_serving.protocols.contract import Contract
from tests.support.serving.tiny_model import TinyModel
from tests.support.trainer.requests import HEART
from tests.support.trainer.trained_model import train_model

ROWS = 303
FOREST: dict[str, Any] = {"n_estimators": 200, "min_samples_leaf": 5}
MODELS: dict[str, tuple[str, Algorithm, dict[str, Any]]] = {
    "logistic": ("logistic regression", "logistic-regression", {}),
    "forest": ("forest of 200 trees", "random-forest", FOREST),
}


@dataclass(frozen=True)
class BenchModel:
    key: str
    title: str
    served: TinyModel
    onnx: Path
    pipeline: Path
    record: dict[str, Any]
    """As a client of ours sends it."""
    row: list[float]
    """The same, encoded: what the pipeline takes."""


SLOW_WIDTH, SLOW_LAYERS = 1000, 100


def slow_model(folder: Path) -> BenchModel:
    """An answer takes milliseconds, whatever the record: products of large matrices before the logistic regression."""
    fast = make_model("logistic", folder / "slow")
    graph = onnx.load_from_string(fast.served.data)
    square = np.random.default_rng(0).normal(0, 1 / np.sqrt(SLOW_WIDTH), (SLOW_WIDTH, SLOW_WIDTH)).astype(np.float32)
    wide = np.zeros((len(fast.row), SLOW_WIDTH), np.float32)  # the result is zero, which the runtime cannot know
    narrow = np.zeros((SLOW_WIDTH, 2), np.float32)
    for name, values in (("slow_wide", wide), ("slow_square", square), ("slow_narrow", narrow)):
        graph.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    for node in graph.graph.node:
        node.output[:] = ["fast_output" if name == ONNX_OUTPUT else name for name in node.output]
    names = ["slow_0", *(f"slow_{layer}" for layer in range(1, SLOW_LAYERS + 1))]
    chain = [onnx.helper.make_node("MatMul", [a, "slow_square"], [b]) for a, b in itertools.pairwise(names)]
    graph.graph.node.extend(
        [
            onnx.helper.make_node("IsNaN", [ONNX_INPUT], ["slow_absent"]),
            onnx.helper.make_node("Cast", ["slow_absent"], ["slow_input"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("MatMul", ["slow_input", "slow_wide"], ["slow_0"]),
            *chain,
            onnx.helper.make_node("MatMul", [names[-1], "slow_narrow"], ["slow_zero"]),
            onnx.helper.make_node("Add", ["fast_output", "slow_zero"], [ONNX_OUTPUT]),
        ]
    )
    served = TinyModel(graph.SerializeToString(), fast.served.package)
    return replace(fast, key="slow", title="slow model", served=served, onnx=served.write(folder / "slow" / "logistic"))


def make_model(key: str, folder: Path) -> BenchModel:
    title, algorithm, params = MODELS[key]
    trained = train_model(HEART, "binary", algorithm, params, ROWS)
    place = folder / key
    place.mkdir(parents=True)
    joblib.dump(trained.pipeline, place / "model.joblib")
    record = example_record(trained.served.package)
    row = Contract.of(HEART, 1).rows([record])[0].tolist()
    return BenchModel(key, title, trained.served, trained.served.write(place), place / "model.joblib", record, row)
