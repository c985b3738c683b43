"""One bounded HTTP download on the standard library: no redirects, no proxies, digest before the file appears."""

import hashlib
import http.client
import os
import random
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from heart_model.limits import MAX_MODEL_BYTES, ArtifactRejected

TIMEOUT_SECONDS = 10.0
"""Of connecting, and of each read."""
TOTAL_SECONDS = 60.0
"""Of one download, however slowly it drips."""
CHUNK = 1024 * 1024


class Unreachable(Exception):
    """The server did not answer, or not as expected. Worth a retry."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    secure: bool = False

    def connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        return kind(self.host, self.port, timeout=TIMEOUT_SECONDS)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def resolve(host: str, port: int) -> list[Address]:
    """All addresses behind a name, shuffled; none when it does not exist (a headless Service without ready pods)."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    addresses = sorted({str(entry[4][0]) for entry in found})
    random.shuffle(addresses)
    return [Address(address, port) for address in addresses]


def get(address: Address, path: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
    """A response with status 200; the caller closes it. Raises Unreachable or ArtifactRejected."""
    connection = address.connect()
    try:
        connection.request("GET", path, headers={"Connection": "close", **headers})
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unreachable(f"{address} does not answer ({type(error).__name__})") from None
    if response.status == 200:
        return response
    response.close()
    if response.status >= 500 or response.status in (408, 429):
        raise Unreachable(f"{address} answers {response.status} {response.reason}")
    raise ArtifactRejected(f"{address} answers {response.status} {response.reason}{advice(response.status)}")


def advice(status: int) -> str:
    if status in (401, 403):
        return ": put valid MLflow credentials into the Secret heartops-runtime, or allow this host in MLflow"
    return " (redirects are not followed)" if 300 <= status < 400 else ""


def download(address: Address, path: str, file: Path, sha256: str, headers: Mapping[str, str]) -> None:
    """Puts the body at `file` in one step, once its digest is right. Raises Unreachable or ArtifactRejected."""
    response = get(address, path, headers)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=".fetch-")
    try:
        with response, os.fdopen(handle, "wb") as target:
            found = copy(response, target, address)
            os.fchmod(target.fileno(), 0o444)
        if found != sha256:
            raise ArtifactRejected(
                f"{address} sent a file with digest sha256:{found}, but sha256:{sha256} was approved"
            )
        Path(temporary).rename(file)
    finally:
        Path(temporary).unlink(missing_ok=True)


def copy(response: http.client.HTTPResponse, target: IO[bytes], address: Address) -> str:
    """Streams within the bounds of size and time; returns the digest (hex)."""
    digest, size, ends = hashlib.sha256(), 0, time.monotonic() + TOTAL_SECONDS
    try:
        # What has come so far, each time: a read of a whole chunk would wait for a server that drips.
        while chunk := response.read1(CHUNK):
            size += len(chunk)
            if size > MAX_MODEL_BYTES:
                raise ArtifactRejected(f"{address} sends more than {MAX_MODEL_BYTES} bytes: no model is that large")
            if time.monotonic() > ends:
                raise Unreachable(f"{address} took more than {TOTAL_SECONDS:.0f} s to send the model")
            digest.update(chunk)
            target.write(chunk)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{address} broke off ({type(error).__name__})") from None
    if response.length:  # what was announced and did not come: http.client says nothing of a short read
        raise Unreachable(f"{address} broke off after {size} bytes")
    return digest.hexdigest()


def file_digest(file: Path) -> str:
    """SHA-256 of a file's bytes as 64 hex digits."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
