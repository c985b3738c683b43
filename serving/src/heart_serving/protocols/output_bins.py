"""Where a version's outputs fall: counts by bin that two versions share, so that their distributions can be compared.

binary: twenty equal bins of the positive class's probability, named by their lower edge. multiclass: the predicted
class, by its label. regression: eight bins per power of ten on either side of zero, named by the edge next to zero;
values within a billionth of zero are `0`, the outermost bins are open.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from math import nextafter

import numpy as np
import numpy.typing as npt

from heart_serving.protocols.answers import Answers, Outputs

PROBABILITY_BINS = 20
BINS_PER_DECADE = 8
FIRST_DECADE, LAST_DECADE = -9, 12
FEW_ROWS = 32
"""Up to here a loop is quicker than numpy's start-up."""


class OutputCounts:
    """Records answered since the start, by bin. Written on the event loop's thread alone."""

    def __init__(self, answers: Answers) -> None:
        self._task = answers.task
        self._edges, self._names = bins(answers)
        self._counts = [0] * len(self._names)
        self._edges_array = np.array(self._edges)

    @property
    def of_classes(self) -> bool:
        """Whether outputs are probabilities."""
        return self._task != "regression"

    def add(self, outputs: Outputs) -> None:
        """One record per row of finite outputs: [n, classes] probabilities, or [n, 1] values."""
        if len(outputs) > FEW_ROWS:
            self._add_many(outputs)
            return
        counts, edges = self._counts, self._edges
        for value in self._values(outputs).tolist():
            counts[bisect_right(edges, value)] += 1

    def _add_many(self, outputs: Outputs) -> None:
        # A bisection compares doubles with doubles: the two ways must agree on an edge.
        values = self._values(outputs).astype(np.float64)
        positions = np.searchsorted(self._edges_array, values, side="right")
        for position, count in enumerate(np.bincount(positions, minlength=len(self._counts)).tolist()):
            self._counts[position] += count

    def _values(self, outputs: Outputs) -> npt.NDArray[np.number]:
        values: npt.NDArray[np.number] = outputs.argmax(axis=1) if self._task == "multiclass" else outputs[:, -1]
        return values

    def items(self) -> Iterator[tuple[str, int]]:
        """(bin, records). A regression has hundreds of bins: only those that were ever met."""
        for name, count in zip(self._names, self._counts, strict=True):
            if count or self._task != "regression":
                yield name, count


def bins(answers: Answers) -> tuple[list[float], list[str]]:
    """Ascending inner edges of the output's bins, and the bins' names (one more than edges)."""
    if answers.task == "multiclass":
        return [position - 0.5 for position in range(1, len(answers.labels))], list(answers.labels)
    if answers.task == "binary":
        lower = [position / PROBABILITY_BINS for position in range(PROBABILITY_BINS)]
        return lower[1:], [f"{edge:.2f}" for edge in lower]
    steps = range(FIRST_DECADE * BINS_PER_DECADE, LAST_DECADE * BINS_PER_DECADE + 1)
    positive = [10 ** (step / BINS_PER_DECADE) for step in steps]
    # An edge belongs to the bin on its far side of zero; a bisection alone would say so of positive edges only.
    negative = [-nextafter(edge, 0) for edge in reversed(positive)]
    return negative + positive, [*signed(positive, "-")[::-1], "0", *signed(positive)]


def signed(edges: Sequence[float], sign: str = "") -> list[str]:
    return [f"{sign}{edge:.3g}" for edge in edges]
