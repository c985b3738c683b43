"""Forests by union as messages: what a holder of rows is asked to grow, what it answers, and the forest of all.

Trees say more than sums: a threshold lies between two values, a leaf shows the classes of its rows. So every value of a
column stands for at least the minimum of rows (their mean), and no leaf has fewer.
"""

import base64
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError
from sklearn.ensemble import RandomForestClassifier

from heart_trainer.sums.additive import StatisticRejected
from heart_trainer.sums.describe import NUMBERS, Preparation
from heart_trainer.sums.forests import Grown, grown, trees_for, union
from heart_trainer.sums.rows import Rows
from heart_trainer.sums.shared import share_values
from heart_trainer.sums.split import Parts, Split

MOST_LEAVES = 64
MOST_BYTES = 8 << 20
MOST_UNPACKED = 64 << 20
ARRAYS = ("sizes", "children", "feature", "threshold", "missing_left", "rows", "values")
SETS = "sets"
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


class CannotGrow(Exception):
    """Why a holder has no trees to give."""


@dataclass(frozen=True)
class GrowRequest:
    """A forest for each set of parts. `trees`: of all holders together, who have `rows` in all."""

    split: Split
    sets: tuple[Parts, ...]
    preparations: tuple[Preparation, ...]
    trees: int
    rows: int
    seed: int

    def dump(self) -> bytes:
        return TypeAdapter(GrowRequest).dump_json(self)

    @staticmethod
    def read(data: bytes) -> "GrowRequest":
        """Raises StatisticRejected."""
        try:
            found: GrowRequest = TypeAdapter(GrowRequest).validate_json(data)
        except ValidationError as error:
            raise StatisticRejected("the message asks for no trees") from error
        if len(found.sets) != len(found.preparations) or not 0 < found.trees <= 1000 or len(found.sets) > 300:
            raise StatisticRejected("the message asks for trees that nobody needs")
        return found


def unscaled(preparation: Preparation) -> Preparation:
    """Trees split values as they are."""
    columns = len(preparation.kinds)
    return replace(preparation, mean=(0.0,) * columns, scale=(1.0,) * columns)


def grow(request: GrowRequest, rows: Rows, minimum: int) -> bytes:
    """Trees of one holder for every set. Raises CannotGrow."""
    part = request.split.part_of(rows.draw)
    count = trees_for((len(rows), max(request.rows - len(rows), 0)), request.trees)[0]
    found = []
    for number, (parts, preparation) in enumerate(zip(request.sets, request.preparations, strict=True)):
        own = rows.take(np.isin(part, parts))
        if len(np.unique(own.y)) < 2 or len(own) < 2 * minimum:
            raise CannotGrow("too few rows of a class in a fold to grow trees on")
        x = _shared(preparation.design(own.x)[:, :-1], preparation, minimum)
        forest = RandomForestClassifier(
            count,
            min_samples_leaf=max(minimum, 5),
            max_leaf_nodes=MOST_LEAVES,
            random_state=request.seed + number,
            n_jobs=1,
        )
        found.append(grown(forest.fit(x, own.y.astype(np.int64))))
    return to_bytes(found)


def _shared(design: NDArray[np.float64], preparation: Preparation, minimum: int) -> NDArray[np.float32]:
    """[rows, columns] in which every number stands for at least `minimum` rows: it is their mean."""
    numbers = len(preparation.of_kind(*NUMBERS))
    columns = [share_values(design[:, i], minimum) if i < numbers else design[:, i] for i in range(design.shape[1])]
    return np.column_stack(columns).astype(np.float32)


def to_bytes(forests: Sequence[Grown]) -> bytes:
    """Equal trees give equal bytes."""
    arrays: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in forests]) for name in ARRAYS}
    arrays[SETS] = np.array([len(one.sizes) for one in forests], np.int64)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_bytes(data: bytes, columns: int, sets: int) -> list[Grown]:
    """The forests of a holder, one for each set. Raises StatisticRejected for anything else."""
    try:
        arrays = _arrays(data)
    except _UNREADABLE as error:
        raise StatisticRejected(f"the message holds no trees ({type(error).__name__})") from error
    counts = arrays.pop(SETS)
    sizes = arrays["sizes"]
    if counts.shape != (sets,) or (counts < 1).any() or counts.sum() != len(sizes) or (sizes < 1).any():
        raise StatisticRejected("sets: expected a forest for each set")
    whole = Grown(columns, 2, **arrays)
    return split_trees(whole, counts)


def _arrays(data: bytes) -> dict[str, NDArray[Any]]:
    if len(data) > MOST_BYTES:
        raise ValueError("too long")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        expected = sorted(f"{name}.npy" for name in (*ARRAYS, SETS))
        if sorted(archive.namelist()) != expected or sum(e.file_size for e in archive.infolist()) > MOST_UNPACKED:
            raise ValueError("other arrays")
        return {
            name: npy.read_array(io.BytesIO(archive.read(f"{name}.npy")), allow_pickle=False, max_header_size=1024)
            for name in (*ARRAYS, SETS)
        }


def split_trees(whole: Grown, counts: NDArray[np.int64]) -> list[Grown]:
    """So many trees for each forest."""
    ends = np.cumsum(counts)
    nodes = np.concatenate([[0], np.cumsum(whole.sizes)])
    found = []
    for first, end in zip(ends - counts, ends, strict=True):
        inside = slice(int(nodes[first]), int(nodes[end]))
        arrays = {name: getattr(whole, name)[inside] for name in ARRAYS if name != "sizes"}
        found.append(Grown(whole.columns, whole.classes, sizes=whole.sizes[first:end], **arrays))
    return found


def join(parts: Sequence[Grown]) -> Grown:
    """The trees of all holders, in their order."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    return Grown(parts[0].columns, parts[0].classes, **arrays)


def _trees_as_text(trees: Grown) -> str:
    return f"{trees.columns}:{base64.b64encode(to_bytes([trees])).decode()}"


def _text_as_trees(value: object) -> Grown:
    if isinstance(value, Grown):
        return value
    columns, _, text = str(value).partition(":")
    try:
        (found,) = from_bytes(base64.b64decode(text, validate=True), int(columns), 1)
    except (StatisticRejected, ValueError) as error:
        raise ValueError("expected trees") from error
    return found


Trees = Annotated[Grown, PlainValidator(_text_as_trees), PlainSerializer(_trees_as_text, when_used="json")]


@dataclass(frozen=True)
class ForestModel:
    """A forest of all holders' trees: `answers` gives probabilities of class 1."""

    preparation: Preparation
    trees: Trees

    def __post_init__(self) -> None:
        if self.trees.columns != self.preparation.columns:
            raise ValueError("the trees are of other columns")

    def forest(self) -> Any:
        return union([self.trees])

    def answers(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        if not len(x):
            return np.empty(0)
        design = self.preparation.design(x)[:, :-1].astype(np.float32)
        return np.asarray(self.forest().predict_proba(design)[:, 1])
