"""The Open Inference Protocol's tensors: to records of the contract, and back.

https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
Values in tensors are those of the contract (a category's value, not its code), so that every route means the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heart_operator.api.contract import Feature
from heart_operator.api.handover import ONNX_INPUT
from heart_serving.errors import Problem
from heart_serving.violations import plain_name

INTEGERS = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
FLOATS = frozenset({"FP16", "FP32", "FP64"})
DATATYPES: dict[str, frozenset[type]] = (
    dict.fromkeys(INTEGERS, frozenset({int}))
    | dict.fromkeys(FLOATS, frozenset({int, float}))
    | {"BOOL": frozenset({bool}), "BYTES": frozenset({str})}
)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input, checked: as many values as its shape says, of the kind that its datatype says (or null)."""

    name: str
    shape: tuple[int, ...]
    values: list[Any]


def read_tensor(item: Any, max_rows: int) -> Tensor:
    """Raises Problem with the tensor's name and what is wrong."""
    if type(item) is not dict or type(item.get("name")) is not str:
        raise Problem(422, "inputs: every tensor must be an object with a name")
    name, shape, datatype, data = plain_name(item["name"]), item.get("shape"), item.get("datatype"), item.get("data")
    if type(shape) is not list or not 1 <= len(shape) <= 2 or any(type(n) is not int or n < 0 for n in shape):
        raise Problem(422, f"inputs.{name}.shape: must be [rows] or [rows, columns]")
    if type(datatype) is not str or datatype not in DATATYPES:
        raise Problem(422, f"inputs.{name}.datatype: must be one of {', '.join(DATATYPES)}")
    if type(data) is not list:
        raise Problem(422, f"inputs.{name}.data: must be a list of values (binary tensor data is not supported)")
    if shape[0] > max_rows:
        raise Problem(413, f"at most {max_rows} records are answered at once: send them in parts")
    values = flatten(data, len(shape))
    if len(values) != shape[0] * (shape[1] if len(shape) == 2 else 1):
        raise Problem(422, f"inputs.{name}.data: must hold as many values as its shape says")
    if not set(map(type, values)) <= DATATYPES[datatype] | {type(None)}:
        raise Problem(422, f"inputs.{name}.data: every value must be of its datatype {datatype}")
    return Tensor(name, tuple(shape), values)


def flatten(data: list[Any], depth: int) -> list[Any]:
    """Row-major values of a list that is flat, or nested as deep as the shape; anything deeper fails on its type."""
    if depth > 1 and data and all(type(row) is list and len(row) == len(data[0]) for row in data):
        return [value for row in data for value in row]
    return data


def to_records(tensors: list[Tensor], features: tuple[Feature, ...]) -> list[dict[str, Any]]:
    """One record per row, from one tensor per feature or from a single tensor [rows, features]."""
    by_name = {feature.name: feature for feature in features}
    if len(tensors) == 1 and (tensors[0].name not in by_name or len(features) == 1):
        return _from_matrix(tensors[0], features)
    return _from_columns(tensors, by_name)


def _from_matrix(tensor: Tensor, features: tuple[Feature, ...]) -> list[dict[str, Any]]:
    width = tensor.shape[1] if len(tensor.shape) == 2 else 1
    if width != len(features) or tensor.name not in (ONNX_INPUT, "input-0", "input", *(f.name for f in features)):
        raise Problem(
            422, f"inputs: send one tensor per feature, or one named {ONNX_INPUT} of shape [rows, {len(features)}]"
        )
    readers = [(feature.name, _reader(feature)) for feature in features]
    rows = (tensor.values[start : start + width] for start in range(0, len(tensor.values), width))
    return [
        {name: read(value) for (name, read), value in zip(readers, row, strict=True) if value is not None}
        for row in rows
    ]


def _from_columns(tensors: list[Tensor], features: dict[str, Feature]) -> list[dict[str, Any]]:
    rows = tensors[0].shape[0] if tensors else 0
    records: list[dict[str, Any]] = [{} for _ in range(rows)]
    seen = set()
    for tensor in tensors:
        if tensor.name not in features or tensor.name in seen:
            problem = "is given twice" if tensor.name in seen else "is not a feature of this model"
            raise Problem(422, f"inputs.{tensor.name}: {problem}")
        if tensor.shape[0] != rows or tensor.shape[1:] not in ((), (1,)):
            raise Problem(422, f"inputs.{tensor.name}.shape: must be [{rows}] or [{rows}, 1] as of the other tensors")
        seen.add(tensor.name)
        read = _reader(features[tensor.name])
        for record, value in zip(records, tensor.values, strict=True):
            if value is not None:
                record[tensor.name] = read(value)
    return records


def _reader(feature: Feature) -> Callable[[Any], Any]:
    """A numeric tensor writes a boolean as 0 or 1; everything else is the contract's to judge."""
    return _as_boolean if feature.type == "boolean" else _as_is


def _as_boolean(value: Any) -> Any:
    return bool(value) if type(value) in (int, float) and value in (0, 1) else value


def _as_is(value: Any) -> Any:
    return value


def datatype_of(feature: Feature) -> str:
    """The datatype that the metadata recommends."""
    if feature.type == "category":
        return "INT64" if all(isinstance(value, int) for value in feature.values or ()) else "BYTES"
    return {"number": "FP32", "integer": "INT64", "boolean": "BOOL"}[feature.type]
