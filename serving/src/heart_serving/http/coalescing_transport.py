"""One system call for each response."""

import asyncio
from typing import Any


class OneWrite:
    """A transport that holds a response's head until its body comes: one system call instead of two."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""

    def write_all(self, response: bytes) -> None:
        """Send a whole response, head and body, in one write."""
        self._transport.write(response)

    def flush(self) -> None:
        """Send the head that is held back, of a response that has no body."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
