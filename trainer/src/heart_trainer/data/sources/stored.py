"""The files behind `dataset.uri` as they are stored: their sizes, and a stream of each to read in parts.

An address that ends in `/` names all Parquet files below it, in the order of their names. Files on volumes and in
buckets are read where they are; anything else comes whole, within the bounds of its source.
"""

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import SplitResult

from heart_api.contract import Dataset
from heart_api.handover import DataAccess
from heart_trainer.data.sources import mounts, objects
from heart_trainer.data.sources.fetch import allowed_address, compare_digest, fetch
from heart_trainer.data.sources.limits import CHUNK
from heart_trainer.data.sources.watched import Reported, Watched
from heart_trainer.errors import SourceError

SUFFIXES = (".parquet", ".parq", ".pq")
"""In upper case as well."""


@dataclass(frozen=True)
class StoredFile:
    """`name`: for people; of several files the path below their common address. `size`: bytes."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def is_prefix(dataset: Dataset) -> bool:
    """Return whether the address means all Parquet files below it; a web address that ends in `/` is a file like any
    other.
    """
    return dataset.uri.endswith("/") and dataset.uri.startswith(("pvc://", "s3://", "gs://"))


def stored_files(dataset: Dataset, access: DataAccess, file: Path | None = None) -> tuple[StoredFile, ...]:
    """Return the dataset's files, in the order in which they are read. `file` takes the place of the URI on a laptop.
    Raises SourceError.
    """
    if file is not None:
        return _local(file, str(file), file.is_dir())
    address = allowed_address(dataset.uri, access)
    if address.scheme == "pvc":
        return _local(mounts.resolve(address), address.geturl(), is_prefix(dataset))
    if address.scheme in ("s3", "gs"):
        return _objects(address, is_prefix(dataset))
    content = fetch(dataset, access)
    return (StoredFile(dataset.uri, len(content), lambda: io.BytesIO(content)),)


def digest_of(files: tuple[StoredFile, ...], dataset: Dataset) -> str:
    """`sha256:<hex>` of the file; of several the digest of what `sha256sum` prints for them.

    Raises SourceError where dataset.sha256 names another.
    """
    each = [(_sha256(file), file.name) for file in files]
    found = each[0][0]
    if is_prefix(dataset) or len(files) > 1:
        found = hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in each).encode()).hexdigest()
    compare_digest(f"sha256:{found}", dataset)
    return f"sha256:{found}"


def _sha256(file: StoredFile) -> str:
    digest = hashlib.sha256()
    with file.open() as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _local(path: Path, uri: str, prefix: bool) -> tuple[StoredFile, ...]:
    try:
        if not prefix:
            return (_single(path, uri),)
        found = tuple(_local_file(path, each) for each in sorted(path.rglob("*")) if _is_shown(path, each))
    except OSError as error:
        raise _unreachable(f"{uri} could not be read: {error.strerror or type(error).__name__}.") from error
    return _not_empty(found, uri)


def _single(path: Path, uri: str) -> StoredFile:
    if path.is_dir():
        raise _unreachable(f"{uri} is a folder: end the address with / to have the Parquet files below it read.")
    return _on_disk(uri, path)


def _local_file(folder: Path, path: Path) -> StoredFile:
    return _on_disk(str(path.relative_to(folder)), path)


def _on_disk(name: str, path: Path) -> StoredFile:
    return StoredFile(name, path.stat().st_size, lambda: _watched(name, lambda: path.open("rb"), mounts.reported))


def _watched(name: str, open_stream: Callable[[], IO[bytes]], reported: Reported) -> IO[bytes]:
    return cast(IO[bytes], Watched(name, open_stream, reported))


def _is_shown(folder: Path, path: Path) -> bool:
    """Hidden files and what writers leave (`_temporary/…`) are no data, and links must not leave the folder."""
    named = _is_data(path.relative_to(folder).as_posix())
    return named and path.is_file() and folder.resolve() in path.resolve().parents


def _is_data(name: str) -> bool:
    hidden = any(part.startswith((".", "_")) for part in name.split("/"))
    return not hidden and name.lower().endswith(SUFFIXES)


def _objects(address: SplitResult, prefix: bool) -> tuple[StoredFile, ...]:
    uri = objects.uri_of(address)
    system = objects.file_system(address.scheme)
    with objects.reported(uri):
        if not prefix:
            return (_in_bucket(system, uri, uri, int(system.size(uri))),)
        start = uri.split("://", 1)[1]
        found = system.find(uri, detail=True)
        return _not_empty(tuple(_object_files(system, start, found)), uri)


def _object_files(system: object, start: str, found: dict[str, dict[str, int]]) -> Iterator[StoredFile]:
    for key, entry in sorted(found.items()):
        name = key.removeprefix(start)
        if _is_data(name):
            yield _in_bucket(system, name, key, int(entry["size"]))


def _in_bucket(system: Any, name: str, key: str, size: int) -> StoredFile:
    return StoredFile(name, size, lambda: _watched(name, lambda: system.open(key, "rb"), objects.reported))


def _not_empty(files: tuple[StoredFile, ...], uri: str) -> tuple[StoredFile, ...]:
    if not files:
        raise _unreachable(f"{uri} holds no file that ends in {SUFFIXES[0]}.")
    return files


def _unreachable(message: str) -> SourceError:
    return SourceError("DatasetUnreachable", message, permanent=True)
