"""Compressed bodies: unpacked within the bound of a body, packed where a client accepts it."""

import zlib
from collections.abc import Iterator

from heart_serving.errors import Problem

ENCODINGS = (b"gzip", b"x-gzip", b"deflate")
EITHER_HEADER = 47
"""zlib's own number for: a gzip or a zlib header, whichever comes."""
NO_HEADER = -15
MOST_MEMBERS = 16
"""Of one gzip body: each further one copies the rest."""
LEVEL = 1


def check_encoding(encoding: bytes) -> None:
    """Raise Problem 415 for a Content-Encoding that is neither gzip, deflate nor identity."""
    if encoding not in ENCODINGS:
        offer = {"Accept-Encoding": "gzip, deflate"}
        raise Problem(415, "the body must come as it is, or compressed by gzip or deflate", offer)


def too_large(max_body: int) -> Problem:
    """Return Problem 413, which names the bound in bytes."""
    return Problem(413, f"the body may have at most {max_body} bytes: send the records in parts")


def unpack(packed: bytes, encoding: bytes, max_body: int) -> bytes:
    """Return the body's bytes, decompressed. Raises Problem: 413 as soon as there are more than `max_body`, 400 for
    bytes that are not of the encoding.
    """
    chunks, size = [], 0
    try:
        for chunk in _members(packed, encoding, max_body + 1):
            chunks.append(chunk)
            size += len(chunk)
            if size > max_body:
                raise too_large(max_body)
    except zlib.error:
        raise Problem(400, f"the body is not compressed by {encoding.decode()}, as its header says") from None
    return b"".join(chunks)


def _members(packed: bytes, encoding: bytes, most: int) -> Iterator[bytes]:
    """Each of at most `most` bytes. gzip may be several members, one after the other. Raises zlib.error."""
    form = NO_HEADER if encoding == b"deflate" and not has_zlib_header(packed) else EITHER_HEADER
    for _ in range(MOST_MEMBERS):
        member = zlib.decompressobj(form)
        yield member.decompress(packed, most)
        if not member.eof and not member.unconsumed_tail:
            raise zlib.error
        packed = member.unused_data
        if not packed:
            return
    raise zlib.error


def has_zlib_header(packed: bytes) -> bool:
    """Return whether the bytes begin as RFC 1950 has it; some clients send `deflate` without it."""
    return len(packed) >= 2 and packed[0] & 0x0F == 8 and int.from_bytes(packed[:2]) % 31 == 0


def accepted_encoding(accept_encoding: bytes) -> str | None:
    """Return `gzip` or `deflate`, the first that an Accept-Encoding header takes; None if it takes neither."""
    for part in accept_encoding.lower().split(b","):
        name, _, quality = part.replace(b" ", b"").partition(b";q=")
        if name in (b"gzip", b"deflate") and (not quality or quality.strip(b"0.")):
            return name.decode()
    return None


def pack(body: bytes, encoding: str) -> bytes:
    """Return the body compressed with `gzip` or `deflate`."""
    member = zlib.compressobj(LEVEL, wbits=31 if encoding == "gzip" else 15)
    return member.compress(body) + member.flush()
