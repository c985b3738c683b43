"""How requests come in: heads and bodies, bounded in bytes and number; the connection bounds the time (server)."""

import os
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from heart_serving.errors import Problem

MAX_BUFFERED = 64 * 1024 * 1024
"""Bytes of all bodies at one time; with it the pod's memory is bounded whatever clients do."""
MAX_WAITING = 1024
"""Requests whose body is still on its way."""
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
OVERLOADED = {"Retry-After": "1"}

Receive = Callable[[], Awaitable[Any]]


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Head(NamedTuple):
    """What the hot path needs of the headers."""

    content_type: bytes = b""
    length: int | None = None
    request_id: str = ""
    encoded: bool = False
    json_length: int | None = None
    """Bytes of JSON before binary tensor data, as the header says (-1: not a number)."""
    shadow: bool = False
    """A copy that another server made to compare the answers: its answer reaches no user."""


def read_head(headers: Iterable[tuple[bytes, bytes]]) -> Head:
    """Names come in lower case (ASGI)."""
    content_type, length, request_id, encoded, json_length, shadow = b"", None, "", False, None, False
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = int(value)  # the HTTP parser has rejected everything but digits
        elif name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"content-encoding":
            encoded = value.lower() != b"identity"
        elif name == b"inference-header-content-length":
            json_length = int(value) if value.isdigit() and len(value) < 20 else -1
        elif name == b"x-heartops-shadow":
            shadow = True
    return Head(content_type, length, request_id or new_request_id(), encoded, json_length, shadow)


def new_request_id() -> str:
    """24 hex digits, unique for all practical purposes across pods and restarts."""
    return os.urandom(12).hex()


def check_json(head: Head) -> None:
    """Raises Problem 415 for anything but plain JSON in UTF-8."""
    if head.encoded:
        raise Problem(415, "the body must not be compressed")
    if head.json_length is not None:
        raise Problem(415, "binary tensor data belongs to the Open Inference Protocol: send plain JSON")
    if head.content_type == b"application/json":
        return
    media, *parameters = [part.strip().lower() for part in head.content_type.split(b";")]
    if media != b"application/json":
        raise Problem(415, "the body must be JSON: send the header Content-Type: application/json")
    for parameter in parameters:
        if parameter.startswith(b"charset=") and parameter[8:].strip(b'"') not in (b"utf-8", b"utf8", b"us-ascii"):
            raise Problem(415, "the body must be encoded in UTF-8")


def check_binary(head: Head) -> None:
    """The same for JSON with the bytes of tensors behind it."""
    if head.encoded or head.content_type not in (b"application/octet-stream", b"application/json"):
        raise Problem(415, "JSON with binary tensor data must come as application/octet-stream, not compressed")


class BodyReader:
    """Reads bodies within the bounds. One per process, used on the event loop alone."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self.waiting = 0
        self.buffered = 0

    async def read(self, receive: Receive, declared: int | None) -> bytes:
        """The whole body; `release` its length when it is no longer held. Raises Problem or ClientGone."""
        if declared is not None and declared > self._max_body:
            raise self._too_large()
        if self.waiting >= MAX_WAITING:
            raise Problem(503, "too many requests are being received: try again", OVERLOADED)
        self.waiting += 1
        try:
            return await self._collect(receive)
        finally:
            self.waiting -= 1

    def release(self, size: int) -> None:
        self.buffered -= size

    async def _collect(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        try:
            while True:
                chunk, more = await self._next(receive)
                self.buffered += len(chunk)
                size += len(chunk)
                chunks.append(chunk)
                self._check(size)
                if not more:
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        except BaseException:
            self.release(size)
            raise

    async def _next(self, receive: Receive) -> tuple[bytes, bool]:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        return message.get("body", b""), message.get("more_body", False)

    def _check(self, size: int) -> None:
        if size > self._max_body:
            raise self._too_large()
        if self.buffered > MAX_BUFFERED:
            raise Problem(503, "too much is being received at once: try again", OVERLOADED)

    def _too_large(self) -> Problem:
        return Problem(413, f"the body may have at most {self._max_body} bytes: send the records in parts")
