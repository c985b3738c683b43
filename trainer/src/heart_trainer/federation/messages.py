"""What coordinator and site say to each other, as bytes: a head of JSON in one line, and the request or the answer.

Nothing here is code: heads are read field by field, requests and statistics by heart_trainer.sums.
"""

import json
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from heart_api.base import FrozenLenient
from heart_api.evaluation import Task
from heart_api.federation import SiteFailure, SiteFailureReason

PROTOCOL = 1
MOST_HEAD = 64 << 10
Kind = Literal["join", "sums", "trees", "end"]


class BadMessage(Exception):
    """Bytes that are no message; nothing of them is repeated."""


class Ask(FrozenLenient):
    """Head of what the coordinator sends. The body is an encoded request where `kind` says so."""

    protocol: int = PROTOCOL
    kind: Kind
    model: str = Field(description="namespace/name")
    trigger: str = ""
    contract_sha256: str = ""
    folds_key: str = Field("", description="Key of the hash that deals rows to folds; equal at all sites.")


def refusal(reason: SiteFailureReason, message: str) -> SiteFailure:
    """Why a site does not answer, or is not believed."""
    return SiteFailure(reason=reason, message=message[:2000])


class Joined(FrozenLenient):
    """What a site says of itself when it joins: no figure of fewer rows than its minimum."""

    rows: int = Field(ge=0)
    task: Task
    classes: tuple[int | str, ...] = ()
    dataset_digest: str = Field("", max_length=80, description="Keyed: equal data of a site give an equal one.")
    synthetic: bool = False
    duplicates: int = Field(0, ge=0, description="Rows that repeat another one, rounded down to the minimum cell.")
    telling: tuple[str, ...] = Field((), description="Columns that alone give the target away at this site.")
    without: tuple[str, ...] = Field((), description="Columns of which the site holds no value.")


class Tell(FrozenLenient):
    """Head of what a site answers: exactly one of `refusal`, `joined`, or (`sums`) a body."""

    protocol: int = PROTOCOL
    refusal: SiteFailure | None = None
    joined: Joined | None = None


H = TypeVar("H", Ask, Tell)


def encode(head: Ask | Tell, body: bytes = b"") -> bytes:
    return head.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n" + body


def read_ask(data: bytes) -> tuple[Ask, bytes]:
    """Raises BadMessage."""
    return _read(Ask, data)


def read_tell(data: bytes) -> tuple[Tell, bytes]:
    """Raises BadMessage."""
    return _read(Tell, data)


def _read(kind: type[H], data: bytes) -> tuple[H, bytes]:
    head, _, body = data.partition(b"\n")
    if len(head) > MOST_HEAD:
        raise BadMessage("its head is too long")
    try:
        found = kind.model_validate(json.loads(head))
    except (ValidationError, ValueError, RecursionError) as error:
        raise BadMessage(f"its head is not readable ({type(error).__name__})") from error
    if found.protocol != PROTOCOL:
        raise BadMessage(f"it speaks version {found.protocol} of the protocol, this release speaks {PROTOCOL}")
    return found, body
