"""One request on its way: its stages, the dialect that its head asks for, and what is said when it is refused."""

import logging
from dataclasses import dataclass
from typing import TypeVar

import orjson

from heart_serving.admission.request_body import Head, check_binary, check_json
from heart_serving.errors import Problem
from heart_serving.explain.worker import ExplainDesk
from heart_serving.predictionlog.recorder import Records
from heart_serving.protocols.base import Dialect, Matrix, Reply
from heart_serving.protocols.open_inference import OpenInference

FAILED = Problem(500, "this request could not be answered; its id finds it in the server's log")
Asked = TypeVar("Asked", Dialect, Dialect | ExplainDesk)

logger = logging.getLogger("heart_serving")


@dataclass(slots=True)
class Call:
    """One request on its way, with the times at which its stages ended (perf_counter)."""

    id: str
    route: str
    started: float
    received: float = 0.0
    parsed: float = 0.0
    predicted: float = 0.0
    written: float = 0.0
    shadow: bool = False
    body: bytes = b""
    rows: int = 0
    records: Records = ()
    outputs: Matrix | None = None


def refusal(dialect: Dialect | ExplainDesk, call: Call, error: Exception) -> Reply:
    """What a client is told that cannot be answered."""
    if not isinstance(error, Problem):
        logger.error("request %s failed", call.id, exc_info=error)
        error = FAILED
    return Reply(orjson.dumps(dialect.refuse(error)), error.headers, error.status)


def accept(dialect: Asked, head: Head) -> Asked | OpenInference:
    """The dialect for a request of this head. Raises Problem 415 for what it does not read."""
    if head.json_length is None:
        check_json(head)
        return dialect
    if not isinstance(dialect, OpenInference):
        raise Problem(415, "binary tensor data belongs to the Open Inference Protocol: send plain JSON")
    check_binary(head)
    return dialect.with_binary_data(head.json_length)
