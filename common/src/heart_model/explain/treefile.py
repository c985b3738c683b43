"""The trees of an ONNX file: TreeEnsembleClassifier and TreeEnsembleRegressor (ai.onnx.ml, up to version 3) as arrays.

https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heart_model.errors import ModelRejected
from heart_model.onnxfile import read_model

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
OPERATORS = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
BRANCH, LEAF = b"BRANCH_LEQ", b"LEAF"


@dataclass(frozen=True, slots=True)
class Trees:
    """Every node of every tree, in one row of arrays. A branch sends `x[column] <= threshold` to `left`."""

    column: Integers
    threshold: npt.NDArray[np.float32]
    left: Integers
    right: Integers
    leaf: npt.NDArray[np.bool_]
    values: Floats
    """[nodes, outputs]: what a leaf adds to each output; 0 at branches."""
    base: Floats
    """[outputs]: what is added to every row."""


def read_trees(data: bytes) -> Trees:
    """Read a model with one tree ensemble. Raises ModelRejected for any other, or one with other kinds of branches."""
    nodes = [node for node in read_model(data).graph.node if node.op_type in OPERATORS]
    if len(nodes) != 1:
        raise ModelRejected(f"explanations: expected one tree ensemble in the ONNX graph, found {len(nodes)}")
    return _arrays({attribute.name: attribute for attribute in nodes[0].attribute})


def _arrays(attributes: dict[str, Any]) -> Trees:
    modes = np.array(attributes["nodes_modes"].strings)
    leaf = modes == LEAF
    if not (leaf | (modes == BRANCH)).all():
        raise ModelRejected("explanations: the trees branch otherwise than by <=")
    tree = _integers(attributes, "nodes_treeids")
    place = _Places(tree, _integers(attributes, "nodes_nodeids"))
    # Children of leaves mean nothing and may not exist.
    left, right = (
        np.where(leaf, -1, place(tree, np.where(leaf, place.node, _integers(attributes, f"nodes_{side}nodeids"))))
        for side in ("true", "false")
    )
    values, base = _leaf_values(attributes, place, len(leaf))
    threshold = np.array(attributes["nodes_values"].floats, np.float32)
    return Trees(_integers(attributes, "nodes_featureids"), threshold, left, right, leaf, values, base)


class _Places:
    """(tree, node) → position in the arrays."""

    def __init__(self, tree: Integers, node: Integers) -> None:
        self.node = node
        self._span = int(node.max()) + 1
        keys = tree * self._span + node
        self._order = np.argsort(keys)
        self._keys = keys[self._order]

    def __call__(self, tree: Integers, node: Integers) -> Integers:
        found: Integers = self._order[np.searchsorted(self._keys, tree * self._span + node)]
        return found


def _leaf_values(attributes: dict[str, Any], place: _Places, nodes: int) -> tuple[Floats, Floats]:
    kind = "class" if "class_ids" in attributes else "target"
    outputs = _integers(attributes, f"{kind}_ids")
    at = place(_integers(attributes, f"{kind}_treeids"), _integers(attributes, f"{kind}_nodeids"))
    values = np.zeros((nodes, int(outputs.max()) + 1))
    np.add.at(values, (at, outputs), np.array(attributes[f"{kind}_weights"].floats, np.float64))
    base = attributes["base_values"].floats if "base_values" in attributes else [0.0] * values.shape[1]
    return values, np.array(base, np.float64)


def _integers(attributes: dict[str, Any], name: str) -> Integers:
    return np.array(attributes[name].ints, np.int64)
