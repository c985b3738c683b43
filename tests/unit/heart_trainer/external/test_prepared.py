"""What stays in memory while rows are read: a chunk, and a sample of bounded size."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heart_trainer.data.chunk import Chunk
from heart_trainer.data.load import contract_of
from heart_trainer.data.sources.stored import stored_files
from heart_trainer.data.stream import read_chunks
from heart_trainer.external import prepared
from heart_trainer.external.peers import ALONE
from heart_trainer.external.prepared import prepare_rows
from heart_trainer.manifest import read_manifest
from tests.support.trainer.large_files import change


class Watcher:
    """Counts the chunks that somebody holds while the next one is read."""

    def __init__(self) -> None:
        self.alive, self.most, self.largest, self.number = 0, 0, 0, 0

    def watch(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            self.alive += 1
            self.number += 1
            self.most = max(self.most, self.alive)
            self.largest = max(self.largest, len(chunk.columns["age"].values))
            weakref.finalize(chunk, self.gone)
            yield chunk

    def gone(self) -> None:
        self.alive -= 1


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_chunk_and_a_sample_are_in_memory_and_the_rest_on_disk(
    kind: str, manifest: Path, tmp_path: Path, cohort: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        cohort.to_parquet(path, row_group_size=1000)
        change(manifest, dataset={"format": "parquet", "uri": "pvc://cohort/rows.parquet"})
    else:
        cohort.to_csv(path, index=False)
    monkeypatch.setattr(prepared, "SAMPLE", 300)
    request, watcher = read_manifest(manifest, "t-1"), Watcher()
    contract = contract_of(request, path)
    chunks = watcher.watch(read_chunks(stored_files(request.dataset, request.access, path), contract))
    found = prepare_rows(chunks, contract, request, b"key", tmp_path / "scratch", ALONE)
    assert watcher.number > 10
    assert watcher.most <= 2  # the one that is worked on, and the one that takes its place
    assert watcher.largest <= 256
    assert (found.rows, len(found.sample.y)) == (len(cohort), 300)
    assert sum(len(rows.y) for rows in found.chunks()) == len(cohort)
    size = 4 * len(request.features) + 16
    assert (tmp_path / "scratch").stat().st_size == size * len(cohort)
    least = np.sort(np.concatenate([rows.draw for rows in found.chunks()]))[:300]
    assert sorted(found.sample.draw) == least.tolist()
