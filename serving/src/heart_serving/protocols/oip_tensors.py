"""The Open Inference Protocol's tensors: checked, and turned into records of the contract.

https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
Values in tensors are those of the contract (a category's value, not its code), so that every route means the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heart_api.contract import Feature, Precision, at_bound
from heart_serving.errors import Problem
from heart_serving.protocols.answers import Answers
from heart_serving.protocols.oip_binary import Tail
from heart_serving.protocols.tables import Records, from_columns
from heart_serving.protocols.violations import FLOAT32_MAX, plain_name

INTEGERS = {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)} | {
    f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)
}
FLOATS = {"FP16": 65504.0, "BF16": 3.3895313892515355e38, "FP32": FLOAT32_MAX, "FP64": float("inf")}
"""The largest number of each."""
PRECISIONS: dict[str, Precision] = {"FP16": 16, "BF16": "bfloat16", "FP32": 32}
DATATYPES = ("BOOL", *INTEGERS, *FLOATS, "BYTES")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input, checked: as many values as its shape says, of the kind that its datatype says (or null)."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: list[Any]


def read_tensor(item: Any, tail: Tail) -> Tensor:
    """Raises Problem 400 with the tensor's name and what is wrong."""
    if type(item) is not dict or type(item.get("name")) is not str:
        raise Problem(400, "inputs: every tensor must be an object with a name")
    name = plain_name(item["name"])
    where = f"inputs.{name}"
    check_parameters(item, where)
    shape, datatype = check_form(item.get("shape"), item.get("datatype"), where)
    values = flatten(item["data"], shape, where) if "data" in item else tail.take(item, datatype, where)
    return checked(Tensor(name, datatype, tuple(shape), values), where, typed="data" in item)


def check_form(shape: Any, datatype: Any, where: str) -> tuple[list[int], str]:
    """Shape and datatype of the tensor at `where`. Raises Problem 400 unless both are supported."""
    if type(shape) is not list or not 1 <= len(shape) <= 2 or any(type(n) is not int or n < 0 for n in shape):
        raise Problem(400, f"{where}.shape: must be [rows] or [rows, columns]")
    if type(datatype) is not str or datatype not in DATATYPES:
        raise Problem(400, f"{where}.datatype: must be one of {', '.join(DATATYPES)}")
    return shape, datatype


def checked(tensor: Tensor, where: str, *, typed: bool) -> Tensor:
    """The tensor. Raises Problem 400; `typed`: its values came as JSON or the like, and may be of another type."""
    shape = tensor.shape
    if len(tensor.values) != shape[0] * (shape[1] if len(shape) == 2 else 1):
        raise Problem(400, f"{where}.data: must hold as many values as its shape says")
    if typed and not all_of(tensor.values, tensor.datatype):
        raise Problem(400, f"{where}.data: every value must be of its datatype {tensor.datatype}")
    return tensor


def check_parameters(item: dict[str, Any], where: str) -> None:
    """Parameters that nobody knows are allowed, in the protocol's form."""
    given = item.get("parameters")
    if given is None:
        return
    if type(given) is not dict or not all(isinstance(value, str | int | float) for value in given.values()):
        raise Problem(400, f"{where}.parameters: must be an object of strings, numbers and booleans")


def flatten(data: Any, shape: list[int], where: str) -> list[Any]:
    """Row-major values of a list that is flat, or nested as deep as the shape; anything deeper fails on its type."""
    if type(data) is not list:
        raise Problem(400, f"{where}.data: must be a list of values")
    if len(shape) == 2 and data and all(type(row) is list and len(row) == shape[1] for row in data):
        return [value for row in data for value in row]
    return data


def all_of(values: list[Any], datatype: str) -> bool:
    """Whether every value that is not null is one of the datatype. 1.0 is an integer in JSON."""
    types = set(map(type, values)) - {type(None)}
    if datatype == "BOOL":
        return types <= {bool}
    if datatype == "BYTES":
        return types <= {str}
    if not types <= {int, float}:
        return False
    if datatype in FLOATS:
        return all(-FLOATS[datatype] <= value <= FLOATS[datatype] for value in values if value is not None)
    low, high = INTEGERS[datatype]
    return all(low <= value <= high and value == value // 1 for value in values if value is not None)


def to_records(tensors: Sequence[Tensor], features: Sequence[Feature]) -> Records:
    """One record per row, from one tensor per feature, or from a single one [rows, features] of whatever name."""
    names = [feature.name for feature in features]
    if len(tensors) == 1 and len(tensors[0].shape) == 2 and tensors[0].shape[1] == len(names):
        return from_columns(_matrix_columns(tensors[0], features))
    if len(tensors) == 1 and tensors[0].name not in names:
        raise Problem(400, f"inputs: send one tensor per feature, or a single one of shape [rows, {len(names)}]")
    return from_columns(_columns(tensors, {feature.name: feature for feature in features}))


def _matrix_columns(tensor: Tensor, features: Sequence[Feature]) -> dict[str, list[Any]]:
    width = len(features)
    return {
        feature.name: settled(tensor.values[position::width], tensor.datatype, feature)
        for position, feature in enumerate(features)
    }


def settled(values: list[Any], datatype: str, feature: Feature | None) -> list[Any]:
    """The values; what is a bound of the feature at the precision of the datatype becomes that bound."""
    precision = PRECISIONS.get(datatype)
    if precision is None or feature is None or feature.minimum is feature.maximum is None:
        return values
    return [value if value is None else at_bound(feature, value, precision) for value in values]


def _columns(tensors: Sequence[Tensor], features: Mapping[str, Feature]) -> dict[str, list[Any]]:
    rows = tensors[0].shape[0]
    columns: dict[str, list[Any]] = {}
    for tensor in tensors:
        if tensor.name in columns:
            raise Problem(400, f"inputs.{tensor.name}: is given twice")
        if tensor.shape not in ((rows,), (rows, 1)):
            raise Problem(400, f"inputs.{tensor.name}.shape: must be [{rows}] or [{rows}, 1] as of the other tensors")
        columns[tensor.name] = settled(tensor.values, tensor.datatype, features.get(tensor.name))
    return columns


def datatype_of(feature: Feature) -> str:
    """The Open Inference datatype in which the metadata offers a feature."""
    if feature.type == "category":
        return "INT64" if all(isinstance(value, int) for value in feature.values or ()) else "BYTES"
    return {"number": "FP32", "integer": "INT64", "boolean": "BOOL"}[feature.type]


def describe_outputs(answers: Answers) -> list[dict[str, Any]]:
    """Metadata of the model's output tensors; -1 is the number of rows."""
    classes = answers.classes
    if not classes:
        return [{"name": "prediction", "datatype": "FP64" if answers.double else "FP32", "shape": [-1]}]
    kind = "INT64" if all(isinstance(value, int) for value in classes) else "BYTES"
    return [
        {"name": "prediction", "datatype": kind, "shape": [-1]},
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(classes)]},
    ]
