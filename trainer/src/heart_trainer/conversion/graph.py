"""Changes to an ONNX graph until it has one float input `features` and one float output `output`."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from heart_api.package import ONNX_INPUT, ONNX_OUTPUT
from heart_trainer.errors import NotServable

OPSET = 13
"""The least version of the standard operators that are added here."""
RAW = "raw_output"
Steps = Sequence[tuple[str, tuple[float, ...]]]


def rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Rename a tensor in place, in every node, input, output and initializer of the graph."""
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for value in (*graph.input, *graph.output, *graph.initializer):
        if value.name == old:
            value.name = new


def score_tensor(graph: onnx.GraphProto) -> str:
    """Name of the tensor with probabilities or values: `output`, else what is no label. Raises NotServable.

    A ZipMap (probabilities as dictionaries) is passed over: what it reads is the tensor.
    """
    makers = {name: node for node in graph.node for name in node.output}
    names = []
    for output in graph.output:
        maker = makers.get(output.name)
        if maker is not None and maker.op_type == "ZipMap":
            return str(maker.input[0])
        if output.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE):
            names.append(output.name)
    preferred = [name for name in (ONNX_OUTPUT, "probabilities") if name in names]
    if preferred or len(names) == 1:
        return str((preferred or names)[0])
    raise NotServable(
        f"The ONNX file has the outputs {', '.join(output.name for output in graph.output)}, of which "
        f"{len(names) or 'none'} hold numbers. Name the one with probabilities (or the value) {ONNX_OUTPUT}."
    )


def set_output(
    model: onnx.ModelProto, tensor: str, order: Sequence[int], double: bool = False, after: Steps = ()
) -> None:
    """Make `tensor` the only output: float32 (or float64) [rows, columns], its columns in this order.

    `after`: what is done in float64 to the values before: an operator and its constants.
    """
    graph, kind = model.graph, TensorProto.DOUBLE if double else TensorProto.FLOAT
    rename(graph, ONNX_OUTPUT, RAW)  # whatever has this name so far
    last = RAW if tensor == ONNX_OUTPUT else tensor
    if after:
        last = _append_steps(graph, last, after)
    steps: list[tuple[str, dict[str, int]]] = [("Cast", {"to": kind}), ("Reshape", {})]
    shape = numpy_helper.from_array(np.array([-1, len(order)], np.int64), "heart_shape")
    graph.initializer.append(shape)
    if list(order) != list(range(len(order))):
        steps.append(("Gather", {"axis": 1}))
        graph.initializer.append(numpy_helper.from_array(np.array(order, np.int64), "heart_order"))
    constants = {"Reshape": ["heart_shape"], "Gather": ["heart_order"]}
    for place, (operator, attributes) in enumerate(steps):
        output = ONNX_OUTPUT if place == len(steps) - 1 else f"heart_{operator.lower()}"
        graph.node.append(helper.make_node(operator, [last, *constants.get(operator, [])], [output], **attributes))
        last = output
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(ONNX_OUTPUT, kind, [None, len(order)]))
    drop_unused(graph)


def _append_steps(graph: onnx.GraphProto, tensor: str, steps: Steps) -> str:
    """Name of the tensor after these operators, which are given float64."""
    graph.node.append(helper.make_node("Cast", [tensor], ["heart_widened"], to=TensorProto.DOUBLE))
    last = "heart_widened"
    for place, (operator, constants) in enumerate(steps):
        names = [f"heart_{operator.lower()}_{place}_{index}" for index in range(len(constants))]
        values = zip(names, constants, strict=True)
        graph.initializer.extend(numpy_helper.from_array(np.array(value, np.float64), name) for name, value in values)
        following = f"heart_step_{place}"
        graph.node.append(helper.make_node(operator, [last, *names], [following]))
        last = following
    return last


def set_input(model: onnx.ModelProto, features: int) -> None:
    """Make the only input float32 `features` [rows, features]. Raises NotServable where there are several."""
    graph = model.graph
    constants = {value.name for value in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs)
        raise NotServable(f"The ONNX file has the inputs {names}; one is served, float32 [rows, {features}].")
    kind = inputs[0].type.tensor_type.elem_type
    if kind not in (TensorProto.FLOAT, TensorProto.DOUBLE):
        raise NotServable(f"The ONNX file's input is not of floats. Make it with one float32 [rows, {features}] input.")
    rename(graph, inputs[0].name, "heart_input" if kind == TensorProto.DOUBLE else ONNX_INPUT)
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info(ONNX_INPUT, TensorProto.FLOAT, [None, features]))
    if kind == TensorProto.DOUBLE:
        cast = helper.make_node("Cast", [ONNX_INPUT], ["heart_input"], to=TensorProto.DOUBLE)
        graph.node.insert(0, cast)


def drop_unused(graph: onnx.GraphProto) -> None:
    """Nodes and constants that the output does not need, such as the label."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input) | _read_inside(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [value for value in graph.initializer if value.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    del graph.value_info[:]


def _read_inside(node: onnx.NodeProto) -> set[str]:
    """Names that the graphs in a node's attributes read (If, Loop, Scan)."""
    inner = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return {name for graph in inner for part in graph.node for name in (*part.input, *_read_inside(part))}


def centre_trees(graph: onnx.GraphProto) -> None:
    """Take what all leaves of a regression's tree have in common out of its float32 sum, and add it once at the end.

    The sum over a hundred trees of a year would lose what differs between rows.
    """
    for node in graph.node:
        if node.op_type == "TreeEnsembleRegressor":
            _centre({attribute.name: attribute for attribute in node.attribute}, node)


def _centre(attributes: dict[str, onnx.AttributeProto], node: onnx.NodeProto) -> None:
    sums = "aggregate_function" not in attributes or attributes["aggregate_function"].s == b"SUM"
    targets = attributes["target_ids"].ints if "target_ids" in attributes else [1]
    if not sums or any(targets) or "target_weights" not in attributes:
        return
    trees = np.array(attributes["target_treeids"].ints)
    weights = np.array(attributes["target_weights"].floats, np.float64)
    _, place = np.unique(trees, return_inverse=True)
    means = (np.bincount(place, weights) / np.bincount(place)).astype(np.float32).astype(np.float64)
    attributes["target_weights"].floats[:] = (weights - means[place]).tolist()
    if "base_values" in attributes:
        attributes["base_values"].floats[0] += float(means.sum())
    else:
        node.attribute.append(helper.make_attribute("base_values", [float(means.sum())]))


def class_labels_of(graph: onnx.GraphProto) -> list[int | str]:
    """The classes that the graph's last classifier names, in the order of its columns; empty when it names none."""
    for node in reversed(graph.node):
        for attribute in node.attribute:
            if attribute.name in ("classlabels_strings", "cats_strings") and attribute.strings:
                return [text.decode(errors="replace") for text in attribute.strings]
            if attribute.name in ("classlabels_int64s", "classlabels_ints", "cats_int64s") and attribute.ints:
                return list(attribute.ints)
    return []
