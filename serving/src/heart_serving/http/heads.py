"""Bounds of what surrounds a request's body: URL, header fields, trailers and the framing of chunks."""

from collections.abc import Iterable, Iterator

HEAD_BYTES = 32 * 1024
"""Names and values of all fields of one request, and what a parser may swallow without a word."""
HEAD_FIELDS = 100
URL_BYTES = 8 * 1024
HEAD_SECONDS = 5.0
"""From the first read of a head to its end."""
HOP_BY_HOP = (b"upgrade", b"http2-settings", b"connection")


class HeadRejected(Exception):
    """Raised in the parser's callbacks; the parser stops there."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class HeadBounds:
    """What the parser has reported of one request. The connection counts: a call for each field costs too much."""

    __slots__ = ("fields", "open", "size", "unreported")

    def __init__(self) -> None:
        self.begin()
        self.open = False

    def begin(self) -> None:
        """Start counting anew, for a head that begins."""
        self.open = True
        """Whether a head has begun and is not complete."""
        self.size = 0
        """Bytes of all names and values, trailers included."""
        self.fields = 0
        self.unreported = 0
        """Bytes since the parser last reported anything: it keeps an endless name or value to itself until that ends,
        and copies it for each read."""


def raise_too_long() -> None:
    raise HeadRejected(414, f"the URL may have at most {URL_BYTES} bytes")


def raise_too_large() -> None:
    raise HeadRejected(431, f"the headers may have at most {HEAD_FIELDS} fields and {HEAD_BYTES} bytes")


def without_upgrade(method: bytes, url: bytes, version: str, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the request's head as bytes, without the fields that offer to change the protocol."""
    lines = [b"%b %b HTTP/%b" % (method, url, version.encode()), *_kept(fields)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _kept(fields: Iterable[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, value in fields:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            if left := [option for option in options if option.lower() not in HOP_BY_HOP]:
                yield b"connection: " + b", ".join(left)
        elif name not in HOP_BY_HOP:
            yield b"%b: %b" % (name, value)
