"""The Open Inference Protocol's binary tensor data: JSON first, the tensors' bytes behind it.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/extension_binary_data.md
Bytes are little-endian numbers or strings with their lengths: data alone, nothing in them is ever carried out.
"""

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

from heart_serving.errors import Problem

HEADER = "Inference-Header-Content-Length"
"""How many bytes of the body are the JSON; in requests and in answers."""
FORMATS = {"BOOL": "?", "BF16": "<u2", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"} | {
    f"{kind}{8 * size}": f"<{letter}{size}" for kind, letter in (("INT", "i"), ("UINT", "u")) for size in (1, 2, 4, 8)
}
"""numpy's names of the datatypes of fixed size."""


class Tail:
    """The bytes behind a request's JSON, taken tensor by tensor."""

    def __init__(self, data: bytes = b"") -> None:
        self._data = data
        self._start = 0

    def take(self, item: dict[str, Any], datatype: str, where: str) -> list[Any]:
        """The values of the next tensor; NaN is a missing value. Raises Problem 400."""
        size = (item.get("parameters") or {}).get("binary_data_size")
        if type(size) is not int or size < 0:
            raise Problem(400, f"{where}.data: is missing (nor does parameters.binary_data_size say how many bytes)")
        chunk = self._data[self._start : self._start + size]
        self._start += size
        if len(chunk) != size:
            raise Problem(400, f"{where}.parameters.binary_data_size: there are fewer bytes behind the JSON")
        try:
            return read_values(chunk, datatype)
        except (ValueError, struct.error):
            raise Problem(400, f"{where}.data: its bytes are not of its datatype {datatype}") from None

    def check_used(self) -> None:
        """Raise Problem 400 if the tensors did not use all bytes."""
        if self._start != len(self._data):
            raise Problem(400, "there are more bytes behind the JSON than its tensors have")


def read_values(data: bytes, datatype: str) -> list[Any]:
    """NaN is a missing value. Raises ValueError or struct.error for bytes that are not of the datatype."""
    if datatype == "BYTES":
        return list(read_strings(data))
    numbers = np.frombuffer(data, FORMATS[datatype])
    if datatype == "BF16":  # the upper half of a float32
        numbers = (numbers.astype("<u4") << 16).view("<f4")
    values: list[Any] = numbers.tolist()
    return [None if value != value else value for value in values] if numbers.dtype.kind == "f" else values


def read_strings(data: bytes) -> list[str]:
    """UTF-8, each with its length in four bytes before it."""
    strings, start = [], 0
    while start < len(data):
        (length,) = struct.unpack_from("<I", data, start)
        start += 4 + length
        if start > len(data):
            raise ValueError
        strings.append(data[start - length : start].decode())
    return strings


def write_values(values: Iterable[Any], datatype: str) -> bytes:
    """Values as the binary tensor data extension encodes them; Tail.take reads them back."""
    if datatype != "BYTES":
        return np.array(values, FORMATS[datatype]).tobytes()
    encoded = [str(value).encode() for value in values]
    return b"".join(struct.pack("<I", len(value)) + value for value in encoded)
