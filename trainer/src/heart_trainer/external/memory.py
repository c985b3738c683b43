"""How much memory the pod has, and how much a dataset would take if it were read whole."""

import os
from pathlib import Path

import pyarrow.parquet as pq

from heart_table.unpack import packed, unpacked
from heart_trainer.data.contract import Contract
from heart_trainer.data.read import open_zstd
from heart_trainer.data.rowgroups import open_parquet
from heart_trainer.data.sources.stored import StoredFile
from heart_trainer.data.textblocks import MOST_UNPACKED

BASE = 300 << 20
"""Bytes that a training takes before it reads a row."""
BYTES_PER_CELL = 100
"""Of a table that is read, checked, keyed and fitted in memory (docs/benchmarks-training.md)."""
HEAD = 1 << 16
SAMPLE = 1 << 22
"""Bytes of a packed file's text, from which it is told how much of it there is."""
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
    with file.open() as stored:
        kind = packed(stored.read(4))
        stored.seek(0)
        text = unpacked(stored, kind, open_zstd, MOST_UNPACKED)
        head = text.read(SAMPLE if kind else HEAD)
        used = file.size if stored.closed else stored.tell()  # the end of a packed file may close it
        size = file.size * len(head) / max(used, 1) if kind else file.size
    lines = max(head.count(b"\n"), 1)
    return int(size / (len(head) / lines)) + 1 if head else 0
