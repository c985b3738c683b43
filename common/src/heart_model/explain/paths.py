"""From trees to the conditions of each leaf on a row: one interval per column on its path."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heart_model.explain.treefile import Floats, Integers, Trees

Bounds = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Paths:
    """A row reaches leaf i when `low < x[column] <= high` for all of its tests, from `starts[i]` to `starts[i + 1]`.

    `values` [leaves, outputs]. Leaves that add nothing are left out; what every row gets is in `base` [outputs].
    """

    starts: Integers
    column: Integers
    low: Bounds
    high: Bounds
    values: Floats
    base: Floats


def find_paths(trees: Trees) -> Paths:
    parent, went_left = _parents(trees)
    alone = trees.leaf & (parent < 0)  # a tree without a branch
    leaves = np.flatnonzero(trees.leaf & (parent >= 0) & trees.values.any(axis=1))
    leaf, column, low, high = _climb(trees, parent, went_left, leaves)
    first = np.flatnonzero(np.diff(leaf * (int(trees.column.max()) + 1) + column, prepend=-1))
    leaf, column = leaf[first], column[first]
    starts = np.searchsorted(leaf, np.arange(len(leaves) + 1))
    low, high = np.maximum.reduceat(low, first), np.minimum.reduceat(high, first)
    return Paths(starts, column, low, high, trees.values[leaves], trees.base + trees.values[alone].sum(axis=0))


def _parents(trees: Trees) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Parent of each node (-1: root), and whether the node is its left child."""
    parent = np.full(len(trees.leaf), -1)
    went_left = np.zeros(len(trees.leaf), bool)
    branches = np.flatnonzero(~trees.leaf)
    parent[trees.right[branches]] = parent[trees.left[branches]] = branches
    went_left[trees.left[branches]] = True
    return parent, went_left


def _climb(
    trees: Trees, parent: Integers, went_left: npt.NDArray[np.bool_], leaves: Integers
) -> tuple[Integers, Integers, Bounds, Bounds]:
    """Every branch above every leaf as (leaf, column, low, high), sorted by leaf and column."""
    found = []
    leaf, node = np.arange(len(leaves)), leaves
    while len(node):
        above, left = parent[node], went_left[node]
        threshold = trees.threshold[above]
        low = np.where(left, np.float32(-np.inf), threshold)
        found.append((leaf, trees.column[above], low, np.where(left, threshold, np.float32(np.inf))))
        further = parent[above] >= 0
        leaf, node = leaf[further], above[further]
    leaf, column, low, high = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((column, leaf))
    return leaf[order], column[order], low[order], high[order]
