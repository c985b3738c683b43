"""Admits requests: who calls, and whether they may."""

import logging
import time
from collections.abc import Iterable
from typing import NamedTuple, Protocol

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


class Admitted(NamedTuple):
    """Who a request comes from, and what proved it: for the copy to a candidate alone, and never logged."""

    name: str = ""
    credential: bytes = b""
    subject: str = ""
    """Of a token, after `jwt:`."""

    @property
    def author(self) -> str:
        """Name of whoever reports an outcome; empty: callers need not say who they are."""
        return self.subject or self.name


NOBODY = Admitted()
"""Of a model whose callers need not say who they are."""


class Guard:
    """One for all ways into the server. Used on the event loop alone."""

    def __init__(self, authenticator: Authenticator | None = None) -> None:
        """`authenticator`: None admits everybody."""
        self.authenticator = authenticator
        self.denied: dict[str, int] = dict.fromkeys(REASONS, 0)
        self._unsaid = 0
        self._said = -SUMMARY_SECONDS

    def admit(self, headers: Iterable[tuple[bytes, bytes]], scope: Scope | None) -> Admitted:
        """Who calls; NOBODY where they need not say. `headers`: names in lower case.

        `scope`: None takes any valid credential. Raises Denied.
        """
        if self.authenticator is None:
            return NOBODY
        try:
            credential = read_credential(headers)
            caller = self._find(self.authenticator, credential)
            if scope is not None and scope not in caller.scopes:
                raise lacks_scope(scope)
        except Denied as denied:
            self._count(denied)
            raise
        return Admitted(caller.name, credential, caller.subject)

    def _find(self, authenticator: Authenticator, credential: bytes) -> Caller:
        if not credential:
            raise no_credential()
        caller = authenticator.find(credential)
        if caller is None:
            raise bad_credential()
        return caller

    def _count(self, denied: Denied) -> None:
        self.denied[denied.reason] += 1
        self._unsaid += 1
        if (now := time.monotonic()) - self._said >= SUMMARY_SECONDS:
            logger.warning("denied %d requests; the last one: %s", self._unsaid, denied.message)
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
