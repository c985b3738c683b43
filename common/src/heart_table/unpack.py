"""Packed files (gzip, Zstandard) as a stream, bounded in what comes out of them."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from typing import IO

from heart_table.errors import UnreadableFile
from heart_table.kinds import GZIP, ZSTD

CHUNK = 1 << 20
OpenZstd = Callable[[IO[bytes]], IO[bytes]]


def packed(head: bytes) -> str:
    """`gzip`, `zstd` or nothing."""
    return "gzip" if head.startswith(GZIP) else "zstd" if head.startswith(ZSTD) else ""


def unpack(stream: IO[bytes], kind: str, open_zstd: OpenZstd | None, limit: int) -> Iterator[bytes]:
    """Chunks of what is packed in `stream`. Raises UnreadableFile: broken, or larger than `limit` bytes."""
    if kind == "zstd" and open_zstd is None:
        raise UnreadableFile(
            "The file is packed with Zstandard, which cannot be read here: unpack it with zstd -d first."
        )
    size = 0
    try:
        inner = open_zstd(stream) if kind == "zstd" and open_zstd else gzip.GzipFile(fileobj=stream)
        while chunk := inner.read(CHUNK):
            size += len(chunk)
            if size > limit:
                raise UnreadableFile(f"The unpacked file is larger than {limit >> 20} MiB: use a smaller extract.")
            yield bytes(chunk)
    except (OSError, EOFError, zlib.error):
        raise UnreadableFile(f"The file is packed with {kind} and is damaged or incomplete: fetch it again.") from None


def unpack_all(data: bytes, kind: str, open_zstd: OpenZstd | None, limit: int) -> bytes:
    return b"".join(unpack(io.BytesIO(data), kind, open_zstd, limit))


def unpacked(stream: IO[bytes], kind: str, open_zstd: OpenZstd | None, limit: int) -> IO[bytes]:
    """What is packed in `stream`, as a stream; `stream` itself if `kind` is empty. Reading raises UnreadableFile."""
    return io.BufferedReader(_Chunks(unpack(stream, kind, open_zstd, limit))) if kind else stream  # type: ignore[type-var]


class _Chunks(io.RawIOBase):
    """An iterator of chunks as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        self._rest = self._rest or next(self._chunks, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
