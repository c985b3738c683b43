"""Proofs that the pods of this namespace gave an answer: `/feedback` demands one with each outcome.

A proof is `<records>.<MAC>.<version>`. The MAC is keyed BLAKE2b (RFC 7693) of 128 bits over namespace, model, version,
request id and number of records. Its key is shared by the namespace's serving pods (Secret heartops-runtime), so that
an outcome may be reported at any pod of the model, weeks later.
"""

import hashlib
import hmac
import logging
import re
from collections.abc import Sequence

from heart_api.handover import Env

PROOF = re.compile(r"([1-9][0-9]{0,8})\.([0-9a-f]{32})\.([!-~]{1,64})")
LEAST_KEY = 32
"""Characters of a key."""
DIGEST_BYTES = 16
OUTCOME, COPY = b"heartops outcome", b"heartops copy"
"""What a MAC is for: one never passes for the other."""
UNPROVEN_COPY = "1"

logger = logging.getLogger("heart_serving")


class Proofs:
    """Makes and checks proofs for one model version; thread-safe. Without a key it makes none and accepts none."""

    def __init__(self, keys: Sequence[bytes] = (), namespace: str = "", model: str = "", version: str = "") -> None:
        """The first key makes proofs; every key is accepted, so that one can replace another."""
        self._keys = tuple(keys)
        self._place = f"{namespace}\0{model}\0"
        self._version = version
        self._own = self._start(self._keys[0], OUTCOME, version) if self._keys else None
        self._copies = [self._start(key, COPY, "") for key in self._keys]

    def __bool__(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    def prove(self, request_id: str, records: int) -> str:
        """The proof of an answer to so many records; empty without a key."""
        if self._own is None:
            return ""
        mac = self._own.copy()
        mac.update(f"{request_id}.{records}".encode())
        return f"{records}.{mac.hexdigest()}.{self._version}"

    def is_proven(self, request_id: str, row: int, proof: str) -> bool:
        """Whether a pod of this model answered a request of this id with such a row."""
        match = PROOF.fullmatch(proof)
        if match is None:
            return False
        records, mac, version = match.groups()
        text = f"{request_id}.{records}"
        expected = [finished(self._start(key, OUTCOME, version), text) for key in self._keys]
        return any(hmac.compare_digest(mac, each) for each in expected) and row < int(records)

    def mark_copy(self, request_id: str) -> str:
        """Value of the header X-HeartOps-Shadow of a mirrored request."""
        return finished(self._copies[0], request_id) if self._copies else UNPROVEN_COPY

    def is_copy(self, request_id: str, mark: str) -> bool:
        """Whether a pod of this model mirrored the request of this id."""
        return any(hmac.compare_digest(mark.encode(), finished(each, request_id).encode()) for each in self._copies)

    def _start(self, key: bytes, purpose: bytes, version: str) -> "hashlib.blake2b":
        start = hashlib.blake2b(key=key, digest_size=DIGEST_BYTES, person=purpose)
        start.update(f"{self._place}{version}\0".encode())
        return start


def finished(start: "hashlib.blake2b", text: str) -> str:
    """The MAC in hex. Copying a started one spares the key schedule, which is half of the work."""
    mac = start.copy()
    mac.update(text.encode())
    return mac.hexdigest()


def read_keys(text: str) -> tuple[bytes, ...]:
    """Keys separated by white space, the newest first; none if one of them is too short, which is logged."""
    found = text.split()
    if any(len(key) < LEAST_KEY for key in found):
        logger.warning("%s is ignored: a key needs at least %d characters", Env.PROOF_KEY, LEAST_KEY)
        return ()
    return tuple(hashlib.sha256(key.encode()).digest() for key in found)
