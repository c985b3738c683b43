"""Files that the containers of the coordinator's pod share, in memory and for as long as the pod lives."""

import os
import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from heart_trainer.federation.keys import Authority

AUTHORITY, CERTIFICATE, KEY, SECRET = "ca.crt", "tls.crt", "tls.key", "superexec.secret"
LOOPBACK = ("127.0.0.1", "localhost")


def write_identity(folder: Path, authority: Authority, hosts: Sequence[str], now: datetime) -> None:
    """A server certificate for these hosts and loopback, and the secret that the pod's own containers share."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = authority.issue([*hosts, *LOOPBACK], now)
    write_private(folder / AUTHORITY, authority.pem.encode())
    write_private(folder / CERTIFICATE, certificate)
    write_private(folder / KEY, key)
    write_private(folder / SECRET, secrets.token_bytes(32))


def write_private(path: Path, data: bytes) -> None:
    """A file that its owner alone may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
