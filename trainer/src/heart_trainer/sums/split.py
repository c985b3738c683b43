"""Nested cross-validation as sets of parts: which parts a model learns from, and which it is judged on.

Rows belong to parts by a keyed hash. A set is a selection of parts, so that the statistics of every set can be summed
in one exchange. Folds are neither stratified nor of equal size; both matter only for a few hundred rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heart_trainer.sums.rows import Draws, residues, shares

INNER_FOLDS = 3
FEW_PARTS = 5
"""Up to so many parts, each is an inner fold of its own; then pairs of outer folds share their inner models."""
HELD = -1

Parts = tuple[int, ...]


@dataclass(frozen=True)
class Inner:
    """A model that learns from `sets[learns]` and is judged on `judged`."""

    learns: int
    judged: Parts


@dataclass(frozen=True)
class Owner:
    """A model that chooses its settings by `inner`, learns from `sets[learns]`, and is judged on `judged`."""

    learns: int
    judged: Parts
    inner: tuple[Inner, ...]


@dataclass(frozen=True)
class Split:
    """`owners`: the models of the outer folds; the last one is the final model (`judged` is empty unless held out)."""

    parts: int
    holdout: float
    sets: tuple[Parts, ...]
    owners: tuple[Owner, ...]

    def part_of(self, draw: Draws) -> NDArray[np.int64]:
        """[rows]: the part of each row."""
        part = residues(draw, self.parts - bool(self.holdout))
        return np.where(shares(draw) < self.holdout, self.parts - 1, part)

    def search_bound(self, share: float) -> float:
        """Rows with `shares` below this are the given share of those that are learnt from (and all held out)."""
        return self.holdout + share * (1 - self.holdout)

    def fold_of(self, part: NDArray[np.int64]) -> NDArray[np.int64]:
        """[rows]: the owner that judges each row, -1 where none does."""
        fold = np.full(self.parts, HELD)
        for index, owner in enumerate(self.owners):
            fold[list(owner.judged)] = index
        return np.asarray(fold[part])


def cross_validation(folds: int) -> Split:
    """Every row is judged by a model that did not learn from it; the final model learns from all."""
    parts = folds if folds > 2 else 2 * folds
    everything = tuple(range(parts))
    judged = [tuple(part for part in everything if part % folds == fold) for fold in range(folds)]
    sets = _Sets()
    owners = [_owner(sets, tuple(part for part in everything if part not in held), held) for held in judged]
    owners.append(_owner(sets, everything, ()))
    return Split(parts, 0.0, tuple(sets.known), tuple(owners))


def hold_out(share: float) -> Split:
    """One model, judged on a share of the rows that it never learns from."""
    sets = _Sets()
    owner = _owner(sets, tuple(range(INNER_FOLDS)), (INNER_FOLDS,))
    return Split(INNER_FOLDS + 1, share, tuple(sets.known), (owner,))


class _Sets:
    """Sets by number, equal ones once."""

    def __init__(self) -> None:
        self.known: list[Parts] = []

    def number(self, parts: Parts) -> int:
        if parts not in self.known:
            self.known.append(parts)
        return self.known.index(parts)


def _owner(sets: _Sets, learns: Parts, judged: Parts) -> Owner:
    inner = tuple(
        Inner(sets.number(tuple(part for part in learns if part not in held)), held) for held in _inner_folds(learns)
    )
    return Owner(sets.number(learns), judged, inner)


def _inner_folds(parts: Sequence[int]) -> list[Parts]:
    if len(parts) <= FEW_PARTS:
        return [(part,) for part in parts]
    return [tuple(parts[start::INNER_FOLDS]) for start in range(INNER_FOLDS)]
