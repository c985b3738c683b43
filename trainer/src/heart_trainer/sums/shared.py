"""Values that several rows share: a column in which no value is that of a few rows alone."""

import numpy as np
from numpy.typing import NDArray


def share_values(column: NDArray[np.float64], minimum: int) -> NDArray[np.float64]:
    """Neighbouring values merged to their mean until each is that of at least `minimum` rows."""
    values, place, counts = np.unique(column, return_inverse=True, return_counts=True)
    group, held, number = np.zeros(len(values), np.int64), 0, 0
    for index, count in enumerate(counts):
        group[index] = number
        held += int(count)
        if held >= minimum:
            number, held = number + 1, 0
    if held and number:
        group[group == number] = number - 1
    own = group[place]
    mean = np.bincount(own, column) / np.maximum(np.bincount(own), 1)
    return np.asarray(mean[own])
