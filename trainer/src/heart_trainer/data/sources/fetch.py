"""The bytes behind `dataset.uri`, within an administrator's bounds and with the digest that the spec names."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from heart_api.contract import Dataset
from heart_api.handover import DataAccess
from heart_trainer.data.sources import builtin, dvc, mounts, objects, web
from heart_trainer.errors import SourceError

Read = Callable[[SplitResult, DataAccess], bytes]


def fetch(dataset: Dataset, access: DataAccess, file: Path | None = None) -> bytes:
    """Return the dataset's bytes, their digest checked. `file` takes the place of the URI on a laptop.

    Raises SourceError.
    """
    data = _read(dataset, access) if file is None else mounts.read_file(file, str(file))
    check_digest(data, dataset)
    return data


def digest(data: bytes) -> str:
    """Return `sha256:` and the hex digest of the bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(data: bytes, dataset: Dataset) -> None:
    """Raise SourceError where dataset.sha256 names another digest than that of the bytes."""
    compare_digest(digest(data), dataset)


def compare_digest(found: str, dataset: Dataset) -> None:
    """Raise SourceError where dataset.sha256 names another digest than `found`."""
    wanted = dataset.sha256
    if wanted and found != f"sha256:{wanted.removeprefix('sha256:')}":
        raise SourceError(
            "DatasetDigestMismatch",
            f"The file has digest {found}, dataset.sha256 names another: check that it is the file you mean, "
            "then put its digest there.",
            permanent=True,
        )


def _read(dataset: Dataset, access: DataAccess) -> bytes:
    address = allowed_address(dataset.uri, access)
    if address.scheme.startswith(dvc.PREFIX):
        return dvc.read(address, dataset.rev, access)
    return _READERS[address.scheme](address, access)


def allowed_address(uri: str, access: DataAccess) -> SplitResult:
    """Return the parts of a URI. Raises SourceError for one that is none, or whose scheme the runtime profile does not
    allow.
    """
    try:
        address = urlsplit(uri)
        address.port  # noqa: B018  raises on a port that is none
    except ValueError:
        raise SourceError("DatasetNotAllowed", "dataset.uri is not a valid address.", permanent=True) from None
    if address.scheme not in access.schemes:
        raise SourceError(
            "DatasetNotAllowed",
            f"dataset.uri: {address.scheme} is not allowed here, only {', '.join(access.schemes)}. "
            "An administrator can add it to the runtime profile.",
            permanent=True,
        )
    return address


_READERS: dict[str, Read] = {
    "https": web.read,
    "http": web.read,
    "s3": objects.read,
    "gs": objects.read,
    "pvc": mounts.read,
    "configmap": mounts.read,
    "builtin": builtin.read,
}
