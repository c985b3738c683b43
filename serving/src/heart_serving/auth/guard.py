"""Admits requests: who calls, and whether they may."""

import logging
import time
from collections.abc import Iterable
from typing import Protocol

from heart_api.authentication import Scope
from heart_serving.auth.denied import REASONS, Denied, bad_credential, lacks_scope, no_credential
from heart_serving.auth.keys import Caller

OPEN_PATHS = ("/", "/health", "/v2/health/live", "/v2/health/ready", "/ping")
"""Whether the server is well: everybody may know, as load balancers have no key."""
SUMMARY_SECONDS = 10.0
"""Denied requests are counted one by one and logged together: a line for each would be a way to fill a disk."""

logger = logging.getLogger("heart_serving")


class Authenticator(Protocol):
    def find(self, credential: bytes) -> Caller | None:
        """The caller; None: the credential is not valid. Raises Denied."""

    def __len__(self) -> int:
        """How many keys could admit a caller: API keys, or keys of the issuer of tokens."""


NOBODY = Caller()
"""Of a model whose callers need not say who they are."""


class Guard:
    """One for all ways into the server. Used on the event loop alone."""

    def __init__(self, authenticator: Authenticator | None = None) -> None:
        """`authenticator`: None admits everybody."""
        self.authenticator = authenticator
        self.denied: dict[str, int] = dict.fromkeys(REASONS, 0)
        self._unsaid = 0
        self._said = -SUMMARY_SECONDS

    @property
    def keys(self) -> int | None:
        """How many keys could admit a caller; None where callers need not say who they are."""
        return None if self.authenticator is None else len(self.authenticator)

    def admit(self, headers: Iterable[tuple[bytes, bytes]], scope: Scope | None) -> Caller:
        """Who calls; NOBODY where they need not say. `headers`: names in lower case.

        `scope`: None takes any valid credential. Raises Denied.
        """
        if self.authenticator is None:
            return NOBODY
        try:
            if not (credential := read_credential(headers)):
                raise no_credential()
            if (caller := self.authenticator.find(credential)) is None:
                raise bad_credential()
            if scope is not None and scope not in caller.scopes:
                raise lacks_scope(scope)
        except Denied as denied:
            self._count(denied)
            raise
        return caller

    def _count(self, denied: Denied) -> None:
        self.denied[denied.reason] += 1
        self._unsaid += 1
        if (now := time.monotonic()) - self._said >= SUMMARY_SECONDS:
            logger.warning("denied requests: %d; the last one: %s", self._unsaid, denied.message)
            self._said, self._unsaid = now, 0


def read_credential(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The key or token of a request; empty when there is none."""
    found = b""
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            found = value[7:].strip()
    return found
