"""Bounds that every source keeps."""

from collections.abc import Iterable

from heart_trainer.errors import SourceError

MAX_BYTES = 1 << 30
CHUNK = 1 << 20


def collect(chunks: Iterable[bytes], where: str, limit: int = MAX_BYTES) -> bytes:
    """Return all chunks as one. Raises SourceError, which names `where`, as soon as they exceed `limit` bytes."""
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise SourceError(
                "DatasetNotAllowed",
                f"{where} is larger than {limit >> 20} MiB: use a smaller extract.",
                permanent=True,
            )
        parts.append(chunk)
    return b"".join(parts)
