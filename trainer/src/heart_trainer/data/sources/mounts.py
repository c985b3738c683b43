"""`pvc://claim/path` and `configmap://name/key`: volumes that the operator mounted below /data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote

from heart_api.handover import DataAccess
from heart_trainer.data.sources.limits import CHUNK, collect
from heart_trainer.errors import SourceError

ROOT = Path("/data")


def read(address: SplitResult, _: DataAccess) -> bytes:
    """Return the bytes of a file on a mounted volume. Raises SourceError."""
    return read_file(resolve(address), address.geturl())


def resolve(address: SplitResult) -> Path:
    """Return where the volume's file or folder is mounted. Raises SourceError for a path that leaves the volume."""
    if "\0" in unquote(address.path):
        raise SourceError(
            "DatasetUnreachable", "dataset.uri holds a null character (%00): take it out.", permanent=True
        )
    volume = (ROOT / address.scheme / address.netloc).resolve()
    path = (volume / unquote(address.path).lstrip("/")).resolve()
    # Links inside a volume are anybody's who can write there; a ConfigMap's own links stay inside.
    inside = volume in path.parents or (path == volume and address.path.endswith("/"))
    if volume.parent != (ROOT / address.scheme).resolve() or not inside:
        raise SourceError("DatasetNotAllowed", "dataset.uri leaves its volume.", permanent=True)
    return path


def read_file(path: Path, name: str) -> bytes:
    """Return the file's bytes. Raises SourceError, which calls it `name`."""
    with reported(name):
        return collect(_chunks(path), name)


@contextmanager
def reported(name: str) -> Iterator[None]:
    """Turn a file system's errors within the block into a SourceError that names the file."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SourceError("DatasetUnreachable", f"{name} could not be read: {why}.", permanent=True) from error


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
