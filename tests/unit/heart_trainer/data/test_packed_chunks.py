"""Text files that are packed and read in chunks: what comes out, and what is refused."""

import gzip
import io
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from heart_api.contract import Dataset, Target
from heart_trainer.data.contract import Contract
from heart_trainer.data.sources.stored import StoredFile
from heart_trainer.data.stream import how_read, read_chunks
from heart_trainer.errors import DataInvalid
from heart_trainer.external.memory import BASE, BYTES_PER_CELL, memory_needed
from tests.support.trainer.requests import category, number

FEATURES = (number("age"), category("sex", "f", "m"))
CONTRACT = Contract(FEATURES, Target(name="ill"), Dataset.model_validate({"uri": "pvc://cohort/rows.csv.gz"}))
COUNT = 100_000
RANDOM = np.random.default_rng(3)
TEXT = (
    "age,sex,ill\n"
    + "".join(f"{age:.6f},{'fm'[int(age < 50)]},{int(age > 60)}\n" for age in RANDOM.uniform(20, 90, COUNT))
).encode()


def zstd(data: bytes) -> bytes:
    found: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return found


def by_members(data: bytes) -> bytes:
    """As pigz and bgzip write it: several members in one file."""
    return gzip.compress(data[:1000], 1) + gzip.compress(data[1000:], 1)


Pack = Callable[[bytes], bytes]
PACKED: dict[str, Pack] = {"gzip": lambda data: gzip.compress(data, 1), "zstd": zstd, "members": by_members}


def stored(data: bytes) -> tuple[StoredFile, ...]:
    return (StoredFile("rows.csv.gz", len(data), lambda: io.BytesIO(data)),)


def ages(data: bytes) -> list[str]:
    return [str(cell) for chunk in read_chunks(stored(data), CONTRACT) for cell in chunk.columns["age"].values]


def rejection(data: bytes) -> str:
    with pytest.raises(DataInvalid) as caught:
        ages(data)
    return caught.value.message


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_a_packed_file_has_the_rows_of_the_unpacked_one(pack: Pack) -> None:
    packed = pack(TEXT)
    assert ages(packed) == ages(TEXT)
    assert how_read(stored(packed), CONTRACT) == how_read(stored(TEXT), CONTRACT)


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_its_rows_are_estimated_from_what_comes_out_of_it(pack: Pack) -> None:
    rows = (memory_needed(stored(pack(TEXT)), CONTRACT) - BASE) / (3 * BYTES_PER_CELL)
    assert 0.8 * COUNT < rows < 1.3 * COUNT


@pytest.mark.parametrize("pack", PACKED.values(), ids=PACKED)
def test_one_that_is_cut_off_is_named(pack: Pack) -> None:
    said = rejection(pack(TEXT)[:-5000])
    assert said.startswith("rows.csv.gz: ")
    assert "is damaged or incomplete: fetch it again" in said


def test_one_that_is_packed_twice_is_named() -> None:
    assert "is packed twice (zstd)" in rejection(gzip.compress(zstd(TEXT)))


def test_what_comes_out_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may hold more rows than any scratch space."""
    monkeypatch.setattr("heart_trainer.data.textblocks.MOST_UNPACKED", 1 << 20)
    assert "The unpacked file is larger than 1 MiB" in rejection(gzip.compress(TEXT, 1))
