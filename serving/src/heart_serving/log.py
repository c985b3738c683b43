"""JSON lines on standard output. Request lines are gathered and written a few times per second.

No line holds a value of a request, nor the text of an unexpected exception, which might quote one.
"""

import asyncio
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
import orjson
from msgspec import UNSET, UnsetType

TERMINATION_LOG = Path("/dev/termination-log")
"""What is written there is shown by `kubectl describe pod`; a container runtime makes the file."""
FLUSH_SECONDS = 0.1
FLUSH_LINES = 64
"""One system call for so many; encoding more of them at once would hold requests up."""


class RequestLog:
    """Lines of answered requests, written together: one system call for many."""

    def __init__(self, stream: IO[bytes] | None = None, **common: str) -> None:
        self._stream = stream or sys.stdout.buffer
        self._type = line_type(common)
        self._encoder = msgspec.json.Encoder()
        self._lines: list[msgspec.Struct] = []
        self._flusher: asyncio.TimerHandle | None = None

    def line(
        self,
        request_id: str,
        route: str,
        code: int,
        seconds: float,
        rows: int,
        shadow: bool = False,
        correlation_id: str = "",
    ) -> None:
        """Must be called on the event loop. `shadow`: a copy, whose answer no user saw. `correlation_id`: the caller's
        own id of the request."""
        about = (request_id, route, code, round(seconds * 1000, 3), rows, shadow or UNSET, correlation_id or UNSET)
        self._lines.append(self._type(datetime.now(UTC), "info", "request", *about))
        if len(self._lines) >= FLUSH_LINES:
            self.flush()
        elif self._flusher is None:
            self._flusher = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            self._flusher = None
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write(self._encoder.encode_lines(lines))
            self._stream.flush()


def line_type(common: dict[str, str]) -> type[msgspec.Struct]:
    """A request's line; `common` is in each. A structure is quicker to make and to encode than a dictionary."""
    fields: dict[str, Any] = {
        "time": datetime,
        "level": str,
        "message": str,
        "request_id": str,
        "route": str,
        "code": int,
        "latency_ms": float,
        "records": int,
    }
    fixed = [(name, str, value) for name, value in common.items()]
    optional = [("shadow", bool | UnsetType, UNSET), ("correlation_id", str | UnsetType, UNSET)]
    return msgspec.defstruct("Line", [*fields.items(), *optional, *fixed], gc=False)


class JsonFormatter(logging.Formatter):
    """Records of Python's logging in the same form; of an exception only its type and where it happened."""

    def __init__(self, **common: str) -> None:
        super().__init__()
        self._common = common

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **self._common,
        }
        if record.exc_info and record.exc_info[1]:
            line["exception"] = where(record.exc_info[1])
        return orjson.dumps(line, option=orjson.OPT_UTC_Z).decode()


def where(error: BaseException) -> str:
    """An error's type and innermost frame, never its text: `TypeError at contract.py:91 in encode`."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    return f"{type(error).__name__}{place}"


MIGRATION_PARTS = "alembic.runtime.plugins"
"""Logger of a library that has a line for each of its own parts, when a log in an SQLite file is prepared."""


def configure_logging(**common: str) -> None:
    """Everything that is logged goes to standard output as JSON lines, with `common` in each."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(**common))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger(MIGRATION_PARTS).setLevel(logging.WARNING)


def leave_message(text: str) -> None:
    """Says why the process ends in the pod's status, for those who do not read its log."""
    if TERMINATION_LOG.exists():
        TERMINATION_LOG.write_text(text[:4000], encoding="utf-8")
