"""API keys: hashes from the mounted Secret, found in time that says nothing of them."""

import hashlib
import hmac
import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from heart_api.authentication import CALLER_PATTERN, StoredKey, read_keys

MAX_CALLERS = 1000
"""More are left out: a Secret has a megabyte."""
MAX_ENTRY_BYTES = 4096
LONGEST_KEY = 512
"""Bytes; anything longer is no key of ours, and is not hashed."""

logger = logging.getLogger("heart_serving")


class Caller(NamedTuple):
    """Who calls, by the name that metrics show, and what they may do."""

    name: str = ""
    scopes: frozenset[str] = frozenset()
    credential: bytes = b""
    """What proved it: for the copy to a candidate alone, and never logged."""
    subject: str = ""
    """Of a token: whose outcomes these are, which no metric shows."""

    @property
    def author(self) -> str:
        """Name of whoever reports an outcome; empty: callers need not say who they are."""
        return self.subject or self.name


class KeyRing:
    """Finds the caller of a key.

    Hashes are looked up by an HMAC with a key of this process, so that the time of a lookup depends on nothing that a
    client can know or choose; the hash that was found is compared in constant time. A key that was found once is
    remembered as it came: Python's own hash of bytes is keyed by a secret of the process, too.
    """

    def __init__(self, keys: Mapping[str, Iterable[StoredKey]]) -> None:
        self._secret = os.urandom(32)
        self._callers: dict[bytes, tuple[bytes, Caller]] = {}
        self._known: dict[bytes, Caller] = {}
        for name, stored in keys.items():
            for key in stored:
                digest = bytes.fromhex(key.sha256)
                self._callers[self._tag(digest)] = digest, Caller(name, key.scopes)

    def __len__(self) -> int:
        return len(self._callers)

    def find(self, credential: bytes) -> Caller | None:
        """The caller whose key this is."""
        if (known := self._known.get(credential)) is not None:
            return known
        if len(credential) > LONGEST_KEY:
            return None
        digest = hashlib.sha256(credential).digest()
        found = self._callers.get(self._tag(digest))
        if found is None or not hmac.compare_digest(found[0], digest):
            return None
        caller = self._known[credential] = found[1]._replace(credential=credential)
        return caller

    def _tag(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, digest_size=16, key=self._secret).digest()


def read_key_ring(folder: Path) -> KeyRing:
    """The keys of a mounted Secret: a file for each caller. A malformed one is left out and logged."""
    found: dict[str, tuple[StoredKey, ...]] = {}
    for file in key_files(folder):
        try:
            found[file.name] = read_keys(file.read_bytes()[:MAX_ENTRY_BYTES].decode())
        except (OSError, ValueError) as error:
            logger.warning("the API keys of caller %s are left out: %s", file.name, why(error))
    ring = KeyRing(found)
    if not ring:
        logger.warning("there is no API key: every request is denied; make one with kubectl heart key create")
    return ring


def key_files(folder: Path) -> list[Path]:
    """Kubernetes' own links start with two dots."""
    try:
        files = sorted(file for file in folder.iterdir() if re.fullmatch(CALLER_PATTERN, file.name))
    except OSError:
        return []
    return files[:MAX_CALLERS]


def why(error: Exception) -> str:
    """Without the text of a file."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
