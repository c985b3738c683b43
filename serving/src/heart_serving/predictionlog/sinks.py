"""Where rows go. The database's sink (`store`) is a module of its own: only pods that use it load its libraries."""

import sys
from typing import IO, Protocol

import orjson

from heart_serving.predictionlog.rows import Row

LINE = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


class Unavailable(Exception):
    """Not now: the same may succeed later. The message holds no value."""


class RowsRejected(Exception):
    """Never: these rows will not be taken, others may. The message holds no value."""


class Sink(Protocol):
    def write(self, rows: list[Row]) -> None:
        """Returns when the rows are safe. Raises Unavailable or RowsRejected."""


class Stdout:
    """One JSON line for each row, beside the log of requests."""

    def __init__(self, stream: IO[bytes] | None = None, **common: str) -> None:
        self._stream = stream or sys.stdout.buffer
        self._common = {"level": "info", "message": "prediction", **common}

    def write(self, rows: list[Row]) -> None:
        lines = b"".join([orjson.dumps(self._common | row, option=LINE) for row in rows])
        try:
            self._stream.write(lines)
            self._stream.flush()
        except OSError as error:
            raise Unavailable(type(error).__name__) from None
