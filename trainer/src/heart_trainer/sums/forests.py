"""Forests by union: each holder grows trees on its own rows, in proportion to them, and the trees are put together.

Trees travel as arrays, never as pickles, and every array is checked before a tree is made of it: scikit-learn follows
the indices in a tree without bounds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.tree._tree import Tree

from heart_trainer.sums.additive import StatisticRejected

Forest = Any
"""RandomForestClassifier or RandomForestRegressor."""
LEAF = -1
MOST_NODES = 1 << 22
"""Of all trees of a holder."""


@dataclass(frozen=True)
class Grown:
    """Trees of one holder, their nodes one after the other. Raises StatisticRejected where they are no trees.

    `children` [nodes, 2]: numbers of nodes within the tree, LEAF at a leaf. `values` [nodes, outputs]: share of each
    class, or [nodes, 1].
    """

    columns: int
    classes: int
    """0: a regression."""
    sizes: NDArray[np.int64]
    children: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.uint8]
    rows: NDArray[np.int64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        nodes = int(self.sizes.sum()) if len(self.sizes) and (self.sizes > 0).all() else 0
        if not 0 < nodes <= MOST_NODES:
            raise StatisticRejected(f"sizes: {nodes} nodes; a forest has 1 to {MOST_NODES}")
        self._check_shapes(nodes)
        self._check_links()
        if np.isnan(self.threshold).any() or not np.isfinite(self.values).all():  # an infinite threshold: is it missing
            raise StatisticRejected("threshold or values: hold NaN or infinity")
        if (self.rows < 0).any() or (self.missing_left > 1).any():
            raise StatisticRejected("rows or missing_left: out of range")
        if self.classes and ((self.values < 0).any() or (np.abs(self.values.sum(axis=1) - 1) > 1e-9).any()):
            raise StatisticRejected("values: are no shares of classes")

    def _check_shapes(self, nodes: int) -> None:
        expected = {
            "children": ((nodes, 2), np.int64),
            "feature": ((nodes,), np.int64),
            "threshold": ((nodes,), np.float64),
            "missing_left": ((nodes,), np.uint8),
            "rows": ((nodes,), np.int64),
            "values": ((nodes, max(self.classes, 1)), np.float64),
        }
        for name, (shape, kind) in expected.items():
            found = getattr(self, name)
            if found.shape != shape or found.dtype != kind:
                raise StatisticRejected(f"{name}: expected {np.dtype(kind)} {shape}, got {found.dtype} {found.shape}")

    def _check_links(self) -> None:
        """Children come after their parent, so that every path ends; leaves have none."""
        sizes = np.repeat(self.sizes, self.sizes)
        own = np.concatenate([np.arange(size) for size in self.sizes])
        inner = self.children[:, 0] != LEAF
        below = self.children[inner]
        if (self.children[~inner] != LEAF).any() or (below <= own[inner, None]).any():
            raise StatisticRejected("children: do not come after their parent")
        if (below >= sizes[inner, None]).any():
            raise StatisticRejected("children: are outside their tree")
        if (self.feature[inner] < 0).any() or (self.feature[inner] >= self.columns).any():
            raise StatisticRejected("feature: is outside the columns")


def grown(forest: Forest) -> Grown:
    """The trees of a fitted forest."""
    states = [tree.tree_.__getstate__() for tree in forest.estimators_]
    nodes = np.concatenate([state["nodes"] for state in states])
    classifier = isinstance(forest, RandomForestClassifier)
    return Grown(
        columns=forest.n_features_in_,
        classes=len(forest.classes_) if classifier else 0,
        sizes=np.array([state["node_count"] for state in states], np.int64),
        children=np.column_stack([nodes["left_child"], nodes["right_child"]]).astype(np.int64),
        feature=np.where(nodes["left_child"] == LEAF, 0, nodes["feature"]).astype(np.int64),
        threshold=nodes["threshold"].astype(np.float64),
        missing_left=nodes["missing_go_to_left"].astype(np.uint8),
        rows=nodes["n_node_samples"].astype(np.int64),
        values=np.concatenate([state["values"][:, 0] for state in states]),
    )


def trees_for(rows: Sequence[int], trees: int) -> tuple[int, ...]:
    """How many of the union's trees each holder grows: in proportion to its rows, at least one."""
    total = sum(rows)
    return tuple(max(1, round(trees * count / total)) for count in rows)


def union(parts: Iterable[Grown]) -> Forest:
    """A fitted forest of all trees, in the order of the holders. Raises StatisticRejected for unlike forests."""
    found = list(parts)
    if len({(part.columns, part.classes) for part in found}) != 1:
        raise StatisticRejected("forests of different columns or classes have no union")
    columns, classes = found[0].columns, found[0].classes
    trees = [_fitted_tree(tree, columns, classes) for part in found for tree in _trees(part)]
    forest = RandomForestClassifier(len(trees)) if classes else RandomForestRegressor(len(trees))
    forest.estimators_, forest.n_features_in_, forest.n_outputs_ = trees, columns, 1
    if classes:
        forest.classes_, forest.n_classes_ = np.arange(classes), classes
    return forest


def _trees(part: Grown) -> Iterable[Any]:
    ends = np.cumsum(part.sizes)
    for first, end in zip(ends - part.sizes, ends, strict=True):
        yield _tree(part, slice(int(first), int(end)))


def _tree(part: Grown, nodes: slice) -> Any:
    tree = Tree(part.columns, np.array([max(part.classes, 1)], dtype=np.intp), 1)
    children, leaf = part.children[nodes], part.children[nodes, 0] == LEAF
    stored = np.zeros(len(children), dtype=tree.__getstate__()["nodes"].dtype)
    stored["left_child"], stored["right_child"] = children.T
    stored["feature"] = np.where(leaf, -2, part.feature[nodes])
    stored["threshold"] = np.where(leaf, -2.0, part.threshold[nodes])
    stored["missing_go_to_left"] = part.missing_left[nodes]
    stored["n_node_samples"] = stored["weighted_n_node_samples"] = part.rows[nodes]
    values = np.ascontiguousarray(part.values[nodes][:, None, :])
    state = {"max_depth": _depth(children), "node_count": len(children), "nodes": stored, "values": values}
    tree.__setstate__(state)
    return tree


def _depth(children: NDArray[np.int64]) -> int:
    depth = np.zeros(len(children), np.int64)
    for node, below in enumerate(children):
        depth[below[below != LEAF]] = depth[node] + 1
    return int(depth.max())


def _fitted_tree(tree: Any, columns: int, classes: int) -> Any:
    fitted = DecisionTreeClassifier() if classes else DecisionTreeRegressor()
    fitted.tree_, fitted.n_features_in_, fitted.n_outputs_ = tree, columns, 1
    fitted.max_features_ = columns
    if classes:
        fitted.classes_, fitted.n_classes_ = np.arange(classes), classes
    return fitted
