"""Requests as bytes, for holders of rows in other processes: JSON, checked field by field when it is read.

A request is data: it names one of the kinds below and gives its fields. No code and no pickle travels.
"""

import json
from typing import Any

from pydantic import TypeAdapter, ValidationError

from heart_trainer.sums.additive import StatisticRejected
from heart_trainer.sums.describe import DescribeRequest, RangeRequest
from heart_trainer.sums.driver import Request
from heart_trainer.sums.evaluation import EvaluationRequest
from heart_trainer.sums.linear import GramRequest, NewtonRequest
from heart_trainer.sums.paired import PairedRequest
from heart_trainer.sums.scores import ScoreRequest

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        RangeRequest,
        DescribeRequest,
        NewtonRequest,
        GramRequest,
        ScoreRequest,
        EvaluationRequest,
        PairedRequest,
    )
}
MOST_BYTES = 16 << 20


def encode(request: Request) -> bytes:
    """Equal requests give equal bytes."""
    kind = type(request).__name__
    return json.dumps({"kind": kind, "request": TypeAdapter(KINDS[kind]).dump_python(request, mode="json")}).encode()


def decode(data: bytes) -> Request:
    """Raises StatisticRejected for anything but an encoded request."""
    if len(data) > MOST_BYTES:
        raise StatisticRejected(f"the request has {len(data)} bytes; at most {MOST_BYTES} are read")
    try:
        message = json.loads(data)
        kind = KINDS[message["kind"]]
        found: Request = TypeAdapter(kind).validate_python(message["request"])
    except (ValueError, KeyError, TypeError) as error:
        raise StatisticRejected(f"the message is no request ({_reason(error)})") from error
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return type(error).__name__
