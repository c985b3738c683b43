"""The last step of a regression's ONNX graph: the offset that its target was learnt without is added back."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from heart_api.package import ONNX_OUTPUT

BEFORE, WIDENED = "less_offset", "less_offset_widened"


def append_offset(model: onnx.ModelProto, offset: float, double: bool) -> None:
    """Adds the offset in place: to the base value of a tree ensemble, so that it stays one node, else as an Add.

    `double`: after a cast to float64, and the output is float64.
    """
    last = next(node for node in model.graph.node if ONNX_OUTPUT in node.output)
    if last.op_type == "TreeEnsembleRegressor" and not double:
        _raise_base(last, offset)
        return
    for node in model.graph.node:
        node.input[:] = [BEFORE if name == ONNX_OUTPUT else name for name in node.input]
        node.output[:] = [BEFORE if name == ONNX_OUTPUT else name for name in node.output]
    kind: type[np.floating] = np.float32
    before = BEFORE
    if double:
        kind, before = np.float64, WIDENED
        model.graph.node.append(helper.make_node("Cast", [BEFORE], [WIDENED], to=TensorProto.DOUBLE))
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.initializer.append(numpy_helper.from_array(np.array([offset], kind), "offset"))
    model.graph.node.append(helper.make_node("Add", [before, "offset"], [ONNX_OUTPUT]))


def _raise_base(trees: onnx.NodeProto, offset: float) -> None:
    base = next((attribute for attribute in trees.attribute if attribute.name == "base_values"), None)
    if base is None:
        trees.attribute.append(helper.make_attribute("base_values", [offset]))
    else:
        base.floats[:] = [value + offset for value in base.floats]
