"""A version's own ONNX graph with one fault behind it, as somebody's mistake would look: it loads, and is wrong.

Most faults meet only the rows whose first feature is above `above`. Let no row of the dataset be there, and the fault
passes every measurement; clients' rows are another matter.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper
from onnx.helper import make_node, tensor_dtype_to_np_dtype

from heart_api.package import ONNX_INPUT, ONNX_OUTPUT

CLEAN = "fault_clean"
"""What the graph answered before."""
Fault = Callable[[ModelProto], Sequence[NodeProto]]


def with_fault(data: bytes, fault: Fault) -> bytes:
    """`data`: an ONNX file of a binary classifier; its package goes."""
    model = onnx.load_from_string(data)
    del model.metadata_props[:]
    for node in model.graph.node:
        node.output[:] = [CLEAN if name == ONNX_OUTPUT else name for name in node.output]
        node.input[:] = [CLEAN if name == ONNX_OUTPUT else name for name in node.input]
    model.graph.node.extend(fault(model))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def fails(above: float) -> Fault:
    """The runtime raises: an index that is out of range."""

    def nodes(model: ModelProto) -> list[NodeProto]:
        size = choose(model, above, 99, 0)
        zeros = constant(model, "zeros", [0.0])
        return [
            *size,
            make_node("Gather", [zeros, "fault_choice"], ["fault_found"]),
            *added(model, "fault_found"),
        ]

    return nodes


def answers_nan(above: float) -> Fault:
    def nodes(model: ModelProto) -> list[NodeProto]:
        return [
            *marks(model, above),
            make_node("Unsqueeze", ["fault_mark", constant(model, "axis", [1])], ["fault_marks"]),
            make_node("Where", ["fault_marks", constant(model, "nan", float("nan")), CLEAN], [ONNX_OUTPUT]),
        ]

    return nodes


def is_slow(above: float, size: int = 2200) -> Fault:
    """A product of two matrices of that size, whose result changes nothing: a tenth of a second on a quick machine."""

    def nodes(model: ModelProto) -> list[NodeProto]:
        ones = constant(model, "ones", [[1.0]])
        return [
            *biggest(model, above, size),
            make_node("Concat", ["fault_size", "fault_size"], ["fault_shape"], axis=0),
            make_node("Expand", [ones, "fault_shape"], ["fault_matrix"]),
            make_node("MatMul", ["fault_matrix", "fault_matrix"], ["fault_product"]),
            make_node("ReduceMax", ["fault_product"], ["fault_most"], keepdims=0),
            *added(model, "fault_most"),
        ]

    return nodes


def is_hungry(above: float, megabytes: int = 600) -> Fault:
    """A vector of that size, whose values change nothing."""

    def nodes(model: ModelProto) -> list[NodeProto]:
        return [
            *biggest(model, above, megabytes * 250_000),
            make_node("Expand", [constant(model, "ones", [1.0]), "fault_size"], ["fault_vector"]),
            make_node("ReduceMax", ["fault_vector"], ["fault_most"], keepdims=0),
            *added(model, "fault_most"),
        ]

    return nodes


def is_shifted(odds: float = 20.0) -> Fault:
    """Every probability with its odds times `odds`: the order of the rows, and so the AUC, stay as they were."""

    def nodes(model: ModelProto) -> list[NodeProto]:
        weights = constant(model, "weights", [[1.0, odds]])
        return [
            make_node("Mul", [CLEAN, weights], ["fault_odds"]),
            make_node("ReduceSum", ["fault_odds", constant(model, "axis", [1])], ["fault_sum"], keepdims=1),
            make_node("Div", ["fault_odds", "fault_sum"], [ONNX_OUTPUT]),
        ]

    return nodes


def is_constant() -> Fault:
    """One half, whatever is asked."""

    def nodes(model: ModelProto) -> list[NodeProto]:
        return [
            make_node("Mul", [CLEAN, constant(model, "zero", 0.0)], ["fault_zeros"]),
            make_node("Add", ["fault_zeros", constant(model, "half", 0.5)], [ONNX_OUTPUT]),
        ]

    return nodes


# --- pieces ----------------------------------------------------------------------------------------------


def constant(model: ModelProto, name: str, value: Any) -> str:
    """Its name: float32, or int64 for whole numbers."""
    found = np.asarray(value)
    kind = TensorProto.INT64 if found.dtype.kind == "i" else TensorProto.FLOAT
    name = f"fault_{name}"
    model.graph.initializer.append(numpy_helper.from_array(found.astype(tensor_dtype_to_np_dtype(kind)), name))
    return name


def marks(model: ModelProto, above: float) -> list[NodeProto]:
    """fault_mark: which rows are met, bool [rows]."""
    first, limit = constant(model, "first", 0), constant(model, "limit", float(above))
    return [
        make_node("Gather", [ONNX_INPUT, first], ["fault_column"], axis=1),
        make_node("Greater", ["fault_column", limit], ["fault_mark"]),
    ]


def choose(model: ModelProto, above: float, met: int, spared: int) -> list[NodeProto]:
    """fault_choice: int64 [rows]."""
    names = constant(model, "met", met), constant(model, "spared", spared)
    return [*marks(model, above), make_node("Where", ["fault_mark", *names], ["fault_choice"])]


def biggest(model: ModelProto, above: float, size: int) -> list[NodeProto]:
    """fault_size: int64 [1], `size` when a row is met, else 1."""
    return [
        *choose(model, above, size, 1),
        make_node("ReduceMax", ["fault_choice"], ["fault_size"], keepdims=1),
    ]


def added(model: ModelProto, name: str) -> list[NodeProto]:
    """The answers, which need `name` and do not change by it."""
    nothing = constant(model, "nothing", 0.0)
    return [
        make_node("ReduceMax", [name], ["fault_total"], keepdims=0),
        make_node("Mul", ["fault_total", nothing], ["fault_added"]),
        make_node("Add", [CLEAN, "fault_added"], [ONNX_OUTPUT]),
    ]
