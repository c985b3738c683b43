"""Does anything of the rows held out reach the models that are to judge them?

Scaling fitted outside the folds hardly moves a score, so a score cannot show it. This can: for each fold in turn, what
the held-out rows say is changed (every label; the features of every other row). A prediction that was made without
them cannot move, not by one bit.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

X, Y, Fold, Output = NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]
Estimate = Callable[[X, Y, Fold], Output]
"""(x, y, fold) → out-of-fold probability of class 1 for each row."""


def leaking_folds(estimate: Estimate, x: X, y: Y, fold: Fold) -> list[int]:
    """The folds whose held-out rows had a say in their own prediction."""
    honest = estimate(x, y, fold)
    return [k for k in range(int(fold.max()) + 1) if _moved(estimate, x, y, fold, k, honest)]


def _moved(estimate: Estimate, x: X, y: Y, fold: Fold, k: int, before: Output) -> bool:
    held_out = np.flatnonzero(fold == k)
    spoilt, watched = held_out[::2], held_out[1::2]
    other_x, other_y = x.copy(), y.copy()
    other_x[spoilt, :2] = other_x[spoilt, :2] * 3 + 100
    other_y[held_out] = 1 - other_y[held_out]
    return not np.array_equal(estimate(other_x, other_y, fold)[watched], before[watched])
