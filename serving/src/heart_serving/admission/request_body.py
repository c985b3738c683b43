"""How requests come in: heads and bodies, bounded in bytes and number; the connection bounds the time (server)."""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from heart_api.labels import HEADER as LABELS_HEADER
from heart_api.labels import LONGEST as LONGEST_LABELS
from heart_serving.admission.compression import check_encoding, too_large, unpack
from heart_serving.errors import Problem
from heart_serving.predictionlog.proofs import Proofs

MAX_BUFFERED = 64 * 1024 * 1024
"""Bytes of all bodies at one time; with it the pod's memory is bounded whatever clients do."""
MAX_WAITING = 1024
"""Requests whose body is still on its way."""
LABELS = LABELS_HEADER.encode()
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
OVERLOADED = {"Retry-After": "1"}
NO_PROOFS = Proofs()

Receive = Callable[[], Awaitable[Any]]


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class Head(NamedTuple):
    """What the hot path needs of the headers."""

    content_type: bytes = b""
    length: int | None = None
    request_id: str = ""
    """Made here, so that no caller can name the id of somebody else's prediction."""
    encoding: bytes = b""
    """How the body is compressed; empty: not at all."""
    accept_encoding: bytes = b""
    json_length: int | None = None
    """Bytes of JSON before binary tensor data, as the header says (-1: not a number)."""
    shadow: bool = False
    """A copy that another server made to compare the answers: its answer reaches no user."""
    origin: bool = False
    """A browser's request from another site's page."""
    subject: str | None = None
    """Whom the request is about, as the caller calls them: kept with the prediction, so that it can be erased."""
    correlation_id: str = ""
    """The caller's own X-Request-Id: for the log of requests, and for nothing else."""
    labels: str | None = None
    """X-HeartOps-Labels as it was sent; it is read where the prediction is logged."""


def read_head(headers: Iterable[tuple[bytes, bytes]], proofs: Proofs = NO_PROOFS) -> Head:
    """Names come in lower case (ASGI). `proofs`: tell copies that the model's own pods sent from those that claim it.

    A copy has the id of its original. Without a key every request that claims to be a copy is one, with an id of its
    own.
    """
    content_type, length, correlation_id, encoding, accept_encoding = b"", None, "", b"", b""
    json_length, mark, origin, subject, labels = None, "", False, None, None
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = int(value)  # the HTTP parser has rejected everything but digits
        elif name == b"accept-encoding":
            accept_encoding = value
        elif name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            correlation_id = value.decode()
        elif name == b"x-heartops-subject" and REQUEST_ID.fullmatch(value):
            subject = value.decode()
        elif name == LABELS and len(value) <= LONGEST_LABELS:
            labels = value.decode("latin-1")
        elif name == b"content-encoding":
            encoding = value.lower().replace(b"identity", b"")
        elif name == b"inference-header-content-length":
            json_length = int(value) if value.isdigit() and len(value) < 20 else -1
        elif name == b"x-heartops-shadow":
            mark = value.decode("latin-1")
        elif name == b"origin":
            origin = True
    shadow = bool(mark) and (not proofs or proofs.is_copy(correlation_id, mark))
    request_id = correlation_id if shadow and proofs else new_request_id()
    known = (content_type, length, request_id, encoding, accept_encoding, json_length, shadow, origin, subject)
    return Head(*known, correlation_id, labels)


def new_request_id() -> str:
    """Return 24 hex digits, unique for all practical purposes across pods and restarts."""
    return os.urandom(12).hex()


def check_json(head: Head) -> None:
    """Raise Problem 415 unless the request says that it is plain JSON in UTF-8."""
    check_unsplit(head)
    check_media_type(head, b"application/json")


def check_unsplit(head: Head) -> None:
    """Raise Problem 415 for JSON with binary tensor data behind it."""
    if head.json_length is not None:
        raise Problem(415, "binary tensor data belongs to the Open Inference Protocol: send plain JSON")


def check_media_type(head: Head, *allowed: bytes) -> bytes:
    """Return the media type, in lower case, if it is an allowed one in UTF-8. Raises Problem 415."""
    if head.content_type in allowed:
        return head.content_type
    media, *parameters = [part.strip().lower() for part in head.content_type.split(b";")]
    if media not in allowed:
        names = " or ".join(name.decode() for name in allowed)
        raise Problem(415, f"this body is not read here: send the header Content-Type: {names}")
    for parameter in parameters:
        if parameter.startswith(b"charset=") and parameter[8:].strip(b'"') not in (b"utf-8", b"utf8", b"us-ascii"):
            raise Problem(415, "the body must be encoded in UTF-8")
    return media


class BodyReader:
    """Reads bodies within the bounds. One per process, used on the event loop alone."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self.waiting = 0
        self.buffered = 0

    async def read(self, receive: Receive, head: Head) -> bytes:
        """Return the whole body, decompressed; `release` its length once it is not held any more. Raises Problem or
        ClientGone.
        """
        if head.encoding:
            check_encoding(head.encoding)
        if head.length is not None and head.length > self._max_body:
            raise too_large(self._max_body)
        if self.waiting >= MAX_WAITING:
            raise Problem(503, "too many requests are being received: try again", OVERLOADED)
        self.waiting += 1
        try:
            body = await self._collect(receive)
        finally:
            self.waiting -= 1
        return await self._unpack(body, head.encoding) if head.encoding else body

    def release(self, size: int) -> None:
        """Give back the room of `size` bytes that `read` had reserved."""
        self.buffered -= size

    async def _unpack(self, packed: bytes, encoding: bytes) -> bytes:
        """In a thread: two megabytes take longer than the event loop may be held up."""
        try:
            body = await asyncio.to_thread(unpack, packed, encoding, self._max_body)
        finally:
            self.release(len(packed))
        self.buffered += len(body)
        return body

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
            raise too_large(self._max_body)
        if self.buffered > MAX_BUFFERED:
            raise Problem(503, "too much is being received at once: try again", OVERLOADED)
