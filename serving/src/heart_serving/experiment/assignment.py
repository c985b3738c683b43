"""Which group of an experiment a user belongs to: a salted hash of the identity, the same in every pod.

The hash does not follow any pattern of the identities, and another salt mixes them anew.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Literal

from heart_api.handover import ExperimentTarget

Arm = Literal["stable", "candidate"]
Headers = Iterable[tuple[bytes, bytes]]
WHOLE = 1 << 64


class Assignment:
    """Of one experiment."""

    def __init__(self, target: ExperimentTarget) -> None:
        self._key = target.salt.encode()
        self._below = WHOLE * target.split // 100
        header, cookie = target.by.header, target.by.cookie
        self._identity = by_header(header) if header else by_cookie(cookie or "")

    def arm_of(self, headers: Headers) -> Arm | None:
        """None: the request does not say whose it is. `headers`: names in lower case."""
        identity = self._identity(headers)
        if not identity:
            return None
        digest = hashlib.blake2b(identity, digest_size=8, key=self._key).digest()
        return "candidate" if int.from_bytes(digest) < self._below else "stable"


def by_header(name: str) -> Callable[[Headers], bytes]:
    wanted = name.lower().encode()

    def identity(headers: Headers) -> bytes:
        return next((value.strip() for key, value in headers if key == wanted), b"")

    return identity


def by_cookie(name: str) -> Callable[[Headers], bytes]:
    wanted = name.encode()

    def identity(headers: Headers) -> bytes:
        for key, value in headers:
            if key == b"cookie":
                for pair in value.split(b";"):
                    found, _, text = pair.strip().partition(b"=")
                    if found == wanted:
                        return text
        return b""

    return identity
