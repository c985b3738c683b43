"""A stream that is read in parts, whose failures say which file could not be read."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import IO

Reported = Callable[[str], AbstractContextManager[None]]
"""Turns errors within its block into a SourceError that names the file."""


class Watched(io.RawIOBase):
    """The stream that `open_stream` gives. Opening and reading it raise SourceError."""

    def __init__(self, name: str, open_stream: Callable[[], IO[bytes]], reported: Reported) -> None:
        super().__init__()
        self._name, self._reported = name, reported
        with reported(name):
            self._stream = open_stream()

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it can be read from any place."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, or fewer at the end."""
        with self._reported(self._name):
            return self._stream.read(size)

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Fill the buffer, as far as there is something."""
        part = self.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the file."""
        with self._reported(self._name):
            return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._stream.tell()

    def close(self) -> None:
        """Close the stream below as well."""
        if not self.closed:
            self._stream.close()
        super().close()
