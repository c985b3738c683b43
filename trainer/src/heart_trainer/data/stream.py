"""Stored files to chunks of columns, so that only a chunk is in memory: of Parquet's row groups, or of text."""

from collections.abc import Iterator

from heart_trainer.data.chunk import Chunk
from heart_trainer.data.contract import Contract
from heart_trainer.data.rowgroups import EVERYTHING, Share, parquet_chunks
from heart_trainer.data.sources.stored import StoredFile
from heart_trainer.data.textblocks import layout_of, text_chunks
from heart_trainer.errors import DataInvalid


def read_chunks(files: tuple[StoredFile, ...], contract: Contract, share: Share = EVERYTHING) -> Iterator[Chunk]:
    """Yield every row of the share once, in the order of the files; of text there is one share.

    Raises DataInvalid or SourceError.
    """
    is_parquet = contract.dataset.format == "parquet"
    found = False
    for chunk in parquet_chunks(files, contract, share) if is_parquet else _text_files(files, contract):
        found = True
        yield chunk
    if not found:
        raise DataInvalid("The file has no rows." if len(files) == 1 else "The files have no rows.")


def _text_files(files: tuple[StoredFile, ...], contract: Contract) -> Iterator[Chunk]:
    for file in files:
        yield from text_chunks(file, contract)


def how_read(files: tuple[StoredFile, ...], contract: Contract) -> str:
    """Return how the files are read, for people: format, separator, encoding."""
    if contract.dataset.format == "parquet":
        return "Parquet in row groups" + (f" of {len(files)} files" if len(files) > 1 else "")
    return f"{layout_of(files[0], contract)}, in chunks"
