"""Inspection of an ONNX file before a runtime opens it: the operators that it needs, and the package that it contains.

The relevant part of onnx.proto is declared below; protobuf skips the rest.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf import message

from heart_model.errors import ModelRejected
from heart_model.messages import BYTES, FLOAT, INT32, INT64, MESSAGE, STRING, Declared, message_classes

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Operator domains of the ONNX standard; any other would need custom code."""
EXTERNAL = 1
"""TensorProto.DataLocation.EXTERNAL."""

_FIELDS: dict[str, tuple[Declared, ...]] = {
    # message: (field, number, type, repeated, message type)
    "Model": (
        ("graph", 7, MESSAGE, False, "Graph"),
        ("opset_import", 8, MESSAGE, True, "Opset"),
        ("metadata_props", 14, MESSAGE, True, "Entry"),
        ("functions", 25, MESSAGE, True, "Empty"),
    ),
    "Graph": (
        ("node", 1, MESSAGE, True, "Node"),
        ("initializer", 5, MESSAGE, True, "Tensor"),
        ("sparse_initializer", 15, MESSAGE, True, "SparseTensor"),
    ),
    "Node": (
        ("op_type", 4, STRING, False, ""),
        ("attribute", 5, MESSAGE, True, "Attribute"),
        ("domain", 7, STRING, False, ""),
    ),
    "Attribute": (
        ("name", 1, STRING, False, ""),
        ("t", 5, MESSAGE, False, "Tensor"),
        ("g", 6, MESSAGE, False, "Graph"),
        ("floats", 7, FLOAT, True, ""),
        ("ints", 8, INT64, True, ""),
        ("strings", 9, BYTES, True, ""),
        ("tensors", 10, MESSAGE, True, "Tensor"),
        ("graphs", 11, MESSAGE, True, "Graph"),
        ("sparse_tensor", 22, MESSAGE, False, "SparseTensor"),
        ("sparse_tensors", 23, MESSAGE, True, "SparseTensor"),
    ),
    "SparseTensor": (("values", 1, MESSAGE, False, "Tensor"), ("indices", 2, MESSAGE, False, "Tensor")),
    "Tensor": (("external_data", 13, MESSAGE, True, "Entry"), ("data_location", 14, INT32, False, "")),
    "Opset": (("domain", 1, STRING, False, ""),),
    "Entry": (("key", 1, STRING, False, ""), ("value", 2, STRING, False, "")),
    "Empty": (),
}


def inspect_onnx(data: bytes) -> dict[str, str]:
    """The file's metadata_props. Raises ModelRejected unless it is a self-contained standard ONNX file."""
    model = read_model(data)
    if not model.opset_import or not model.HasField("graph"):
        raise ModelRejected("the model file holds no ONNX graph: register a version with an ONNX model")
    domains = {opset.domain for opset in model.opset_import} | {node.domain for node in _nodes(model.graph)}
    if domains - ALLOWED_DOMAINS or model.functions:
        raise ModelRejected(
            "the model uses operators outside the ONNX standard (ai.onnx, ai.onnx.ml):"
            " export it without custom operators"
        )
    if any(tensor.data_location == EXTERNAL or tensor.external_data for tensor in _tensors(model.graph)):
        raise ModelRejected("the model keeps data outside its file: export it as one self-contained ONNX file")
    return {entry.key: entry.value for entry in model.metadata_props}


def read_model(data: bytes) -> Any:
    """ModelProto, as far as it is declared above. Raises ModelRejected."""
    model: Any = _model_class()()
    try:
        model.ParseFromString(data)
    except (message.DecodeError, RecursionError):
        raise ModelRejected("the model file is not ONNX: register a version with an ONNX model") from None
    return model


def _graphs(graph: Any) -> Iterator[Any]:
    """The graph and every graph inside it."""
    waiting = [graph]
    while waiting:
        current = waiting.pop()
        yield current
        for node in current.node:
            for attribute in node.attribute:
                waiting.extend(attribute.graphs)
                if attribute.HasField("g"):
                    waiting.append(attribute.g)


def _nodes(graph: Any) -> Iterator[Any]:
    for inner in _graphs(graph):
        yield from inner.node


def _tensors(graph: Any) -> Iterator[Any]:
    for inner in _graphs(graph):
        yield from inner.initializer
        for sparse in inner.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in _nodes(graph):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)


@cache
def _model_class() -> Any:
    return message_classes("heartops.onnx", _FIELDS)["Model"]
