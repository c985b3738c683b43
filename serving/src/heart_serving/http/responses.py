"""A reply as HTTP: as ASGI's messages, or as the bytes of a whole response."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import orjson

from heart_serving.admission.request_body import new_request_id
from heart_serving.protocols.base import Reply

Fields = list[tuple[bytes, bytes]]
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}

PROOF_HEADER = b"x-feedback-proof"
PLAIN = b"%bcontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b\r\n%b"
"""What `fields` says of JSON without further headers: most responses."""


async def respond(send: Any, reply: Reply, request_id: str, proof: str = "") -> None:
    """Send the reply through ASGI. `proof`: that of the answer, for /feedback; empty if it has none."""
    await send({"type": "http.response.start", "status": reply.status, "headers": fields(reply, request_id, proof)})
    await send({"type": "http.response.body", "body": reply.body})


def render(reply: Reply, request_id: str, common: Iterable[tuple[bytes, bytes]], proof: str = "") -> bytes:
    """Return a whole response as bytes. `common`: headers besides its own."""
    head = STATUS_LINES[reply.status] + b"".join([b"%b: %b\r\n" % field for field in common])
    if not reply.headers:
        proven = b"%b: %b\r\n" % (PROOF_HEADER, proof.encode()) if proof else b""
        return PLAIN % (head, len(reply.body), request_id.encode(), proven, reply.body)
    own = [b"%b: %b\r\n" % field for field in fields(reply, request_id, proof)]
    return b"%b%b\r\n%b" % (head, b"".join(own), reply.body)


def connection_error(status: int, message: str, common: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the last response of a connection to what never became a request, in the form of /predict."""
    body = orjson.dumps({"detail": message})
    return render(Reply(body, {"Connection": "close"}, status), new_request_id(), common)


def fields(reply: Reply, request_id: str, proof: str = "") -> Fields:
    found = [] if "Content-Type" in reply.headers else [(b"content-type", b"application/json")]
    found += [(b"content-length", b"%d" % len(reply.body)), (b"x-request-id", request_id.encode())]
    if proof:
        found.append((PROOF_HEADER, proof.encode()))
    found += [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    return found
