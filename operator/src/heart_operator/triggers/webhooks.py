"""Signatures of MLflow's webhooks (mlflow/webhooks/delivery.py, in the manner of standardwebhooks.com).

`X-MLflow-Signature: v1,<base64>` is an HMAC-SHA256 of `<delivery id>.<timestamp>.<body>`. A namespace has a key of its
own, so that nobody can speak for another namespace.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SIGNATURE, DELIVERY, TIMESTAMP = "X-MLflow-Signature", "X-MLflow-Delivery-Id", "X-MLflow-Timestamp"
PAST, FUTURE = 300.0, 60.0
"""Seconds by which a delivery may be older or newer than this clock."""
LEAST_KEY = 16
"""Characters of a key; shorter ones are ignored."""
MAX_KEY_FILE = 4096
MOST_SIGNATURES = 4
ID = re.compile(r"[A-Za-z0-9-]{8,64}")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request that was signed with the namespace's key."""

    id: str
    at: datetime


def verify(headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: float) -> Delivery | None:
    """None if no key has signed this body, or not lately. Compares in constant time."""
    delivery, stamp = headers.get(DELIVERY, ""), headers.get(TIMESTAMP, "")
    if not ID.fullmatch(delivery) or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return None
    sent = list(signatures(headers.get(SIGNATURE, "")))
    signed = b".".join((delivery.encode(), stamp.encode(), body))
    expected = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    # All are compared, so that the time does not say which key it was.
    known = sum(hmac.compare_digest(one, other) for one in expected for other in sent)
    if not known or not now - PAST <= int(stamp) <= now + FUTURE:
        return None
    return Delivery(delivery, datetime.fromtimestamp(int(stamp), UTC))


def signatures(header: str) -> list[bytes]:
    """The values of version 1: `v1,<base64>`, several separated by spaces."""
    found = []
    for part in header.split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]:
        version, _, value = part.partition(",")
        try:
            raw = base64.b64decode(value, validate=True) if version == "v1" else b""
        except (binascii.Error, ValueError):
            continue
        if len(raw) == hashlib.sha256().digest_size:
            found.append(raw)
    return found


def read_keys(folder: Path | None, namespace: str) -> tuple[bytes, ...]:
    """The namespace's keys, one a line (two during a rotation), from the file of its name in a mounted Secret."""
    if folder is None or NAMESPACE.fullmatch(namespace) is None:
        return ()
    try:
        with (folder / namespace).open("rb") as file:
            lines = file.read(MAX_KEY_FILE).splitlines()
    except OSError:
        return ()
    return tuple(line.strip() for line in lines if len(line.strip()) >= LEAST_KEY)
