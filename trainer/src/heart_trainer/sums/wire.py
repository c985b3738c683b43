"""Statistics as bytes: an npz archive without pickles, read against the schema of what was requested.

Nothing is allocated before the archive's own directory and headers agree with the schema, so that a small message
cannot unpack to a large one.
"""

import io
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from heart_trainer.sums.additive import Field, Schema, StatisticRejected, Sums

HEADER = 1024
"""Bytes that an array's header and its entry in the archive may take."""
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


def to_bytes(sums: Sums) -> bytes:
    """Equal statistics give equal bytes."""
    buffer = io.BytesIO()
    arrays = {field.name: np.ascontiguousarray(sums[field.name]) for field in sums.schema}
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_bytes(schema: Schema, data: bytes) -> Sums:
    """Raises StatisticRejected for anything but an answer to a request with this schema."""
    most = sum(field.nbytes + HEADER for field in schema) + HEADER
    if len(data) > most:
        raise StatisticRejected(f"the message has {len(data)} bytes, an answer has at most {most}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_names(schema, archive)
            values = {field.name: _read(field, archive) for field in schema}
    except _UNREADABLE as error:
        raise StatisticRejected(f"the message is no archive of arrays ({type(error).__name__})") from error
    return Sums(schema, values)


def _check_names(schema: Schema, archive: zipfile.ZipFile) -> None:
    expected = sorted(f"{field.name}.npy" for field in schema)
    found = sorted(archive.namelist())
    if found != expected:
        raise StatisticRejected(f"expected {', '.join(expected)}; the message holds other or repeated names")


def _read(field: Field, archive: zipfile.ZipFile) -> NDArray[Any]:
    entry = archive.getinfo(f"{field.name}.npy")
    if entry.file_size > field.nbytes + HEADER:
        raise StatisticRejected(f"{field.name}: {entry.file_size} bytes instead of {field.nbytes}")
    content = io.BytesIO(archive.read(entry))
    if npy.read_magic(content) != (1, 0):
        raise StatisticRejected(f"{field.name}: unknown version of the array format")
    shape, by_columns, dtype = npy.read_array_header_1_0(content, max_header_size=HEADER)
    if shape != field.shape or dtype != field.dtype or by_columns:
        raise StatisticRejected(f"{field.name}: expected {field.dtype.str} {field.shape}, got {dtype.str} {shape}")
    body = content.read()
    if len(body) != field.nbytes:
        raise StatisticRejected(f"{field.name}: {len(body)} bytes instead of {field.nbytes}")
    return np.frombuffer(body, field.dtype).reshape(field.shape)
