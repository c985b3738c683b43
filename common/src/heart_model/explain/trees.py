"""Tree ensembles: exact Shapley values against the background, leaf by leaf, in closed form.

A mixture of a record and a background row reaches a leaf when it passes every test on the leaf's path. Each feature on
the path is passed by both rows, by the record alone (n such features: needed), by the background row alone (s: to be
spared), or by neither (then no mixture gets there). So a leaf of value v is the game "v once all the needed and while
none of the spared have joined", whose Shapley values are v (n-1)! s! / (n+s)! for each needed and
-v n! (s-1)! / (n+s)! for each spared feature. Their sums over leaves and background rows are interventional TreeSHAP
(Lundberg et al. 2020), with the contract's features as players: all columns of a category join together.
"""

from collections.abc import Iterator
from math import exp, lgamma

import numpy as np
import numpy.typing as npt

from heart_api.explanation import Explanation
from heart_model.explain.encoding import Encoding, as_rows
from heart_model.explain.explained import Explained, Floats, Matrix
from heart_model.explain.paths import find_paths
from heart_model.explain.treefile import Trees

Bits = npt.NDArray[np.uint8]
"""[…, bytes]: a set of features, one bit each."""
PAIRS = 1 << 15
"""Pairs of a leaf and a background row processed together: few enough for the processor's cache."""


class TreeExplainer:
    """For regression trees, and classifiers whose unit is what their trees add up (probability, log-odds, logit)."""

    def __init__(self, trees: Trees, explanation: Explanation, features: int) -> None:
        self._paths = find_paths(trees)
        self._encode = Encoding(explanation)
        self._background = self._encode(as_rows(explanation.background))
        self._features = features
        self._needed, self._spared = shapley_weights(features)
        one_bit = np.packbits(np.eye(features, dtype=np.uint8), axis=1, bitorder="little")
        self._test_bits = one_bit[self._encode.features[self._paths.column]]
        self._base: Floats = self._sums(self._background).mean(axis=0)

    def outputs(self, rows: Matrix) -> Floats:
        return self._sums(self._encode(rows))

    def __call__(self, rows: Matrix) -> Explained:
        records = self._encode(rows)
        contributions = np.zeros((len(rows), self._features, len(self._base)))
        for leaves in self._chunks():
            background, failed = self._failed(self._background, leaves), self._failed(records, leaves)
            for record, spared in enumerate(failed):
                contributions[record] += self._share(background, spared, self._paths.values[leaves])
        return Explained(self._sums(records), self._base, contributions)

    def _sums(self, columns: Matrix) -> Floats:
        """[rows, outputs]: the leaves that each row reaches, added up."""
        reached = (~self._failed(columns, leaves).any(axis=2) @ self._paths.values[leaves] for leaves in self._chunks())
        return sum(reached, self._paths.base)

    def _chunks(self) -> Iterator[slice]:
        step = max(1, PAIRS // len(self._background))
        for start in range(0, len(self._paths.values), step):
            yield slice(start, min(start + step, len(self._paths.values)))

    def _failed(self, columns: Matrix, leaves: slice) -> Bits:
        """[rows, leaves, bytes]: the features by which a row misses a leaf."""
        paths = self._paths
        tests = slice(paths.starts[leaves.start], paths.starts[leaves.stop])
        tested = columns[:, paths.column[tests]]
        passed = (paths.low[tests] < tested) & (tested <= paths.high[tests])
        bits = np.where(passed[:, :, None], np.uint8(0), self._test_bits[tests])
        failed: Bits = np.bitwise_or.reduceat(bits, paths.starts[leaves] - tests.start, axis=1)
        return failed

    def _share(self, background: Bits, spared: Bits, values: Floats) -> Floats:
        """[features, outputs] of one record. What the background row fails is needed, what the record fails spared."""
        row, leaf = np.nonzero(~(background & spared).any(axis=2))
        needed = background[row, leaf]
        n, s = count_bits(needed), count_bits(spared)[leaf]
        gained = self._members(needed) * self._needed[n, s][:, None]
        lost = np.bincount(leaf, self._spared[n, s], len(values))
        shared: Floats = gained.T @ values[leaf] - (self._members(spared) * lost[:, None]).T @ values
        return shared / len(background)

    def _members(self, bits: Bits) -> npt.NDArray[np.uint8]:
        return np.unpackbits(bits, axis=1, count=self._features, bitorder="little")


def count_bits(bits: Bits) -> npt.NDArray[np.int64]:
    return np.asarray(np.bitwise_count(bits).sum(axis=-1, dtype=np.int64))


def shapley_weights(features: int) -> tuple[Floats, Floats]:
    """[n, s]: the share of each needed, and what each spared feature takes, of a leaf that needs n and spares s."""
    needed, spared = np.zeros((features + 1, features + 1)), np.zeros((features + 1, features + 1))
    for n in range(features + 1):
        for s in range(features + 1 - n):
            if n:
                needed[n, s] = exp(lgamma(n) + lgamma(s + 1) - lgamma(n + s + 1))
            if s:
                spared[n, s] = exp(lgamma(n + 1) + lgamma(s) - lgamma(n + s + 1))
    return needed, spared
