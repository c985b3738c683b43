"""One request and its answer, from the head to what is counted and logged about both."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from heart_serving.admission.request_body import Head
from heart_serving.auth.denied import Denied
from heart_serving.auth.guard import NOBODY
from heart_serving.auth.keys import Caller
from heart_serving.errors import Problem
from heart_serving.experiment.assignment import Arm
from heart_serving.predictionlog.recorder import Records
from heart_serving.protocols.answers import Outputs
from heart_serving.protocols.base import PredictionProtocol, Reply

FAILED = Problem(500, "this request could not be answered; its id finds it in the server's log")

logger = logging.getLogger("heart_serving")


class HttpCopy(NamedTuple):
    """A request and its answer, as HTTP would have carried them."""

    path: str
    head: Head
    body: bytes
    answer: Reply


@dataclass(slots=True)
class Exchange:
    """Times are of perf_counter; `outputs` and `answer` are set once the prediction is written, and only then."""

    head: Head
    route: str
    started: float
    received: float = 0.0
    parsed: float = 0.0
    predicted: float = 0.0
    written: float = 0.0
    body: bytes = b""
    rows: int = 0
    records: Records = ()
    outputs: Outputs | None = None
    proof: str = ""
    """That this answer was given, for `/feedback`; empty without a key, and for a copy."""
    answer: Reply | None = None
    """As the protocol wrote it."""
    reply: Reply | None = None
    """As it is sent: the answer, perhaps compressed, or an error."""
    copy: Callable[["Exchange"], "HttpCopy"] | None = None
    """How a request that did not come over HTTP is copied to a candidate."""
    caller: Caller = NOBODY
    denied: bool = False
    """For want of a valid key or token."""
    arm: Arm | None = None
    """Group of an experiment that the request counts for."""
    arm_code: int = 0
    """The status that it counts as, if another one than was sent; 0: it is the same."""
    handed_on: bool = False
    """The candidate has answered: it counts there, and says nothing of this version."""

    @property
    def id(self) -> str:
        return self.head.request_id


def problem_of(error: Exception, request_id: str) -> Problem:
    """The error as a Problem for the client. An unexpected one is logged, and becomes a plain 500."""
    if isinstance(error, Problem):
        return error
    logger.error("request %s failed", request_id, exc_info=error)
    return FAILED


def error_reply(protocol: PredictionProtocol, exchange: Exchange, error: Exception) -> Reply:
    """The error in the protocol's own form."""
    problem = problem_of(error, exchange.id)
    exchange.denied = isinstance(problem, Denied)
    return Reply(orjson.dumps(protocol.error_body(problem)), problem.headers, problem.status)
