"""Score tables of holders who merge small cells, with the rows of a cell between its neighbours again.

A merged cell has all of its rows at one probability. Figures that count rows by probability (ece, and whatever has a
threshold) would take that for the model's.
"""

import numpy as np
from numpy.typing import NDArray

from heart_trainer.sums.additive import Sums
from heart_trainer.sums.bins import SCORES, score_bin

Floats = NDArray[np.float64]


def spread(summed: Sums) -> Sums:
    """The same tables [tables, classes, SCORES], each cell's rows evenly between the middles to its neighbours of the
    class, about the same mean. Rows and totals of each class stay."""
    rows = np.zeros_like(summed["rows"])
    sums = np.zeros_like(summed["probability"])
    for table, kind in np.ndindex(rows.shape[:2]):
        filled = np.flatnonzero(summed["rows"][table, kind])
        if not len(filled):
            continue
        weight = summed["rows"][table, kind][filled]
        points = _points(summed["probability"][table, kind][filled] / weight, weight)
        place = score_bin(points)
        rows[table, kind] = np.bincount(place, minlength=SCORES)
        sums[table, kind] = np.bincount(place, points, SCORES)
    return Sums(summed.schema, {"rows": rows, "probability": sums})


def _points(mean: Floats, weight: NDArray[np.int64]) -> Floats:
    """A probability for each row of cells in ascending order."""
    steps = np.diff(mean) / 2
    outer = (steps[:1], steps[-1:]) if len(steps) else (np.zeros(1), np.zeros(1))
    below, above = np.concatenate([outer[0], steps]), np.concatenate([steps, outer[1]])
    found = []
    for centre, low, high, count in zip(mean, below, above, weight.tolist(), strict=True):
        share = 2 * (np.arange(count) + 0.5) / count - 1
        away = np.where(share < 0, share * low, share * high)
        found.append(np.clip(centre + away - away.mean(), 0, 1))
    return np.concatenate(found)
