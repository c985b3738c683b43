"""How sure a classifier was: counts by the probability of the predicted class.

Confidence below 0.5 exists with three classes or more. Edges lie close together near 1, where most predictions are.
"""

from bisect import bisect_left
from itertools import accumulate

import numpy as np

from heart_serving.protocols.answers import Outputs
from heart_serving.protocols.output_bins import FEW_ROWS

EDGES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Inclusive upper edges, as Prometheus' histograms have them; the last bucket is open."""


class ConfidenceCounts:
    """Records answered since the start. Written on the event loop's thread alone."""

    def __init__(self) -> None:
        self.counts = [0] * (len(EDGES) + 1)
        self.sum = 0.0

    def add(self, outputs: Outputs) -> None:
        """One record per row of probabilities, [n, classes]."""
        if len(outputs) > FEW_ROWS:
            self._add_many(outputs)
            return
        for row in outputs.tolist():
            highest = max(row)
            self.counts[bisect_left(EDGES, highest)] += 1
            self.sum += highest

    def _add_many(self, outputs: Outputs) -> None:
        # A bisection compares doubles with doubles: the two ways must agree on an edge.
        highest = outputs.max(axis=1).astype(np.float64)
        positions = np.searchsorted(EDGES, highest, side="left")
        for position, count in enumerate(np.bincount(positions, minlength=len(self.counts)).tolist()):
            self.counts[position] += count
        self.sum += float(highest.sum())

    def buckets(self) -> list[tuple[str, float]]:
        """Pairs of upper bound and cumulative count for prometheus_client, ending with +Inf."""
        bounds = [*map(str, EDGES), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))
