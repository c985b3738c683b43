"""From a fitted pipeline to model.onnx: one float32 input, one float32 output, and proof that both say the same.

The pipeline is converted by skl2onnx; a calibrator's few operators are appended by hand (calibration_graph.py).
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs
from sklearn.ensemble import RandomForestClassifier

from heart_api.package import ONNX_INPUT, ONNX_OUTPUT, PACKAGE_KEY, ServingPackage
from heart_trainer.errors import ExportFailed
from heart_trainer.fit import boosted_graph, converters
from heart_trainer.fit.calibrate import CalibratedModel
from heart_trainer.fit.calibration_graph import append_calibrator
from heart_trainer.fit.offset import ShiftedModel
from heart_trainer.fit.offset_graph import append_offset
from heart_trainer.fit.predict import predict
from heart_trainer.values import Floats, Integers, Parity, Table

TOLERANCE = 1e-5
"""Greatest difference allowed: in probability, or (regression) in standard deviations of the target."""
STEPS = 4
"""And as many steps of the output's own precision at the size of the answer: nothing can be nearer."""
OPSETS = {"": 18, "ai.onnx.ml": 3}
RANDOM_ROWS = 2000
SUMS = "sums_of_shares"


def export(model: Any, table: Table, seed: int) -> tuple[bytes, Parity]:
    """(model.onnx, parity); raises ExportFailed where the two differ by more than is allowed."""
    return check_export(model, table, np.arange(len(table)), seed)


def check_export(model: Any, table: Table, rows: Integers, seed: int) -> tuple[bytes, Parity]:
    """The same, compared on these rows (indices) and on random ones."""
    x = table.x[rows]
    try:
        converted = to_bytes(model, x.shape[1])
    except Exception as error:  # any of dozens of skl2onnx and onnx errors
        raise ExportFailed(
            f"The model could not be converted to ONNX ({type(error).__name__}): {error}"[:1000]
        ) from error
    found = parity(converted, model, np.vstack([x, random_rows(x, seed)]), output_scale(table))
    if not found.holds:
        raise ExportFailed(
            f"Its ONNX form differs from scikit-learn's by {found.difference:.2g}, more than {found.allowed:.2g}: "
            "leave the family out of spec.training.algorithms"
        )
    return converted, found


def to_bytes(model: Any, features: int) -> bytes:
    """ONNX of a fitted pipeline, CalibratedModel or ShiftedModel; equal models give equal bytes."""
    pipeline = model.pipeline if isinstance(model, CalibratedModel | ShiftedModel) else model
    graph = _single_output(pipeline, features)
    if isinstance(model, CalibratedModel):
        append_calibrator(graph, model.calibrator)
    elif isinstance(pipeline[-1], RandomForestClassifier):
        _clip(graph)
    if isinstance(model, ShiftedModel):
        append_offset(graph, model.offset, model.double)
    _drop_unused(graph.graph)
    onnx.checker.check_model(graph)
    return canonical_bytes(graph)


def canonical_bytes(model: onnx.ModelProto) -> bytes:
    """Equal models give equal bytes: converters list the operator sets in an order that changes with each process."""
    operator_sets = sorted(model.opset_import, key=lambda entry: entry.domain)
    del model.opset_import[:]
    model.opset_import.extend(operator_sets)
    return bytes(model.SerializeToString(deterministic=True))


def parity(converted: bytes, model: Any, x: NDArray[np.float32], scale: float) -> Parity:
    """How far the ONNX model's outputs are from the model's own on `x`, in units of `scale` (see output_scale)."""
    return difference_of(run_onnx(converted, x), predict(model, x), scale)


def difference_of(output: Floats, expected: NDArray[np.float64], scale: float, steps: int = STEPS) -> Parity:
    """The place where `output` is farthest from `expected`, measured in what is allowed there."""
    apart = np.abs(output.astype(np.float64) - expected)
    allowed = TOLERANCE * scale + steps * np.spacing(np.abs(expected).astype(output.dtype)).astype(np.float64)
    worst = np.unravel_index(np.argmax(np.where(np.isnan(apart), np.inf, apart / allowed)), apart.shape)
    return Parity(float(apart[worst]), float(allowed[worst]))


def run_onnx(converted: bytes, x: Floats, output: str = ONNX_OUTPUT) -> Floats:
    """Output of model.onnx: [rows, classes] or [rows, 1]. One thread, so that a row's result is always the same."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(converted, options, providers=["CPUExecutionProvider"])
    rows = np.ascontiguousarray(x, dtype=np.float32)
    return np.asarray(session.run([output], {ONNX_INPUT: rows})[0])


def is_double(converted: bytes) -> bool:
    """Whether model.onnx answers in float64."""
    (output,) = onnx.load_from_string(converted).graph.output
    return bool(output.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE)


def attach_package(converted: bytes, package: ServingPackage) -> bytes:
    """The same model with its package under PACKAGE_KEY, replacing an earlier one."""
    model = onnx.load_from_string(converted)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != PACKAGE_KEY}
    onnx.helper.set_model_props(model, {**kept, PACKAGE_KEY: package.model_dump_json(by_alias=True, exclude_none=True)})
    return bytes(model.SerializeToString(deterministic=True))


def output_scale(table: Table) -> float:
    """1 for probabilities; one standard deviation of a regression's target."""
    return float(np.std(table.y)) if table.task == "regression" else 1.0


def random_rows(
    x: NDArray[np.float32], seed: int, rows: int = RANDOM_ROWS, required: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Rows that never were: each value from its own column, half of the numbers moved, one in ten missing.

    `required` [features]: columns that are never missing.
    """
    rng = np.random.default_rng(seed)
    drawn = np.take_along_axis(x, rng.integers(0, len(x), (rows, x.shape[1])), axis=0)
    whole = np.all(np.isnan(x) | (x == np.round(x)), axis=0)
    moved = drawn + rng.normal(0, 1, drawn.shape) * np.nan_to_num(np.nanstd(x, axis=0)) * ~whole
    drawn = np.where(rng.random(drawn.shape) < 0.5, moved, drawn)
    missing = rng.random(drawn.shape) < 0.1
    if required is not None:
        missing[:, required] = False
    return np.where(missing, np.nan, drawn).astype(np.float32)


def _single_output(pipeline: Any, features: int) -> onnx.ModelProto:
    converters.register()
    boosted_graph.register()
    classifier = hasattr(pipeline, "predict_proba")
    model = to_onnx(
        pipeline,
        name="model",  # a random name otherwise, and never the same bytes
        initial_types=[(ONNX_INPUT, FloatTensorType([None, features]))],
        options={id(pipeline): {"zipmap": False}} if classifier else None,
        target_opset=OPSETS,
    )
    wanted = "probabilities" if classifier else model.graph.output[0].name
    graph = select_model_inputs_outputs(model, [wanted])
    _rename_output(graph, wanted, len(pipeline.classes_) if classifier else 1)
    return graph


def _rename_output(model: onnx.ModelProto, old: str, width: int) -> None:
    for node in model.graph.node:
        node.input[:] = [ONNX_OUTPUT if name == old else name for name in node.input]
        node.output[:] = [ONNX_OUTPUT if name == old else name for name in node.output]
    output = onnx.helper.make_tensor_value_info(ONNX_OUTPUT, onnx.TensorProto.FLOAT, [None, width])
    model.graph.output[0].CopyFrom(output)


def _clip(model: onnx.ModelProto) -> None:
    """Probabilities within 0 and 1: in float32, the shares of a hundred trees add up to 1.0000001."""
    for node in model.graph.node:
        node.output[:] = [SUMS if name == ONNX_OUTPUT else name for name in node.output]
    for name, bound in (("least", 0.0), ("greatest", 1.0)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(bound, np.float32), name))
    model.graph.node.append(onnx.helper.make_node("Clip", [SUMS, "least", "greatest"], [ONNX_OUTPUT]))


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Constants that only the dropped label output read; onnxruntime warns of each."""
    read = {name for node in graph.node for name in node.input}
    kept = [constant for constant in graph.initializer if constant.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
