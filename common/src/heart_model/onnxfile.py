"""A look into an ONNX file before any runtime opens it: what it claims to need, and the package it carries.

The part of onnx.proto that matters here is declared below; protobuf skips the rest.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from heart_model.errors import ModelRefused

ALLOWED_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Operators of the ONNX standard; everything else would be code of somebody's own."""
EXTERNAL = 1
"""TensorProto.DataLocation.EXTERNAL."""

_FLOAT, _INT64, _INT32, _STRING, _MESSAGE, _BYTES = 2, 3, 5, 9, 11, 12
_FIELDS: dict[str, tuple[tuple[str, int, int, bool, str], ...]] = {
    # message: (field, number, type, repeated, message type)
    "Model": (
        ("graph", 7, _MESSAGE, False, "Graph"),
        ("opset_import", 8, _MESSAGE, True, "Opset"),
        ("metadata_props", 14, _MESSAGE, True, "Entry"),
        ("functions", 25, _MESSAGE, True, "Empty"),
    ),
    "Graph": (
        ("node", 1, _MESSAGE, True, "Node"),
        ("initializer", 5, _MESSAGE, True, "Tensor"),
        ("sparse_initializer", 15, _MESSAGE, True, "SparseTensor"),
    ),
    "Node": (
        ("op_type", 4, _STRING, False, ""),
        ("attribute", 5, _MESSAGE, True, "Attribute"),
        ("domain", 7, _STRING, False, ""),
    ),
    "Attribute": (
        ("name", 1, _STRING, False, ""),
        ("t", 5, _MESSAGE, False, "Tensor"),
        ("g", 6, _MESSAGE, False, "Graph"),
        ("floats", 7, _FLOAT, True, ""),
        ("ints", 8, _INT64, True, ""),
        ("strings", 9, _BYTES, True, ""),
        ("tensors", 10, _MESSAGE, True, "Tensor"),
        ("graphs", 11, _MESSAGE, True, "Graph"),
        ("sparse_tensor", 22, _MESSAGE, False, "SparseTensor"),
        ("sparse_tensors", 23, _MESSAGE, True, "SparseTensor"),
    ),
    "SparseTensor": (("values", 1, _MESSAGE, False, "Tensor"), ("indices", 2, _MESSAGE, False, "Tensor")),
    "Tensor": (("external_data", 13, _MESSAGE, True, "Entry"), ("data_location", 14, _INT32, False, "")),
    "Opset": (("domain", 1, _STRING, False, ""),),
    "Entry": (("key", 1, _STRING, False, ""), ("value", 2, _STRING, False, "")),
    "Empty": (),
}


def inspect_onnx(data: bytes) -> dict[str, str]:
    """The file's metadata_props. Raises ModelRefused for what is not a self-contained standard ONNX file."""
    model = read_model(data)
    if not model.opset_import or not model.HasField("graph"):
        raise ModelRefused("the model file holds no ONNX graph: register a version with an ONNX model")
    domains = {opset.domain for opset in model.opset_import} | {node.domain for node in _nodes(model.graph)}
    if domains - ALLOWED_DOMAINS or model.functions:
        raise ModelRefused(
            "the model uses operators outside the ONNX standard (ai.onnx, ai.onnx.ml):"
            " export it without custom operators"
        )
    if any(tensor.data_location == EXTERNAL or tensor.external_data for tensor in _tensors(model.graph)):
        raise ModelRefused("the model keeps data outside its file: export it as one self-contained ONNX file")
    return {entry.key: entry.value for entry in model.metadata_props}


def read_model(data: bytes) -> Any:
    """ModelProto, as far as it is declared above. Raises ModelRefused."""
    model: Any = _model_class()()
    try:
        model.ParseFromString(data)
    except (message.DecodeError, RecursionError):
        raise ModelRefused("the model file is not ONNX: register a version with an ONNX model") from None
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
    file = descriptor_pb2.FileDescriptorProto(name="heartops_onnx.proto", package="heartops.onnx", syntax="proto2")
    for name, fields in _FIELDS.items():
        kind = file.message_type.add(name=name)
        for field_name, number, field_type, repeated, target in fields:
            kind.field.add(
                name=field_name,
                number=number,
                type=field_type,
                label=3 if repeated else 1,
                type_name=f".heartops.onnx.{target}" if target else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("heartops.onnx.Model"))
