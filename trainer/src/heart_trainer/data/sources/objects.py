"""`s3://bucket/key` and `gs://bucket/key` through fsspec; credentials and endpoint come from the pod's environment."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult

import fsspec

from heart_api.handover import DataAccess
from heart_trainer.data.sources.limits import CHUNK, collect
from heart_trainer.errors import SourceError

NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError")
CREDENTIALS = " Put AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY into the namespace's Secret heartops-runtime."
CODE = re.compile(r"[A-Za-z0-9]{1,64}")
"""Of an error, as S3 defines them; anything else that a server may say is not repeated."""


def read(address: SplitResult, _: DataAccess) -> bytes:
    """Return the bytes of an object in a bucket. Raises SourceError."""
    uri = uri_of(address)
    system = file_system(address.scheme)
    with reported(uri):
        return collect(_chunks(system, uri), uri)


def uri_of(address: SplitResult) -> str:
    """Return the object's address as its driver takes it."""
    return f"{address.scheme}://{address.netloc}{address.path}"


@contextmanager
def reported(uri: str) -> Iterator[None]:
    """Turn a driver's errors within the block into a SourceError that names `uri`."""
    try:
        yield
    except SourceError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        why = "does not exist" if isinstance(error, FileNotFoundError) else "may not be read with these credentials"
        raise SourceError("DatasetUnreachable", f"{uri} {why}.", permanent=True) from error
    except Exception as error:  # every driver has its own
        advice = CREDENTIALS if type(error).__name__ in NO_CREDENTIALS else ""
        message = f"{uri} could not be read ({cause(error)}); it is tried again.{advice}"
        raise SourceError("DatasetUnreachable", message, permanent=False) from error


def cause(error: Exception) -> str:
    """The exception's name, and the code that the store has answered with, if it has."""
    response = getattr(error.__cause__, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    known = isinstance(code, str) and CODE.fullmatch(code)
    return f"{type(error).__name__}: {code}" if known else type(error).__name__


def file_system(scheme: str) -> Any:
    """Return the driver for `s3` or `gs`, with the credentials of the pod's environment."""
    try:
        return fsspec.filesystem(scheme)
    except ImportError as error:
        message = f"dataset.uri: this trainer image has no driver for {scheme}://. Use https, s3 or a volume (pvc)."
        raise SourceError("DatasetNotAllowed", message, permanent=True) from error


def _chunks(system: Any, uri: str) -> Iterator[bytes]:
    with system.open(uri, "rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
