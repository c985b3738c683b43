"""How much memory the pod has, and how much a dataset would take if it were read whole."""

import os
from pathlib import Path

import pyarrow.parquet as pq

from heart_table.unpack import packed
from heart_trainer.data.contract import Contract
from heart_trainer.data.sources.stored import StoredFile
from heart_trainer.data.stream import open_parquet
from heart_trainer.errors import DataInvalid

BASE = 300 << 20
"""Bytes that a training takes before it reads a row."""
BYTES_PER_CELL = 100
"""Of a table that is read, checked, keyed and fitted in memory (docs/benchmarks-training.md)."""
HEAD = 1 << 16
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_limit() -> int:
    """Bytes: the container's limit, or the machine's memory where there is none."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            return min(int(text), machine)
    return machine


def memory_needed(files: tuple[StoredFile, ...], contract: Contract) -> int:
    """Bytes for a training in memory, from Parquet's footers or the length of a text file's first lines.

    Raises DataInvalid where the rows cannot be counted so.
    """
    columns = len(contract.fields)
    if contract.dataset.format == "parquet":
        return BASE + sum(_parquet_rows(file) for file in files) * columns * BYTES_PER_CELL
    return BASE + sum(_text_rows(file) for file in files) * columns * BYTES_PER_CELL


def _parquet_rows(file: StoredFile) -> int:
    opened: pq.ParquetFile = open_parquet(file)
    return int(opened.metadata.num_rows)


def _text_rows(file: StoredFile) -> int:
    with file.open() as stream:
        head = stream.read(HEAD)
    if packed(head[:4]):
        raise DataInvalid(f"{file.name} is packed: unpack it, or write Parquet.")
    lines = max(head.count(b"\n"), 1)
    return int(file.size / (len(head) / lines)) + 1 if head else 0
