"""A real ONNX file of a few hundred bytes that serves in milliseconds: logistic regression, softmax or linear."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from heart_api.contract import Feature, Target
from heart_api.explanation import EncodedColumn, Explanation, Unit
from heart_api.package import ONNX_INPUT, ONNX_OUTPUT, PACKAGE_KEY, ReferenceRows, ServingPackage

HEART: tuple[Feature, ...] = (
    Feature(name="age", type="number", minimum=0, maximum=120, unit="years", description="Age of the patient"),
    Feature(name="sex", type="category", values=(0, 1), description="1 = male", sensitive=True),
    Feature(name="cp", type="category", values=("typical", "atypical", "none")),
    Feature(name="vessels", type="integer", minimum=0, maximum=3, required=False),
    Feature(name="exang", type="boolean", description="Angina on exertion"),
)
"""One feature of every kind."""
RECORD: dict[str, Any] = {"age": 54, "sex": 1, "cp": "typical", "vessels": 2, "exang": False}
MISSING = -1.0
"""What the tiny models put in the place of a missing value."""


@dataclass(frozen=True)
class TinyModel:
    """The bytes of an ONNX file and their digest (hex)."""

    data: bytes
    package: ServingPackage

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def write(self, folder: Path) -> Path:
        path = folder / "model.onnx"
        path.write_bytes(self.data)
        return path


def tiny_model(
    features: Sequence[Feature] = HEART,
    task: str = "binary",
    *,
    classes: tuple[int | str, ...] | None = None,
    labels: tuple[str, ...] | None = None,
    seed: int = 0,
    **package: Any,
) -> TinyModel:
    """Random weights, and reference rows that the model itself has answered; `package` overrides its fields."""
    graph = tiny_graph(len(features), task, len(classes or (0, 1)) if task != "regression" else 1, seed)
    rows = np.random.default_rng(seed).normal(size=(8, len(features))).astype(np.float32)
    if classes is None:
        classes = () if task == "regression" else (0, 1)
    fields = {
        "registry_name": "clinic.heart",
        "task": task,
        "algorithm": "logistic-regression",
        "features": tuple(features),
        "target": Target(name="num", labels=labels, description="Heart disease"),
        "classes": classes,
        "reference": ReferenceRows(
            inputs=rows.tolist(), outputs=run_directly(graph.SerializeToString(), rows).tolist()
        ),
        "explanation": tiny_explanation(graph, task, rows),
    }
    finished = ServingPackage(**fields | package)
    helper.set_model_props(graph, {PACKAGE_KEY: finished.model_dump_json(by_alias=True)})
    return TinyModel(graph.SerializeToString(), finished)


def tiny_graph(features: int, task: str, outputs: int, seed: int) -> ModelProto:
    """A matrix, and what the task needs behind it; missing values are replaced first."""
    columns = 1 if task in ("binary", "regression") else outputs
    weights = np.random.default_rng(seed).normal(size=(features, columns)).astype(np.float32) / 10
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array(MISSING, np.float32), "missing"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
    ]
    head = {
        "binary": [
            helper.make_node("Sigmoid", ["linear"], ["positive"]),
            helper.make_node("Sub", ["one", "positive"], ["negative"]),
            helper.make_node("Concat", ["negative", "positive"], [ONNX_OUTPUT], axis=1),
        ],
        "multiclass": [helper.make_node("Softmax", ["linear"], [ONNX_OUTPUT], axis=1)],
        "regression": [helper.make_node("Identity", ["linear"], [ONNX_OUTPUT])],
    }[task]
    nodes = [
        helper.make_node("IsNaN", [ONNX_INPUT], ["absent"]),
        helper.make_node("Where", ["absent", "missing", ONNX_INPUT], ["present"]),
        helper.make_node("MatMul", ["present", "weights"], ["linear"]),
        *head,
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(ONNX_INPUT, TensorProto.FLOAT, [None, features])],
        [helper.make_tensor_value_info(ONNX_OUTPUT, TensorProto.FLOAT, [None, outputs])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tiny_explanation(graph: ModelProto, task: str, background: Any) -> Explanation:
    weights = numpy_helper.to_array(graph.graph.initializer[0])
    units: dict[str, Unit] = {"binary": "log-odds", "multiclass": "logit", "regression": "target"}
    return Explanation(
        method="linear",
        unit=units[task],
        background=background.tolist(),
        fills=(MISSING,) * len(weights),
        columns=tuple(EncodedColumn(feature=index) for index in range(len(weights))),
        coefficients=weights.T.tolist(),
        intercepts=(0.0,) * weights.shape[1],
    )


def run_directly(data: bytes, rows: Any) -> Any:
    """What onnxruntime itself answers to encoded rows, float32 [rows, features]."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run([ONNX_OUTPUT], {ONNX_INPUT: np.asarray(rows, np.float32)})[0]
