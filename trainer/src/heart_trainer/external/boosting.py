"""Boosted trees of rows on disk: from parts of the rows in turn, so that memory does not grow with their number."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from heart_trainer.external.learned import Progress
from heart_trainer.fit.boosted import MAX_BIN

MOST_ROWS = 10_000_000
"""Rows of one worker that XGBoost has at a time: it keeps about 40 bytes of memory for each, and their bins on disk."""
ROUNDS_BETWEEN_NEWS = 25

Batch = tuple[NDArray[np.float32], NDArray[np.float64]]


@dataclass(frozen=True)
class Turn:
    """Parts of the rows, and the number of trees that are grown from them."""

    parts: tuple[int, ...]
    trees: int


def turns_of(learned: Sequence[int], rows: int, workers: int, trees: int) -> list[Turn]:
    """Which parts of the rows trees are grown from in turn, and how many: so that a worker has MOST_ROWS at a time.

    Few rows have one turn. The count depends on the data and the spec alone: equal trainings stay equal.
    """
    count = max(1, min(-(-rows // (MOST_ROWS * workers)), len(learned), trees))
    return [Turn(tuple(learned[turn::count]), (trees + turn) // count) for turn in range(count)]


def boost(
    settings: dict[str, Any],
    turns: Sequence[Turn],
    batches: Callable[[Sequence[int]], Iterator[Batch]],
    folder: Path,
    news: "News",
) -> Any:
    """The booster of all turns: each goes on from the trees before it, with the bins of the first."""
    booster = first = None
    for number, turn in enumerate(turns):
        pages = _Pages(partial(batches, turn.parts), folder / f"pages-{number}")
        matrix = xgboost.ExtMemQuantileDMatrix(pages, max_bin=MAX_BIN, nthread=1, ref=first)
        news.begin(number, len(turns))
        booster = xgboost.train(settings, matrix, turn.trees, xgb_model=booster, callbacks=[news])
        first = first or matrix
        del matrix  # its memory is needed for the next one
    return booster


class _Pages(xgboost.DataIter):
    """Batches for XGBoost, which keeps their bins beside `cache`."""

    def __init__(self, batches: Callable[[], Iterator[Batch]], cache: Path) -> None:
        self._batches, self._left = batches, iter(())  # type: Callable[[], Iterator[Batch]], Iterator[Batch]
        super().__init__(cache_prefix=str(cache))

    def next(self, input_data: Callable[..., None]) -> bool:
        found = next(self._left, None)
        if found is None:
            return False
        input_data(data=found[0], label=found[1])
        return True

    def reset(self) -> None:
        self._left = self._batches()


class News(xgboost.callback.TrainingCallback):
    """Says how far the trees are, over all turns."""

    def __init__(self, rounds: int, progress: Progress) -> None:
        super().__init__()
        self._rounds, self._progress, self._done = rounds, progress, 0

    def begin(self, turn: int, turns: int) -> None:
        part = f" (part {turn + 1} of {turns})" if turns > 1 else ""
        self._progress(f"rows are binned; growing trees{part}")

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self._done += 1
        if self._done % ROUNDS_BETWEEN_NEWS == 0 or self._done == self._rounds:
            self._progress(f"{self._done} of {self._rounds} trees are grown")
        return False
