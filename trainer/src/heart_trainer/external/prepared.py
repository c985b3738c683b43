"""Checked rows on scratch space, as the models get them: each cell is parsed and checked once, then read many times.

A row takes 4 bytes for each feature and 16 more. Beside them a sample of the rows stays in memory, chosen by their
keyed hash: for what shows, explains or compares rows.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heart_api.evaluation import Task
from heart_api.handover import TrainingRequest
from heart_trainer.data.chunk import ROWS, Chunk
from heart_trainer.data.classes import threshold_names
from heart_trainer.data.columns import numbers
from heart_trainer.data.contract import CheckedRows, Contract
from heart_trainer.data.target import encode_target
from heart_trainer.errors import DataInvalid, TrainerError
from heart_trainer.external.peers import Peers, gather_arrays, gather_values
from heart_trainer.sums.rows import Draws, Rows, draws

Encoding = tuple[Task, NDArray[np.float64], tuple[int | str, ...]]
"""(task, what each stored code of the target stands for, classes)"""

SAMPLE = 20_000
BYTES_PER_CELL, BYTES_PER_ROW = 4, 16
"""On scratch space: of a feature, and of target and hash."""


@dataclass(frozen=True)
class Sample:
    """The rows with the least hashes. `target`: as the file has it, `y`: as `Rows` has it."""

    encoded: NDArray[np.float64]
    target: NDArray[np.object_]
    y: NDArray[np.float64]
    draw: Draws
    unused: frozenset[str]
    """Declared missing values that no chunk holds."""


@dataclass(frozen=True)
class Prepared:
    """Rows of one worker. `values`: what a stored code of the target stands for; empty where it is stored as it is.

    `rows`: of all workers. `sample`: of all rows.
    """

    path: Path
    features: int
    rows: int
    values: NDArray[np.float64]
    task: Task
    classes: tuple[int | str, ...]
    sample: Sample

    def chunks(self, rows: int = 0) -> Iterator[Rows]:
        """This worker's rows, so many at a time (0: ROWS)."""
        with self.path.open("rb") as file:
            while len(block := np.fromfile(file, _layout(self.features), rows or ROWS)):
                yield Rows(block["x"], _decoded(block["y"], self.values), block["draw"])


def _decoded(y: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[y.astype(np.int64)] if len(values) else y


def prepare_rows(
    chunks: Iterator[Chunk], contract: Contract, request: TrainingRequest, key: bytes, path: Path, peers: Peers
) -> Prepared:
    """Checks every chunk of this worker and writes its rows to `path`. Raises TrainerError."""
    writer = _Writer(request, path)
    size = BYTES_PER_CELL * len(request.features) + BYTES_PER_ROW
    with _full_disk_named(lambda: writer.rows, size), path.open("wb") as file:
        for chunk in chunks:
            writer.add(chunk.check(contract), key).tofile(file)
    return writer.finish(peers)


@contextmanager
def _full_disk_named(rows: Callable[[], int], size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, None):
            raise
        raise full_disk(f"is full after {rows()} rows of {size} bytes") from error


def full_disk(what: str) -> TrainerError:
    message = f"The scratch space {what}: use fewer rows or columns."
    return TrainerError("TrainingFailed", message, permanent=True)


def _check_classes(classes: tuple[int | str, ...], request: TrainingRequest) -> None:
    if len(classes) > 2:
        raise DataInvalid(
            f"The target {request.target.name} has {len(classes)} classes or more; External and Distributed train two"
            " classes or a number. Give the pod more memory (spec.training.resources), and set"
            " spec.training.scale.mode: Single; or make two classes of numbers with spec.target.positiveAbove."
        )


def _layout(features: int) -> np.dtype[Any]:
    return np.dtype([("x", "<f4", (features,)), ("y", "<f8"), ("draw", "<u8")])


@dataclass
class _Writer:
    request: TrainingRequest
    path: Path
    rows: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    """Text of a class target → its code, by first appearance."""
    unused: frozenset[str] | None = None
    parts: list[tuple[NDArray[Any], ...]] = field(default_factory=list)
    """Of the sample: encoded rows, the target's texts, stored targets, hashes."""

    @property
    def is_numeric(self) -> bool:
        return self.request.training.task == "regression" or self.request.target.positive_above is not None

    def add(self, checked: CheckedRows, key: bytes) -> NDArray[Any]:
        encoded = checked.encoded.to_numpy(np.float64)
        block = np.empty(len(encoded), _layout(encoded.shape[1]))
        block["x"], block["y"] = encoded, self._target(checked.target)
        block["draw"] = draws(block["x"], key)
        self.rows += len(block)
        self.unused = frozenset(checked.unused) if self.unused is None else self.unused & set(checked.unused)
        self._keep(encoded, checked.target.to_numpy(object), block["y"].copy(), block["draw"].copy())
        return block

    def _target(self, texts: "pd.Series[str]") -> NDArray[np.float64]:
        if self.is_numeric:
            values = numbers(texts)
            if values.isna().any():
                encode_target(texts, self.request.target, self.request.training)  # says what is wrong
            above = self.request.target.positive_above
            return np.asarray(values if above is None else values > above, dtype=np.float64)
        place, found = pd.factorize(texts)
        known = len(self.codes)
        for text in found:
            self.codes.setdefault(text, len(self.codes))
        if len(self.codes) > known and len(self.codes) > 2:
            self._reject_classes()
        code = np.array([self.codes[text] for text in found], dtype=np.float64)
        return np.asarray(code[place])

    def _reject_classes(self) -> None:
        """Raises DataInvalid where the texts so far are more than two classes, before the rest is read."""
        texts = pd.Series(list(self.codes), dtype="str")
        _check_classes(encode_target(texts, self.request.target, self.request.training)[2], self.request)

    def _keep(self, *arrays: NDArray[Any]) -> None:
        self.parts.append(arrays)
        if sum(len(part[-1]) for part in self.parts) > 4 * SAMPLE:
            self.parts = [self._least()]

    def _least(self) -> tuple[NDArray[Any], ...]:
        joined = [np.concatenate(arrays) for arrays in zip(*self.parts, strict=True)]
        kept = np.sort(np.argsort(joined[-1], kind="stable")[:SAMPLE])
        return tuple(array[kept] for array in joined)

    def finish(self, peers: Peers) -> Prepared:
        """Raises DataInvalid where the target cannot be learnt. What is found is the same for every worker."""
        texts = sorted({text for texts in gather_values(peers, list(self.codes)) for text in texts})
        unused = [set(names) for names in gather_values(peers, sorted(self.unused or ()))]
        encoded, target, draw, y = self._sample(peers, texts)
        task, values, classes = self._encoding(target, texts)
        _check_classes(classes, self.request)
        sample = Sample(encoded, target, _decoded(y, values), draw, frozenset(set.intersection(*unused)))
        own = values[[texts.index(text) for text in self.codes]] if len(values) else values
        rows = sum(gather_values(peers, self.rows))
        return Prepared(self.path, encoded.shape[1], rows, own, task, classes, sample)

    def _sample(self, peers: Peers, texts: list[str]) -> tuple[NDArray[Any], ...]:
        """Encoded rows, the target's texts, hashes, and the target: as numbers, or as places among `texts`."""
        encoded, target, y, draw = self._least()
        if self.codes:
            y = np.array([texts.index(text) for text in self.codes], np.float64)[y.astype(np.int64)]
        own = {"encoded": encoded, "target": target.astype(str), "y": y, "draw": draw}
        self.parts = [
            (one["encoded"], one["target"].astype(object), one["y"], one["draw"]) for one in gather_arrays(peers, own)
        ]
        encoded, target, y, draw = self._least()
        return encoded, target, draw, y

    def _encoding(self, target: NDArray[np.object_], texts: list[str]) -> Encoding:
        """`values`: by the place among `texts`."""
        spec, training = self.request.target, self.request.training
        if training.task == "regression":
            encode_target(pd.Series(target, dtype="str"), spec, training)
            return "regression", np.empty(0), ()
        if spec.positive_above is not None:
            return "binary", np.empty(0), threshold_names(spec)
        task, y, classes = encode_target(pd.Series(texts, dtype="str"), spec, training)
        return task, y.astype(np.float64), classes
